package request

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// managerToken is what a job of the manager may do with issues.
func managerToken(w *fixture.Setup) string {
	return w.Token(hub.Token{Name: "run", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{w.Manager.Slug()}, Permissions: fixture.Permissions("metadata contents", "issues")})
}

// comply lets the repository of the customer comply with the rules.
func comply(t *testing.T, w *fixture.Setup, web *hub.Team) {
	t.Helper()
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\n"})
	w.Customer.SetProperties(hub.Properties{"repo_content_type": []string{"infra"}, "team_owner": "web", "customer_tier": "free"})
	fixture.Check(t, web.Grant(w.Customer, hub.PermissionWrite))
}

func issuesOf(repo *hub.Repo) (all []string) {
	for _, i := range repo.Snapshot().Issues {
		all = append(all, i.State+" "+i.Title)
	}
	return all
}

// TestComplianceIssue follows the issue of the manager over its life: it is opened, left alone, edited, closed and
// opened again. What people add to it stays.
func TestComplianceIssue(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	run := managerToken(w)
	bare := holding(t, w, web, "bare", hub.Properties{"repo_content_type": []string{"app"}}, "src/main.go")
	comply(t, w, web)
	hand := fixture.Must(github.New(github.Options{BaseURL: w.Hub.URL(), Token: token}))(t)
	manager := fixture.Must(pipeline.ParseSlug(w.Manager.Slug()))(t)
	fixture.Check(t, w.Manager.Grant("ops", hub.Write))
	scan := func(exit int, writes ...string) fixture.Result {
		t.Helper()
		w.Hub.ResetCalls()
		r := complianceJob(w, token).With("GITHUB_TOKEN="+run).Do(exit, "compliance", "--issue", "--fail-on", "low")
		if got := w.Writes(); !slices.Equal(got, writes) {
			t.Errorf("written: %q, want %q", got, writes)
		}
		return r
	}
	list := "/repos/" + w.Manager.Slug() + "/issues"
	scan(6, "POST "+list).Says(t, "issue of the manager opened")
	issue := w.Manager.Snapshot().Issues[0]
	if !strings.Contains(issue.Body, "`acme/bare`") || !slices.Equal(issue.Labels, []string{"compliance"}) {
		t.Errorf("%+v", issue)
	}
	scan(6) // nothing has changed, so nothing is written
	fixture.Must(hand.EditIssue(t.Context(), manager, issue.Number, issues.Draft{Labels: []string{"compliance", "ours"}}))(t)
	bare.SetProperties(hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "gone"})
	scan(6, "PATCH "+list+"/1")
	if got := w.Manager.Snapshot().Issues[0]; !slices.Contains(got.Labels, "ours") || !strings.Contains(got.Body, "unknown-team") {
		t.Errorf("%+v", got)
	}
	bare.SetProperties(hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"})
	scan(0, "PATCH "+list+"/1", "POST "+list+"/1/comments")
	scan(0)
	bare.SetProperties(hub.Properties{})
	scan(6, "PATCH "+list+"/1")
	if got := issuesOf(w.Manager); len(got) != 1 || !strings.HasPrefix(got[0], "open ") {
		t.Errorf("%q", got)
	}
	fixture.Check(t, os.RemoveAll(filepath.Join(w.Store, "_metapipe", "compliance"))) // the marker finds it all the same
	scan(6)
}

