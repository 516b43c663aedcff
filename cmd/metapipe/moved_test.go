package main

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

const oneTarget = "name: shop\nenvironments:\n  staging: {}\n"

// sources is a token that sees all of repos, under the names that they have now.
func (w *world) sources(repos ...*hub.Repo) string {
	w.t.Helper()
	slugs := []string{}
	for _, r := range repos {
		slugs = append(slugs, r.Slug())
	}
	return "SOURCE_REPOS_PAT=" + w.token(hub.Token{Name: "sources", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: slugs, Permissions: permissions("contents actions", "statuses pull_requests issues deployments")})
}

func (w *world) giveAway() {
	w.t.Helper()
	must(w.hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(w.t)
	check(w.t, w.customer.Transfer("mallory"))
}

// TestDriftOfATransferredRepository gives the repository away after an apply: what the
// new owner wrote is not planned, also where it is what was applied, and no issue is
// written there.
func TestDriftOfATransferredRepository(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"changed": strings.Replace(oneTarget, "shop", "theirs", 1), "as it was": oneTarget} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			r := w.accept(w.push("main", map[string]string{"infra/variables.yml": oneTarget}))
			p := r.planned("staging")
			r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"])
			r.report("--final")
			w.giveAway()
			w.commit(w.customer, "main", map[string]string{"infra/variables.yml": content, "README.md": "mine"})
			printed := w.driftJob().with(w.sources(w.customer)).do(6, "drift", "--environment", "staging", "--issues", "10", "--json")
			got := scanOf(t, printed).Results[0]
			if f := got.Failure; f == nil || f.Cause != "repository" || !strings.Contains(f.Message, "belongs to mallory now") || got.Plan != nil {
				t.Errorf("result %+v, failure %+v", got, f)
			}
			if issues := w.customer.Snapshot().Issues; len(issues) != 0 {
				t.Errorf("issues of the new owner: %+v", issues)
			}
		})
	}
}

// TestReportToATransferredRepository gives the repository away between the plan and
// the report: neither outputs nor statuses reach the new owner.
func TestReportToATransferredRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": oneTarget}))
	p := r.planned("staging")
	w.giveAway()
	token := w.sources(w.customer)
	before := len(w.customer.Snapshot().Statuses[r.trigger.sha])
	w.newJob(r.run).with(token).do(0, "report", "--customer", "shop", "--request", r.id, "--applying", "staging").says(t, "another account", "mallory/shop")
	w.newJob(r.run).with(token).do(0, r.args("apply", "staging", "--receipt", p.outputs["receipt"])...)
	w.newJob(r.run).with(token).do(0, "report", "--customer", "shop", "--request", r.id, "--final").says(t, "another account", "mallory/shop")
	if got := w.customer.Snapshot(); len(got.Statuses[r.trigger.sha]) != before || len(got.Deployments) != 0 {
		t.Errorf("the new owner got %+v and %+v", got.Statuses, got.Deployments)
	}
}

// TestReportWhereTheNameIsTaken lets another repository take the name within one run
// of the manager: the comment does not go to its pull request of the same number.
func TestReportWhereTheNameIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": oneTarget})
	r := w.accept(run)
	check(t, w.customer.Rename("elsewhere"))
	other := must(w.hub.AddRepo("acme", "shop", hub.RepoOptions{}))(t)
	for _, login := range []string{"metapipe-bot", "casey"} {
		check(t, other.Grant(login, hub.Write))
	}
	w.commit(other, "main", map[string]string{"README.md": "other"})
	w.commit(other, "change", map[string]string{"README.md": "another"})
	if pull := must(other.OpenPull(hub.NewPull{Title: "Other", Author: "casey", Head: "change"}))(t); pull != number {
		t.Fatalf("pull request %d, want %d", pull, number)
	}
	token := w.sources(w.customer, other)
	w.newJob(r.run).with(token).do(0, r.args("plan", "staging")...)
	w.newJob(r.run).with(token).do(0, "report", "--customer", "shop", "--request", r.id, "--final").says(t, "belongs to another repository")
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
			w := newWorld(t, nil)
			r := w.accept(w.push("main", map[string]string{"infra/variables.yml": oneTarget}))
			p := r.planned("staging")
			check(t, w.customer.Rename("store"))
			token := w.sources(w.customer)
			w.newJob(r.run).with(token).do(0, r.args("apply", "staging", "--receipt", p.outputs["receipt"])...)
			if end == "report" {
				w.newJob(r.run).with(token).do(0, "report", "--customer", "shop", "--request", r.id, "--final")
			} else {
				check(t, w.manager.SetRun(r.run.run.ID, "completed", "success"))
				w.sweepJob(r).with(token).do(0, "sweep", "--fix")
			}
			got := w.customer.Snapshot()
			for context, status := range w.statuses(r.trigger.sha) {
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
