package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// documentedPermissions reads the table of docs/SETUP.md: command and token → what
// the token needs, in the names of a workflow's `permissions:`.
func documentedPermissions(t *testing.T) map[[2]string]map[string]string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(root(t), "docs", "SETUP.md")))(t))
	table := map[[2]string]map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([A-Z_]+)` \\| ([a-z:, -]+) \\|$").FindAllStringSubmatch(text, -1) {
		grants := map[string]string{}
		for _, one := range strings.Split(row[3], ", ") {
			name, level, ok := strings.Cut(one, ": ")
			if !ok {
				t.Fatalf("%q is no permission", one)
			}
			grants[strings.ReplaceAll(name, "-", "_")] = level
		}
		table[[2]string{row[1], row[2]}] = grants
	}
	if len(table) < 6 {
		t.Fatalf("docs/SETUP.md has %d rows of permissions", len(table))
	}
	return table
}

// thin gives the job a token of the name with those permissions and no others.
func (j *job) thin(name string, grants map[string]string) *job {
	kind, user, repository := hub.Actions, "", j.run.repo.Slug()
	switch name {
	case "SOURCE_REPOS_PAT":
		kind, user, repository = hub.FineGrained, "metapipe-bot", customerSlug
	case "MANAGER_REPO_PAT":
		kind, user, repository = hub.FineGrained, "metapipe-bot", managerSlug
	}
	token := hub.Token{Name: fmt.Sprintf("%s of %s", name, filepath.Base(j.dir)), Kind: kind, User: user, Repositories: []string{repository}, Permissions: grants}
	return j.with(name + "=" + j.w.token(token))
}

// TestDocumentedPermissionsSuffice plays a pull request and its merge with what
// the documentation asks for, and nothing more.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	t.Parallel()
	table := documentedPermissions(t)
	w := newWorld(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\n  - {name: production, branches: [main]}\n"})
	thin := func(run workflowRun, command string) *job {
		j := w.newJob(run)
		for _, token := range []string{"GITHUB_TOKEN", "SOURCE_REPOS_PAT", "MANAGER_REPO_PAT"} {
			j.thin(token, table[[2]string{command, token}])
		}
		return j
	}
	play := func(run workflowRun) {
		triggered := thin(run, "trigger").start("trigger", "--wait", "1m")
		q := w.queued()
		fetched := thin(q, "fetch-vars").do(0, "fetch-vars")
		r := &request{w: w, trigger: run, run: q, customer: fetched.outputs["customer"], id: fetched.outputs["request-id"]}
		thin(q, "plan").do(0, r.args("plan", "staging")...)
		if fetched.outputs["mode"] == "apply" {
			thin(q, "apply").do(0, r.args("apply", "staging")...)
		}
		thin(q, "report").do(0, "report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=success")
		if end := triggered.wait(); end.exit != 0 {
			t.Errorf("trigger ended with exit code %d:\n%s", end.exit, end.log)
		}
	}
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	play(run)
	play(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)))
	w.wantOneComment("**Applied: 2 added**")
}

// TestMissingPermissionIsNamed takes away one permission after the other.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	table := documentedPermissions(t)
	w := newWorld(t, nil)
	run, _ := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	triggered := w.newJob(run).start("trigger")
	q := w.queued()
	without := func(command, name string, args ...string) {
		t.Helper()
		rest := map[string]string{}
		for other, have := range table[[2]string{command, "SOURCE_REPOS_PAT"}] {
			if other != name {
				rest[other] = have
			}
		}
		end := w.newJob(q).thin("SOURCE_REPOS_PAT", rest).do(1, append([]string{command}, args...)...)
		for _, want := range []string{"give SOURCE_REPOS_PAT the permission", name + "=", "which `metapipe " + command + "` needs"} {
			if !strings.Contains(end.log, want) {
				t.Errorf("%s without %s: the error lacks %q:\n%s", command, name, want, end.log)
			}
		}
	}
	// statuses comes last: without it fetch-vars accepts the request, and fails to say so.
	for _, name := range []string{"actions", "contents", "deployments", "pull_requests", "statuses"} {
		without("fetch-vars", name)
	}
	fetched := w.newJob(q).do(0, "fetch-vars")
	if end := triggered.wait(); end.exit != 0 {
		t.Errorf("trigger ended with exit code %d:\n%s", end.exit, end.log)
	}
	for _, name := range []string{"pull_requests", "statuses"} {
		without("report", name, "--customer", fetched.outputs["customer"], "--request", fetched.outputs["request-id"])
	}
}
