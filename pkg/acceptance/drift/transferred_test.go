package drift

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// sources is a token that sees all of repos, under the names that they have now.
func sources(w *fixture.Setup, repos ...*hub.Repo) string {
	w.T.Helper()
	slugs := []string{}
	for _, r := range repos {
		slugs = append(slugs, r.Slug())
	}
	return "SOURCE_REPOS_PAT=" + w.Token(hub.Token{Name: "sources", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: slugs, Permissions: fixture.Permissions("contents actions", "statuses pull_requests issues deployments")})
}

// TestDriftOfATransferredRepository gives the repository away after an apply: what the
// new owner wrote is not planned, also where it is what was applied, and no issue is
// written there.
func TestDriftOfATransferredRepository(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"changed": strings.Replace(fixture.OneTarget, "shop", "theirs", 1), "as it was": fixture.OneTarget} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.OneTarget}))
			p := r.Planned("staging")
			r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
			r.Report("--final")
			w.GiveAway()
			w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": content, "README.md": "mine"})
			printed := w.DriftJob().With(sources(w, w.Customer)).Do(6, "drift", "--environment", "staging", "--issues", "10", "--json")
			got := fixture.ScanOf(t, printed).Results[0]
			if f := got.Failure; f == nil || f.Cause != "repository" || !strings.Contains(f.Message, "belongs to mallory now") || got.Plan != nil {
				t.Errorf("result %+v, failure %+v", got, f)
			}
			if issues := w.Customer.Snapshot().Issues; len(issues) != 0 {
				t.Errorf("issues of the new owner: %+v", issues)
			}
		})
	}
}

// TestReportToATransferredRepository gives the repository away between the plan and
// the report: neither outputs nor statuses reach the new owner.
func TestReportToATransferredRepository(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.OneTarget}))
	p := r.Planned("staging")
	w.GiveAway()
	token := sources(w, w.Customer)
	before := len(w.Customer.Snapshot().Statuses[r.Trigger.SHA])
	w.NewJob(r.Run).With(token).Do(0, "report", "--customer", "shop", "--request", r.ID, "--applying", "staging").Says(t, "another account", "mallory/shop")
	w.NewJob(r.Run).With(token).Do(0, r.Args("apply", "staging", "--receipt", p.Outputs["receipt"])...)
	w.NewJob(r.Run).With(token).Do(0, "report", "--customer", "shop", "--request", r.ID, "--final").Says(t, "another account", "mallory/shop")
	if got := w.Customer.Snapshot(); len(got.Statuses[r.Trigger.SHA]) != before || len(got.Deployments) != 0 {
		t.Errorf("the new owner got %+v and %+v", got.Statuses, got.Deployments)
	}
}

// TestReportWhereTheNameIsTaken lets another repository take the name within one run
// of the manager: the comment does not go to its pull request of the same number.
func TestReportWhereTheNameIsTaken(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.OneTarget})
	r := w.Accept(run)
	fixture.Check(t, w.Customer.Rename("elsewhere"))
	other := fixture.Must(w.Hub.AddRepo("acme", "shop", hub.RepoOptions{}))(t)
	for _, login := range []string{"metapipe-bot", "casey"} {
		fixture.Check(t, other.Grant(login, hub.Write))
	}
	w.Commit(other, "main", map[string]string{"README.md": "other"})
	w.Commit(other, "change", map[string]string{"README.md": "another"})
	if pull := fixture.Must(other.OpenPull(hub.NewPull{Title: "Other", Author: "casey", Head: "change"}))(t); pull != number {
		t.Fatalf("pull request %d, want %d", pull, number)
	}
	token := sources(w, w.Customer, other)
	w.NewJob(r.Run).With(token).Do(0, r.Args("plan", "staging")...)
	w.NewJob(r.Run).With(token).Do(0, "report", "--customer", "shop", "--request", r.ID, "--final").Says(t, "belongs to another repository")
	if comments := other.Snapshot().Pulls[0].Comments; len(comments) != 0 {
		t.Errorf("comments in the other repository: %+v", comments)
	}
}

// TestReportToARenamedRepository renames the repository while its pull request is
// open: everything reaches the new name, by the report or by the sweep.
func TestReportToARenamedRepository(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"report", "sweep"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.OneTarget}))
			p := r.Planned("staging")
			fixture.Check(t, w.Customer.Rename("store"))
			token := sources(w, w.Customer)
			w.NewJob(r.Run).With(token).Do(0, r.Args("apply", "staging", "--receipt", p.Outputs["receipt"])...)
			if end == "report" {
				w.NewJob(r.Run).With(token).Do(0, "report", "--customer", "shop", "--request", r.ID, "--final")
			} else {
				fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "success"))
				w.SweepJob(r).With(token).Do(0, "sweep", "--fix")
			}
			got := w.Customer.Snapshot()
			for context, status := range w.Statuses(r.Trigger.SHA) {
				if strings.HasPrefix(status, "pending") {
					t.Errorf("%s is %s", context, status)
				}
			}
			if len(got.Deployments) != 1 || len(got.Deployments[0].States) == 0 {
				t.Errorf("deployments %+v", got.Deployments)
			}
		})
	}
}
