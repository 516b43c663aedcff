package act

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// monorepoFiles are a manager with three environments of its own, whose chain of jobs
// metapipe has written, and with two customers in one repository.
func monorepoFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{
		"metapipe.yml": `
environments:
  - {name: dev, branches: [main]}
  - {name: qa-eu-west, branches: [main]}
  - {name: production, branches: [main], gated: true}
limits: {lock_timeout: 0s}
`,
		"customers/shop.yml": "repository: acme/shop\nrepository_id: 4711\npath: services/shop\n",
		"customers/blog.yml": "repository: acme/shop\nrepository_id: 4711\npath: services/blog\n",
	}
	dir := t.TempDir()
	fixture.Check(t, os.CopyFS(filepath.Join(dir, ".github", "workflows"), os.DirFS(filepath.Join(fixture.Root(t), "workflows", "manager"))))
	fixture.Check(t, os.MkdirAll(filepath.Join(dir, "terraform"), 0o700))
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "metapipe.yml"), []byte(files["metapipe.yml"]), 0o600))
	fixture.RunIn(t, dir, "metapipe", "validate", "--write-workflows")
	files[fixture.ManagerWorkflow] = string(fixture.Must(os.ReadFile(filepath.Join(dir, filepath.FromSlash(fixture.ManagerWorkflow))))(t))
	return files
}

var blogLine = regexp.MustCompile("(?m)^```yaml\n( +run: exec metapipe trigger --customer blog .*\n)```$")

// monorepoWorkflow is the customer's workflow with a job for each customer, by the
// line of docs/PATTERNS.md.
func monorepoWorkflow(t *testing.T) string {
	t.Helper()
	match := blogLine.FindStringSubmatch(string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "PATTERNS.md")))(t)))
	head, job, ok := strings.Cut(workflowsOf(t, "customer", false)[intake.TriggerWorkflow], "  infrastructure:\n")
	if match == nil || !ok {
		t.Fatal("docs/PATTERNS.md does not show how a customer among several is triggered, or the workflow has no job infrastructure")
	}
	job, _, ok = strings.Cut(job, "        run: exec metapipe trigger")
	if !ok {
		t.Fatal("the customer's workflow does not call trigger last")
	}
	job += match[1]
	return head + "  blog:\n" + job + "  shop:\n" + strings.ReplaceAll(job, "blog", "shop")
}

// monorepoInAct changes one of two customers in one repository. Both sides use GitHub
// Apps, and no personal token.
func monorepoInAct(t *testing.T, w *actSetup) {
	carrier := w.app("carrier", "provider", fixture.CustomerSlug, fixture.Permissions("actions contents", "statuses pull_requests deployments"))
	sender := w.app("sender", "acme", fixture.ManagerSlug, fixture.Permissions("", "contents"))
	w.amend = func(run fixture.WorkflowRun, s settings) {
		a := sender
		if run.Repo == w.Manager {
			a = carrier
		}
		delete(s.secrets, "SOURCE_REPOS_PAT")
		delete(s.secrets, "MANAGER_REPO_PAT")
		s.secrets["METAPIPE_APP_PRIVATE_KEY"], s.vars["METAPIPE_APP_ID"] = a.key, a.id
	}
	w.Commit(w.Customer, "main", map[string]string{intake.TriggerWorkflow: monorepoWorkflow(t), "services/shop/variables.yml": fixture.VariablesYML})
	run := w.Push("main", map[string]string{"services/blog/variables.yml": "name: blog\nenvironments:\n  dev: {}\n  qa-eu-west: {}\n  production: {}\n"})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan dev", "report", "report --applying", "apply dev", "report", "plan qa-eu-west", "report", "report --applying", "apply qa-eu-west", "report",
		"plan production", "report", "report --applying", "apply production", "report")
	w.WantStatus(run.SHA, "infra/terraform-deploy/shop", "success: Nothing to do")
	w.WantStatus(run.SHA, "infra/terraform-deploy/blog", "success: Applied")
	for _, env := range []string{"dev", "qa-eu-west", "production"} {
		w.WantStatus(run.SHA, "infra/terraform-deploy/blog/"+env, "success: Applied")
		if !strings.Contains(w.State("blog/"+env), "blog in "+env) || w.State("shop/"+env) != "" {
			t.Errorf("not the blog alone was applied to %s", env)
		}
	}
	w.wantDeployments(run.SHA, "infra/blog/dev success", "infra/blog/production success", "infra/blog/qa-eu-west success")
	w.WantNothingPending()
	if want := "Request by sender[bot]"; j.run.Title != want {
		t.Errorf("the run is called %q, want %q", j.run.Title, want)
	}
	if len(j.run.Reviews) != 1 {
		t.Errorf("reviews: %+v", j.run.Reviews)
	}
}

// appKey is what a repository is told of an App.
type appKey struct{ id, key string }

// app makes an App that is installed on one repository.
func (w *actSetup) app(name, owner, on string, may map[string]string) appKey {
	w.T.Helper()
	id, key, err := w.Hub.AddApp(hub.GitHubApp{Slug: name, Owner: owner, Repositories: []string{on}, Permissions: may})
	fixture.Check(w.T, err)
	return appKey{strconv.FormatInt(id, 10), string(key)}
}
