package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestToolSeesAllowedOnly looks into the environment of a real run.
func TestToolSeesAllowedOnly(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		engine := testEngine(t, recorded, func(o *Options) {
			o.Environ = append(o.Environ, "GITHUB_TOKEN=secret", "TF_VAR_name=other", "TF_CLI_ARGS=-destroy", "AWS_REGION=eu")
		})
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		if _, err := engine.Plan(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		environ, err := os.ReadFile(filepath.Join(r.Dir, "environ"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(environ), "\n") {
			name, _, _ := strings.Cut(line, "=")
			switch name {
			case "PATH", "HOME", "AWS_REGION", "TF_IN_AUTOMATION", "TF_INPUT", "TF_DATA_DIR", "CHECKPOINT_DISABLE", "PWD":
			default:
				t.Errorf("the tool sees %s", line)
			}
		}
	})
}
