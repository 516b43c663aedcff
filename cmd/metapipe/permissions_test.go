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

// DocumentedPermissions reads the table of docs/SETUP.md: command and token → what
// the token needs, in the names of a workflow's `permissions:`.
func DocumentedPermissions(t *testing.T) map[[2]string]map[string]string {
	t.Helper()
	text := string(Must(os.ReadFile(filepath.Join(Root(t), "docs", "SETUP.md")))(t))
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

// Thin gives the job a token of the name with those permissions and no others.
func (j *Job) Thin(name string, grants map[string]string) *Job {
	kind, user, repository := hub.Actions, "", j.Run.Repo.Slug()
	switch name {
	case "SOURCE_REPOS_PAT":
		kind, user, repository = hub.FineGrained, "metapipe-bot", CustomerSlug
	case "MANAGER_REPO_PAT":
		kind, user, repository = hub.FineGrained, "metapipe-bot", ManagerSlug
	}
	token := hub.Token{Name: fmt.Sprintf("%s of %s", name, filepath.Base(j.Dir)), Kind: kind, User: user, Repositories: []string{repository}, Permissions: grants}
	return j.With(name + "=" + j.W.Token(token))
}

// TestDocumentedPermissionsSuffice plays a pull request and its merge with what
// the documentation asks for, and nothing more.
func TestDocumentedPermissionsSuffice(t *testing.T) {
	t.Parallel()
	table := DocumentedPermissions(t)
	w := New(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\n  - {name: production, branches: [main]}\n"})
	thin := func(run WorkflowRun, command string) *Job {
		j := w.NewJob(run)
		for _, token := range []string{"GITHUB_TOKEN", "SOURCE_REPOS_PAT", "MANAGER_REPO_PAT"} {
			j.Thin(token, table[[2]string{command, token}])
		}
		return j
	}
	play := func(run WorkflowRun) {
		triggered := thin(run, "trigger").Start("trigger", "--wait", "1m")
		q := w.Queued()
		fetched := thin(q, "fetch-vars").Do(0, "fetch-vars")
		r := &Request{W: w, Trigger: run, Run: q, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
		thin(q, "plan").Do(0, r.Args("plan", "staging")...)
		if fetched.Outputs["mode"] == "apply" {
			thin(q, "apply").Do(0, r.Args("apply", "staging")...)
		}
		thin(q, "report").Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
		if end := triggered.Wait(); end.Exit != 0 {
			t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
		}
	}
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": VariablesYML})
	play(run)
	play(w.Pushed("main", Must(w.Customer.MergePull(number, "merge", "casey"))(t)))
	wantOneComment(w, "**Applied: 2 added**")
}

// TestMissingPermissionIsNamed takes away one permission after the other.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	table := DocumentedPermissions(t)
	w := New(t, nil)
	run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": VariablesYML})
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
	if end := triggered.Wait(); end.Exit != 0 {
		t.Errorf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
	}
	for _, name := range []string{"pull_requests", "statuses"} {
		without("report", name, "--customer", fetched.Outputs["customer"], "--request", fetched.Outputs["request-id"])
	}
}
