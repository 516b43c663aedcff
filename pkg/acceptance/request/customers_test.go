package request

import (
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestForksSendNothing(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	fixture.Must(w.Hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(t)
	from := fixture.Must(w.Customer.Fork("mallory", "shop"))(t)
	run, _ := w.Pull(from, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	run.PermitsIDToken = false
	w.Hub.ResetCalls()
	end := w.NewJob(run).With("MANAGER_REPO_PAT=", "MANAGER_REPO_OWNER=", "MANAGER_REPO_NAME=").Do(0, "trigger", "--wait", "1h")
	end.Says(t, "comes from a fork")
	end.Want(t, "request-id=", "outputs={}")
	if !strings.Contains(end.Outputs["skipped"], "comes from a fork") || !strings.Contains(end.Summary, "comes from a fork") {
		t.Errorf("skipped %q, summary %q", end.Outputs["skipped"], end.Summary)
	}
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
	w.WantNoDispatch()
}

// TestDependabotGetsAnAnswer: a required check on a pull request of Dependabot ends: green
// where nothing of ours changes, else with what to do. A token that may not write is
// explained, and fails nothing.
func TestDependabotGetsAnAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files   map[string]string
		token   string // permissions that are read only
		says    string
		status  string
		outcome string
	}{
		"elsewhere":           {files: map[string]string{"app/go.sum": "new\n"}, says: "no change under infra/", status: "success: Nothing to do", outcome: "no-changes"},
		"under the path":      {files: map[string]string{"infra/variables.yml": fixture.VariablesYML + "# new\n"}, says: "runs this workflow by hand", status: "error: Not sent: runs of Dependabot have no secrets."},
		"may only read":       {files: map[string]string{"app/go.sum": "new\n"}, token: "contents deployments pull_requests statuses", says: "`statuses: write`"},
		"may not read a pull": {files: map[string]string{"app/go.sum": "new\n"}, token: "contents", says: "`pull-requests: read`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			run, number := w.Pull(w.Customer, "dependabot/go_modules/x", c.files)
			run.PermitsIDToken = false
			j := w.NewJob(run).With("MANAGER_REPO_PAT=", "MANAGER_REPO_OWNER=", "MANAGER_REPO_NAME=", "GITHUB_ACTOR=dependabot[bot]")
			if c.token != "" {
				j.With("GITHUB_TOKEN=" + w.Token(hub.Token{Name: "narrow", Kind: hub.Actions, Repositories: []string{fixture.CustomerSlug}, Permissions: fixture.Permissions(c.token, "")}))
			}
			end := j.Do(0, "trigger", "--wait", "1h")
			end.Want(t, "request-id=", "outputs={}", "outcome="+c.outcome)
			if !strings.Contains(end.Outputs["skipped"], c.says) || !strings.Contains(end.Summary, c.says) {
				t.Errorf("skipped %q, summary %q", end.Outputs["skipped"], end.Summary)
			}
			if got := w.Statuses(fixture.Must(w.Customer.Pull(number))(t).Head)["infra/terraform-deploy"]; (got == "") != (c.status == "") || !strings.HasPrefix(got, c.status) {
				t.Errorf("status %q, want %q", got, c.status)
			}
			w.WantNoDispatch()
		})
	}
}

func TestOtherChangesAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	run := w.Push("main", map[string]string{"app/main.go": "package main\n"})
	w.NewJob(run).Do(0, "trigger", "--wait", "1h").Want(t, "outcome=no-changes", "request-id=")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Nothing to do")
	w.WantNoDispatch()
}