// TestComplianceIssueOfWhatIsNotKnown: findings that could not be looked for close nothing.
func TestComplianceIssueOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	run := managerToken(w)
	holding(t, w, web, "former", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "gone"}, "src/main.go")
	comply(t, w, web)
	complianceJob(w, token).With("GITHUB_TOKEN="+run).Do(6, "compliance", "--issue")
	blind := w.Token(hub.Token{Name: "without teams", Kind: hub.Classic, User: "ops", Scopes: []string{"repo"}})
	w.Hub.ResetCalls()
	complianceJob(w, blind).With("GITHUB_TOKEN="+run).Do(1, "compliance", "--issue").Want(t, "findings=0", "unknown=1")
	complianceJob(w, blind).With("GITHUB_TOKEN="+run).Do(0, "compliance", "--issue", "--allow-unknown")
	if got := w.Writes(); len(got) > 0 {
		t.Errorf("written: %q", got)
	}
	if got := issuesOf(w.Manager); len(got) != 1 || !strings.HasPrefix(got[0], "open ") {
		t.Errorf("%q", got)
	}
	complianceJob(w, token).With("GITHUB_TOKEN="+run).Do(2, "compliance", "--issue", "--limit", "3").Says(t, "--issue is about all repositories")
	complianceJob(w, token).With("GITHUB_TOKEN=").Do(2, "compliance", "--issue").Says(t, "GITHUB_TOKEN")
}

// TestComplianceIssuesOfCustomers: a customer reads about its own repository alone, within the budget.
func TestComplianceIssuesOfCustomers(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	holding(t, w, web, "bare", nil, "src/main.go")
	scan := func(exit int, budget string, writes ...string) {
		t.Helper()
		w.Hub.ResetCalls()
		complianceJob(w, token).Do(exit, "compliance", "--customer-issues", budget, "--fail-on", "none")
		if got := w.Writes(); !slices.Equal(got, writes) {
			t.Errorf("written: %q, want %q", got, writes)
		}
	}
	const list = "/repos/acme/shop/issues"
	scan(0, "1", "POST "+list)
	body := w.Customer.Snapshot().Issues[0].Body
	if strings.Contains(body, "bare") || !strings.Contains(body, "missing-required") {
		t.Error(body)
	}
	scan(0, "5")
	w.Commit(w.Manager, "main", map[string]string{"customers/aaa.yml": "repository: acme/shop\nrepository_id: 4711\npath: aaa\n"})
	scan(0, "5") // a customer of the same repository shares the issue
	fixture.Must(w.Manager.Commit("main", hub.Change{Remove: []string{"customers/aaa.yml"}, Message: "Remove aaa"}))(t)
	comply(t, w, web)
	scan(0, "5", "PATCH "+list+"/1", "POST "+list+"/1/comments")
	w.Customer.SetProperties(hub.Properties{})
	scan(0, "5", "PATCH "+list+"/1")
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "offboarded: true\n"})
	scan(0, "5", "PATCH "+list+"/1", "POST "+list+"/1/comments")
	if got := issuesOf(w.Customer); len(got) != 1 || !strings.HasPrefix(got[0], "closed ") {
		t.Errorf("%q", got)
	}
}

// TestComplianceHistory: the trend and the ages come from the store; a record that was changed is refused.
func TestComplianceHistory(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": strings.Replace(complianceYML, "{required: all, team: true}", "{required: all, team: true, max_age: 30}", 1)})
	web, token := organization(t, w)
	holding(t, w, web, "well", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"}, "src/main.go")
	const day = 24 * time.Hour
	scan := func(exit int, after time.Duration, flags ...string) fixture.Result {
		t.Helper()
		r := complianceJob(w, token).After(after, append([]string{"compliance", "--repository", "well"}, flags...)...)
		if r.Exit != exit {
			t.Errorf("exit code %d, want %d:\n%s", r.Exit, exit, r.Log)
		}
		return r
	}
	scan(0, 0, "--history").Want(t, "findings=0")
	scan(0, 29*day, "--history").Want(t, "findings=0")
	scan(6, 31*day, "--history", "--fail-on", "low").Says(t, "stale-value", "has not changed since")
	scan(0, 31*day, "--fail-on", "low").Want(t, "findings=0") // without earlier scans no age is known
	files := fixture.Must(filepath.Glob(filepath.Join(w.Store, "_metapipe", "compliance", "history", "*.json")))(t)
	if len(files) != 3 {
		t.Fatalf("%q", files)
	}
	fixture.Check(t, os.WriteFile(files[2], []byte(`{"version":1}`), 0o600))
	scan(4, 32*day, "--history").Says(t, "it was changed, or made without the key")
}
