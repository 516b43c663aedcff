package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestForksSendNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	must(w.hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(t)
	from := must(w.customer.Fork("mallory", "shop"))(t)
	run, _ := w.pull(from, "change", map[string]string{"infra/variables.yml": variablesYML})
	run.permitsIDToken = false
	w.hub.ResetCalls()
	end := w.newJob(run).with("MANAGER_REPO_PAT=", "MANAGER_REPO_OWNER=", "MANAGER_REPO_NAME=").do(0, "trigger", "--wait", "1h")
	end.says(t, "comes from a fork")
	end.want(t, "request-id=", "outputs={}")
	if !strings.Contains(end.outputs["skipped"], "comes from a fork") || !strings.Contains(end.summary, "comes from a fork") {
		t.Errorf("skipped %q, summary %q", end.outputs["skipped"], end.summary)
	}
	if writes := w.writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
	w.wantNoDispatch()
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
		"under the path":      {files: map[string]string{"infra/variables.yml": variablesYML + "# new\n"}, says: "runs this workflow by hand", status: "error: Not sent: runs of Dependabot have no secrets."},
		"may only read":       {files: map[string]string{"app/go.sum": "new\n"}, token: "contents deployments pull_requests statuses", says: "`statuses: write`"},
		"may not read a pull": {files: map[string]string{"app/go.sum": "new\n"}, token: "contents", says: "`pull-requests: read`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.push("main", map[string]string{"infra/variables.yml": variablesYML})
			run, number := w.pull(w.customer, "dependabot/go_modules/x", c.files)
			run.permitsIDToken = false
			j := w.newJob(run).with("MANAGER_REPO_PAT=", "MANAGER_REPO_OWNER=", "MANAGER_REPO_NAME=", "GITHUB_ACTOR=dependabot[bot]")
			if c.token != "" {
				j.with("GITHUB_TOKEN=" + w.token(hub.Token{Name: "narrow", Kind: hub.Actions, Repositories: []string{customerSlug}, Permissions: permissions(c.token, "")}))
			}
			end := j.do(0, "trigger", "--wait", "1h")
			end.want(t, "request-id=", "outputs={}", "outcome="+c.outcome)
			if !strings.Contains(end.outputs["skipped"], c.says) || !strings.Contains(end.summary, c.says) {
				t.Errorf("skipped %q, summary %q", end.outputs["skipped"], end.summary)
			}
			if got := w.statuses(must(w.customer.Pull(number))(t).Head)["infra/terraform-deploy"]; (got == "") != (c.status == "") || !strings.HasPrefix(got, c.status) {
				t.Errorf("status %q, want %q", got, c.status)
			}
			w.wantNoDispatch()
		})
	}
}

func TestOtherChangesAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	run := w.push("main", map[string]string{"app/main.go": "package main\n"})
	w.newJob(run).do(0, "trigger", "--wait", "1h").want(t, "outcome=no-changes", "request-id=")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Nothing to do")
	w.wantNoDispatch()
}

func TestSeveralCustomersInOneRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"customers/blog.yml": "repository: acme/shop\nrepository_id: 4711\npath: blog\n"})
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML, "blog/variables.yml": strings.ReplaceAll(variablesYML, "shop", "blog")})
	pr := must(w.customer.Pull(number))(t)
	shop, blog := w.accept(run, "--customer", "shop"), w.accept(run, "--customer", "blog", "--path", "blog")
	if shop.customer != "shop" || blog.customer != "blog" || shop.id == blog.id {
		t.Fatalf("requests %+v %+v", shop, blog)
	}
	for _, r := range []*request{shop, blog} {
		r.do(0, "plan", "staging").want(t, "outcome=planned")
		r.report("--final").want(t, "outcome=success")
	}
	for _, name := range []string{"shop", "blog"} {
		w.wantStatus(pr.Head, "infra/terraform-deploy/"+name, "success: ")
		w.wantStatus(pr.Head, "infra/terraform-deploy/"+name+"/staging", "success: ")
	}
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 2 || !strings.Contains(comments[0].Body, "`shop`") || !strings.Contains(comments[1].Body, "`blog`") {
		t.Errorf("comments %+v", comments)
	}
	w.wantNothingPending()

	// One is applied, the other one fails; neither sees anything of the other.
	merged := must(w.customer.MergePull(number, hub.MergeCommit, "casey"))(t)
	pushed := w.pushed("main", merged)
	shop, blog = w.accept(pushed, "--customer", "shop"), w.accept(pushed, "--customer", "blog", "--path", "blog")
	shop.planned("staging")
	blog.planned("staging")
	shop.do(0, "apply", "staging").want(t, "outcome=applied")
	shop.report("--final").want(t, "outcome=success")
	blog.report("--final", "--cancelled").want(t, "outcome=error")
	w.wantStatus(merged, "infra/terraform-deploy/shop/staging", "success: Applied")
	w.wantStatus(merged, "infra/terraform-deploy/blog/staging", "error: ")
	w.wantNothingPending()
	if !strings.Contains(w.state("shop/staging"), "shop in staging") || w.state("blog/staging") != "" {
		t.Error("the states are mixed up")
	}
	var deployed []string
	for _, d := range w.customer.Snapshot().Deployments {
		deployed = append(deployed, d.Environment)
	}
	if !slices.Equal(deployed, []string{"infra/shop/staging"}) {
		t.Errorf("deployments %v", deployed)
	}
	// The plan of one is of no use to the other.
	blog.customer = "shop"
	blog.do(2, "apply", "staging").says(t, "is not in the store")
}

func TestReportWithoutRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	w.hub.ResetCalls()
	for _, args := range [][]string{
		{"report"}, {"report", "--final", "--cancelled"}, {"report", "--customer", "shop", "--request", ""},
	} {
		end := w.newJob(r.run).do(0, args...)
		end.want(t, "outcome=")
		if !strings.Contains(end.summary, "No request") {
			t.Errorf("%v: summary %q", args, end.summary)
		}
	}
	// An id is put out only after its request is stored: this is another store.
	other := w.newJob(r.run).do(2, "report", "--customer", "shop", "--request", "0b7f4a52-91ad-4f6e-9d43-6f8f3ad0a111")
	other.says(t, "is not in the store", "use the store that fetch-vars used")
	if !strings.Contains(other.summary, "No report") {
		t.Errorf("another store: summary %q", other.summary)
	}
	if writes := w.writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
	w.newJob(r.run).do(2, "report", "--customer", "nobody", "--request", r.id).says(t, `customer "nobody" does not exist`)
	// A run whose jobs never came further ends all the same.
	r.report("--final").want(t, "outcome=failure")
	w.wantNothingPending()
	w.recovers()
}

func TestFailedApplyIsToldAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: exit 7\nenvironments:\n  staging: {}\n"})
	r := w.accept(run)
	r.planned("staging")
	r.do(1, "apply", "staging").want(t, "outcome=failed")
	if !strings.Contains(w.state("shop/staging"), "shop in staging") {
		t.Error("what was made is not in the state")
	}
	printed := r.report("--final")
	printed.want(t, "outcome=failure")
	for _, text := range []string{"terraform_data.first", "get a fresh plan"} {
		if !strings.Contains(printed.summary, text) {
			t.Errorf("the report lacks %q:\n%s", text, printed.summary)
		}
	}
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "failure: ")
	r.do(4, "apply", "staging").want(t, "reason=already-applied")
	w.recovers()
}
