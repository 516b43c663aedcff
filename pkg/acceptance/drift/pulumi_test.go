package drift

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const pageProject = `name: web
runtime: yaml
config:
  name: {type: string}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: DIR/page, content: "${name}"}
outputs:
  page: ${page.id}
  token: {"fn::secret": "open-sesame ${name}"}
`

const copyProject = `name: copy
runtime: yaml
config:
  web: {type: object}
resources:
  copy:
    type: metapipetest:index:File
    properties: {path: DIR/copy, content: "${web.page}", secret: "${web.token}"}
`

// TestProgramDrifts plays two stacks of Pulumi, one of which needs the other: from the pull
// request to the apply, the outputs between them, and drift, which is found without changing
// anything.
func TestProgramDrifts(t *testing.T) {
	t.Parallel()
	_, path := pulumitest.Tool(t)
	dir := t.TempDir()
	w := fixture.New(t, map[string]string{
		"metapipe.yml":     "environments: [{name: staging, branches: [main]}]\nstacks:\n  - {name: web, root: web, tool: pulumi}\n  - {name: copy, root: copy, tool: pulumi, needs: [web]}\n",
		"web/Pulumi.yaml":  strings.ReplaceAll(pageProject, "DIR", dir),
		"copy/Pulumi.yaml": strings.ReplaceAll(copyProject, "DIR", dir),
	})
	w.Setenv("PATH=" + path)
	variables := func(name string) map[string]string {
		return map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}
	}
	pull, _ := w.Pull(w.Customer, "first", variables("shop"))
	looked := w.Accept(pull)
	looked.Do(0, "plan", "staging/web").Want(t, "outcome=planned")
	looked.Do(0, "plan", "staging/copy").Want(t, "outcome=deferred")
	looked.Report("--final")
	for _, want := range []string{"metapipetest:index:File::page", "does at most what this plan shows", "shop"} {
		if comments := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t)); !strings.Contains(comments, want) {
			t.Errorf("the pull request does not say %q", want)
		}
	}
	r := w.Accept(w.Push("main", variables("shop")))
	for _, target := range []string{"staging/web", "staging/copy"} {
		planned := r.Planned(target)
		r.Do(0, "apply", target, "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
	}
	r.Report("--final").Want(t, "outcome=success")
	page := filepath.Join(dir, "page")
	if got := fixture.ReadOptional(t, filepath.Join(dir, "copy")); got != page+"\nopen-sesame shop" {
		t.Errorf("the second stack has written %q", got)
	}
	look := func(exit int) map[string][]pipeline.DriftKind {
		t.Helper()
		kinds := map[string][]pipeline.DriftKind{}
		for _, result := range fixture.ScanOf(t, w.DriftJob().Do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")).Results {
			kinds[string(result.Stack)] = result.Kinds
		}
		return kinds
	}
	if kinds := look(0); len(kinds) != 2 || len(kinds["web"])+len(kinds["copy"]) > 0 {
		t.Errorf("after the apply: %v", kinds)
	}
	fixture.Check(t, os.WriteFile(page, []byte("someone else\n"), 0o600))
	if kinds := look(6); len(kinds["web"]) != 1 || kinds["web"][0] != pipeline.DriftReal || len(kinds["copy"]) > 0 {
		t.Errorf("after an edit: %v", kinds)
	}
	if got := fixture.ReadOptional(t, page); got != "someone else\n" {
		t.Errorf("the scan has changed the file: %q", got)
	}
	issues := w.Customer.Snapshot().Issues
	if len(issues) != 1 || !strings.Contains(issues[0].Body, "metapipetest:index:File::page") {
		t.Errorf("the issues are %+v", issues)
	}
	listed := w.DriftJob().Do(0, "state", "list", "--json")
	for _, want := range []string{`"resources": 1`, "/shop/staging.web/pulumi", "organization/web/shop.staging@"} {
		if !strings.Contains(listed.Log, want) {
			t.Errorf("state list does not say %q:\n%s", want, listed.Log)
		}
	}
	for _, printed := range append(w.Printed(), string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t))) {
		if strings.Contains(printed, "open-sesame") {
			t.Errorf("a secret was shown:\n%s", printed)
		}
	}
}
