package request

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestDocumentedPermissionsSuffice plays a pull request and its merge with what
// the documentation asks for, and nothing more.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	t.Parallel()
	table := fixture.DocumentedPermissions(t)
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\n  - {name: production, branches: [main]}\n"})
	thin := func(run fixture.WorkflowRun, command string) *fixture.Job {
		j := w.NewJob(run)
		for _, token := range []string{"GITHUB_TOKEN", "SOURCE_REPOS_PAT", "MANAGER_REPO_PAT"} {
			j.Thin(token, table[[2]string{command, token}])
		}
		return j
	}
	play := func(run fixture.WorkflowRun) {
		triggered := thin(run, "trigger").Start("trigger", "--wait", "1m")
		q := w.Queued()
		fetched := thin(q, "fetch-vars").Do(0, "fetch-vars")
		r := &fixture.Request{W: w, Trigger: run, Run: q, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
		thin(q, "plan").Do(0, r.Args("plan", "staging")...)
		if fetched.Outputs["mode"] == "apply" {
			thin(q, "apply").Do(0, r.Args("apply", "staging")...)
		}
		thin(q, "report").Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
		if end := triggered.Wait(); end.Exit != 0 {
			t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
		}
	}
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	play(run)
	play(w.Pushed("main", fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t)))
	wantOneComment(w, "**Applied: 2 added**")
}

// TestMissingPermissionIsNamed takes away one permission after the other.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	table := fixture.DocumentedPermissions(t)
	w := fixture.New(t, nil)
	run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	triggered := w.NewJob(run).Start("trigger")
	q := w.Queued()
	without := func(command, name string, args ...string) {
		t.Helper()
		rest := map[string]string{}
		for other, have := range table[[2]string{command, "SOURCE_REPOS_PAT"}] {
			if other != name {
				rest[other] = have
			}
		}
		end := w.NewJob(q).Thin("SOURCE_REPOS_PAT", rest).Do(1, append([]string{command}, args...)...)
		for _, want := range []string{"give SOURCE_REPOS_PAT the permission", name + "=", "which `metapipe " + command + "` needs"} {
			if !strings.Contains(end.Log, want) {
				t.Errorf("%s without %s: the error lacks %q:\n%s", command, name, want, end.Log)
			}
		}
	}
	// statuses comes last: without it fetch-vars accepts the request, and fails to say so.
	for _, name := range []string{"actions", "contents", "deployments", "pull_requests", "statuses"} {
		without("fetch-vars", name)
	}
	fetched := w.NewJob(q).Do(0, "fetch-vars")
	for _, name := range []string{"pull_requests", "statuses"} {
		without("report", name, "--customer", fetched.Outputs["customer"], "--request", fetched.Outputs["request-id"])
	}
	w.NewJob(q).Do(0, "report", "--customer", fetched.Outputs["customer"], "--request", fetched.Outputs["request-id"])
	if end := triggered.Wait(); end.Exit != 0 { // what the first fetch-vars could not say, the report does
		t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
	}
}
