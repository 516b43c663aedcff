package docs

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestSetupStatusOfDocs adds the job of docs/CUSTOM-PROPERTIES.md to the shipped workflow,
// which must stay a valid one, and runs its script: nothing but ready passes.
func TestSetupStatusOfDocs(t *testing.T) {
	t.Parallel()
	page := string(fixture.Must(os.ReadFile(filepath.Join(fixture.RepoRoot, "docs", "CUSTOM-PROPERTIES.md")))(t))
	_, rest, _ := strings.Cut(page, "```yaml\n  infrastructure-setup-status:\n")
	job, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("docs/CUSTOM-PROPERTIES.md has no job infrastructure-setup-status")
	}
	shipped := filepath.Join(fixture.RepoRoot, "workflows", "customer", "trigger-infra.yml")
	workflow := string(fixture.Must(os.ReadFile(shipped))(t)) + "\n  infrastructure-setup-status:\n" + job
	project := fixture.Must(actionlint.NewProject(filepath.Join(fixture.RepoRoot, "examples", "customer")))(t)
	linter := fixture.Must(actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{IgnorePatterns: lintIgnores}))(t)
	for _, f := range fixture.Must(linter.Lint(shipped, []byte(workflow), project))(t) {
		t.Errorf("%d:%d: %s [%s]", f.Line, f.Column, f.Message, f.Kind)
	}
	var parsed struct {
		Jobs map[string]struct {
			If    string
			Steps []struct {
				Env map[string]string
				Run string
			}
		}
	}
	fixture.Check(t, yaml.Unmarshal([]byte(workflow), &parsed))
	status := parsed.Jobs["infrastructure-setup-status"]
	if status.If != "always()" || len(status.Steps) != 1 {
		t.Fatalf("%+v", status)
	}
	step := status.Steps[0]
	if step.Env["READY"] != "${{ needs.infrastructure.outputs.ready }}" {
		t.Errorf("env %v", step.Env)
	}
	for ready, passes := range map[string]bool{"true": true, "false": false, "": false, "true false": false, "-o x": false, "TRUE": false} {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run)
		cmd.Env = append(os.Environ(), "READY="+ready, `SETUP={"staging/network":"ready"}`)
		out, err := cmd.CombinedOutput()
		if (err == nil) != passes || !strings.Contains(string(out), `setup: {"staging/network":"ready"}`) {
			t.Errorf("ready %q: %v\n%s", ready, err, out)
		}
	}
}