func TestSeveralCustomersInOneRepository(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/blog.yml": "repository: acme/shop\nrepository_id: 4711\npath: blog\n"})
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML, "blog/variables.yml": strings.ReplaceAll(fixture.VariablesYML, "shop", "blog")})
	pr := fixture.Must(w.Customer.Pull(number))(t)
	shop, blog := w.Accept(run, "--customer", "shop"), w.Accept(run, "--customer", "blog", "--path", "blog")
	if shop.Customer != "shop" || blog.Customer != "blog" || shop.ID == blog.ID {
		t.Fatalf("requests %+v %+v", shop, blog)
	}
	for _, r := range []*fixture.Request{shop, blog} {
		r.Do(0, "plan", "staging").Want(t, "outcome=planned")
		r.Report("--final").Want(t, "outcome=success")
	}
	for _, name := range []string{"shop", "blog"} {
		w.WantStatus(pr.Head, "infra/terraform-deploy/"+name, "success: ")
		w.WantStatus(pr.Head, "infra/terraform-deploy/"+name+"/staging", "success: ")
	}
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 2 || !strings.Contains(comments[0].Body, "`shop`") || !strings.Contains(comments[1].Body, "`blog`") {
		t.Errorf("comments %+v", comments)
	}
	w.WantNothingPending()

	// One is applied, the other one fails; neither sees anything of the other.
	merged := fixture.Must(w.Customer.MergePull(number, hub.MergeCommit, "casey"))(t)
	pushed := w.Pushed("main", merged)
	shop, blog = w.Accept(pushed, "--customer", "shop"), w.Accept(pushed, "--customer", "blog", "--path", "blog")
	shop.Planned("staging")
	blog.Planned("staging")
	shop.Do(0, "apply", "staging").Want(t, "outcome=applied")
	shop.Report("--final").Want(t, "outcome=success")
	blog.Report("--final", "--cancelled").Want(t, "outcome=error")
	w.WantStatus(merged, "infra/terraform-deploy/shop/staging", "success: Applied")
	w.WantStatus(merged, "infra/terraform-deploy/blog/staging", "error: ")
	w.WantNothingPending()
	if !strings.Contains(w.State("shop/staging"), "shop in staging") || w.State("blog/staging") != "" {
		t.Error("the states are mixed up")
	}
	var deployed []string
	for _, d := range w.Customer.Snapshot().Deployments {
		deployed = append(deployed, d.Environment)
	}
	if !slices.Equal(deployed, []string{"infra/shop/staging"}) {
		t.Errorf("deployments %v", deployed)
	}
	// The plan of one is of no use to the other.
	blog.Customer = "shop"
	blog.Do(2, "apply", "staging").Says(t, "is not in the store")
}

func TestReportWithoutRequest(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	w.Hub.ResetCalls()
	for _, args := range [][]string{
		{"report"}, {"report", "--final", "--cancelled"}, {"report", "--customer", "shop", "--request", ""},
	} {
		end := w.NewJob(r.Run).Do(0, args...)
		end.Want(t, "outcome=")
		if !strings.Contains(end.Summary, "No request") {
			t.Errorf("%v: summary %q", args, end.Summary)
		}
	}
	// An id is put out only after its request is stored: this is another store.
	other := w.NewJob(r.Run).Do(2, "report", "--customer", "shop", "--request", "0b7f4a52-91ad-4f6e-9d43-6f8f3ad0a111")
	other.Says(t, "is not in the store", "use the store that fetch-vars used")
	if !strings.Contains(other.Summary, "No report") {
		t.Errorf("another store: summary %q", other.Summary)
	}
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
	w.NewJob(r.Run).Do(2, "report", "--customer", "nobody", "--request", r.ID).Says(t, `customer "nobody" does not exist`)
	// A run whose jobs never came further ends all the same.
	r.Report("--final").Want(t, "outcome=failure")
	w.WantNothingPending()
	w.Recovers()
}

func TestFailedApplyIsToldAndMended(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: exit 7\nenvironments:\n  staging: {}\n"})
	r := w.Accept(run)
	r.Planned("staging")
	r.Do(1, "apply", "staging").Want(t, "outcome=failed")
	if !strings.Contains(w.State("shop/staging"), "shop in staging") {
		t.Error("what was made is not in the state")
	}
	printed := r.Report("--final")
	printed.Want(t, "outcome=failure")
	for _, text := range []string{"terraform_data.first", "get a fresh plan"} {
		if !strings.Contains(printed.Summary, text) {
			t.Errorf("the report lacks %q:\n%s", text, printed.Summary)
		}
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	r.Do(4, "apply", "staging").Want(t, "reason=already-applied")
	w.Recovers()
}
