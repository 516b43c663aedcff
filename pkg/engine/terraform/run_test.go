package terraform

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestProseDiagnostics(t *testing.T) {
	t.Parallel()
	got := output.PlainTextDiagnostics("Initializing the backend...\n" +
		"\x1b[31m╷\x1b[0m\n\x1b[31m│\x1b[0m \x1b[1mWarning: \x1b[0mOld syntax\n│ \n│ Use the new one.\n╵\n" +
		"╷\n│ Error: Invalid block\n│ \n│   on main.tf line 7, in resource \"x\":\n│    7: resource {\n│    8:   token = file(\"x\")\n│ \n│ Say more.\n╵\n")
	if len(got) != 2 || got[0].Summary != "Old syntax" || output.IsError(got[0]) || got[0].Detail != "Use the new one." {
		t.Fatalf("%+v", got)
	}
	if got[1].Summary != "Invalid block" || got[1].Range == nil || got[1].Range.Filename != "main.tf" || got[1].Range.Start.Line != 7 {
		t.Errorf("%+v", got[1])
	}
	if got[1].Detail != "Say more." || got[1].Snippet == nil || !strings.Contains(got[1].Snippet.Code, "token") {
		t.Errorf("code and words are not apart: %+v", got[1])
	}
	if got := output.PlainTextDiagnostics("panic: oh no\n\ngoroutine 1"); len(got) != 1 || got[0].Summary != "panic: oh no" || !output.IsError(got[0]) {
		t.Errorf("%+v", got)
	}
	if got := output.PlainTextDiagnostics(" \n"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// connects is the beginning of a script for a tool. What it calls connected notes the
// backend as init does.
const connects = `#!/bin/sh
connected() {
  path=$(sed 's/.*"path":"\([^"]*\)".*/\1/' metapipe_backend_override.tf.json)
  printf '{"backend": {"type": "local", "config": {"path": "%s"}}}' "$path" > "$TF_DATA_DIR/terraform.tfstate"
}
`

// oldTool answers like versions whose init knows no JSON.
func oldTool(t *testing.T, script string) terraformtest.Tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "terraform")
	terraformtest.WriteFile(t, path, connects+"case \"$1\" in\nversion) echo '{\"terraform_version\": \"1.5.7\"}' ;;\n"+script+"esac\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return terraformtest.Tool{Name: "terraform", Path: path}
}

func TestInitOfOldVersions(t *testing.T) {
	t.Parallel()
	tool := oldTool(t, "init) case \"$*\" in *-json*) echo unknown flag; exit 9 ;; esac; echo 'Error: No such thing\n\n  on main.tf line 3, in x:' >&2; exit 1 ;;\n")
	job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "# empty\n"})
	planned, err := testEngine(t, tool).Plan(t.Context(), job)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || len(planned.Plan.Diagnostics) != 1 || planned.Plan.Diagnostics[0].Where.String() != "terraform/main.tf:3" {
		t.Errorf("%v %+v", err, planned.Plan.Diagnostics)
	}
	if !strings.Contains(err.Error(), "init of acme/staging failed: No such thing (terraform/main.tf:3)") {
		t.Error(err)
	}
}

func TestToolThatPicksAnotherVersion(t *testing.T) {
	t.Parallel()
	tool := oldTool(t, "init) connected; exit 0 ;;\nplan) echo '{\"type\":\"version\",\"terraform\":\"1.6.0\"}'; exit 0 ;;\n")
	job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "# empty\n"})
	_, err := testEngine(t, tool).Plan(t.Context(), job)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(usage.Message, "1.5.7") || !strings.Contains(usage.Message, "1.6.0") {
		t.Errorf("got %v", err)
	}
}

func TestToolThatSaysNothing(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"init":      "init) exit 3 ;;\n",
		"plan":      "init) connected; exit 0 ;;\nplan) exit 3 ;;\n",
		"no plan":   "init) connected; exit 0 ;;\nplan) exit 0 ;;\nshow) exit 3 ;;\n",
		"nonsense":  "init) connected; exit 0 ;;\nplan) echo '{{{'; exit 0 ;;\nshow) echo '{\"format_version\": \"7.0\"}' ;;\n",
		"no binary": "init) connected; rm -f \"$0\" ;;\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool := oldTool(t, script)
			job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "# empty\n"})
			if planned, err := testEngine(t, tool).Plan(t.Context(), job); err == nil || len(planned.Artifacts) > 0 {
				t.Errorf("%+v %v", planned, err)
			}
		})
	}
}

// TestEphemeralVariables are told to the apply again, since no plan keeps them.
func TestEphemeralVariables(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": `
variable "region" {
  type      = string
  ephemeral = true
}
variable "name" {}
resource "terraform_data" "a" { input = var.name }
`})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Errorf("%v\n%s", err, job.Log)
		}
	})
}
