package terraform

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// failingRoot fails with a sensitive value in the error of the tool.
const failingRoot = `
variable "db_password" {
  sensitive = true
  default   = "open-sesame-1"
}
resource "terraform_data" "bad" {
  input = var.db_password
  provisioner "local-exec" {
    command = "echo ${nonsensitive(var.db_password)} >&2; exit 1"
  }
}
`

const outputsRoot = `
resource "terraform_data" "n" { input = "net-1" }
output "id" { value = terraform_data.n.output }
output "cidrs" { value = toset(["10.0.0.0/16"]) }
output "token" {
  value     = "s3-hidden"
  sensitive = true
}
`

// TestConformance holds what each engine must do; see enginetest.
func TestConformance(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		bench := func(root string) func(*testing.T) enginetest.Bench {
			return func(t *testing.T) enginetest.Bench {
				b, _ := newBench(t, tool, root)
				return b
			}
		}
		enginetest.Run(t, enginetest.Subject{
			New: bench(demoRoot),
			Differ: func(t *testing.T, b *enginetest.Bench) {
				terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "terraform", "more.tf"), "resource \"terraform_data\" \"more\" {}\n")
			},
			Changes: changesAtApply(),
			Outputs: func(t *testing.T) (enginetest.Bench, []pipeline.OutputValue) {
				b, _ := newBench(t, tool, outputsRoot)
				return b, []pipeline.OutputValue{known("cidrs", `["10.0.0.0/16"]`, false), known("id", `"net-1"`, false), known("token", `"s3-hidden"`, true)}
			},
			Secret:  bench(leakyRoot),
			Failing: bench(failingRoot),
			Marked:  "open-sesame",
			Slow: func(t *testing.T) (enginetest.Bench, func() bool, func(*testing.T)) {
				started, finish := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "finish")
				b, r := newBench(t, tool, slowRoot(started, finish))
				return b, func() bool { return isFile(started) }, func(t *testing.T) {
					r.Kill(t)
					terraformtest.WriteFile(t, finish, "") // what the tool had started ends, too
				}
			},
			Victim: func(t *testing.T) (enginetest.Bench, *exec.Cmd, func() bool, func(*testing.T)) {
				started, finish := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "finish")
				b, _ := newBench(t, tool, slowRoot(started, finish))
				return b, victimOf(t, tool, b.Job), func() bool { return isFile(started) }, func(t *testing.T) { terraformtest.WriteFile(t, finish, "") }
			},
			Unwritable: func(t *testing.T) (enginetest.Bench, func(*testing.T)) {
				b, _ := newBench(t, tool, "resource \"terraform_data\" \"a\" {}\n")
				planned, err := b.Engine.Plan(t.Context(), b.Job)
				if err == nil {
					_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
				}
				// A directory in the place of the backup keeps the tool from writing.
				backup := b.Job.Backend.Path() + ".backup"
				if err := errors.Join(err, os.MkdirAll(filepath.Join(backup, "x"), 0o700)); err != nil {
					t.Fatal(err)
				}
				terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "terraform", "more.tf"), "resource \"terraform_data\" \"b\" {}\n")
				return b, func(t *testing.T) {
					if err := os.RemoveAll(backup); err != nil {
						t.Fatal(err)
					}
				}
			},
		})
	})
}

func newBench(t *testing.T, tool terraformtest.Tool, root string) (enginetest.Bench, enginetest.Recorder) {
	t.Helper()
	r, recorded := newRecorder(t, tool)
	job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": root})
	state := func(t *testing.T) string {
		t.Helper()
		b, err := os.ReadFile(job.Backend.Path())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(b)
	}
	return enginetest.Bench{Engine: testEngine(t, recorded), Job: job, State: state, Calls: r.Calls, Forget: r.Forget}, r
}

// changesAtApply are refused before the tool runs, but for modules, which only init fetches.
func changesAtApply() map[string]enginetest.Change {
	evidence := func(name, value string, want pipeline.Reason) enginetest.Change {
		return enginetest.Change{Want: want, Make: func(_ *testing.T, _ *enginetest.Bench, plan *pipeline.StoredPlan) {
			plan.Receipt.Evidence[name] = value
		}}
	}
	modules := evidence(evidenceModules, strings.Repeat("0", 64), pipeline.ReasonStaleManager)
	modules.Late = true
	return map[string]enginetest.Change{
		"manager": {Want: pipeline.ReasonStaleManager, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "modules", "new.tf"), "")
		}},
		"lock file":    evidence(evidenceLockFile, strings.Repeat("0", 64), pipeline.ReasonTampered),
		"modules":      modules,
		"tool version": evidence("tool_version", "0.1.2", pipeline.ReasonOtherTool),
		"tool name":    evidence("tool", "other", pipeline.ReasonOtherTool),
		"state": {Want: pipeline.ReasonStaleState, Make: func(t *testing.T, b *enginetest.Bench, _ *pipeline.StoredPlan) {
			terraformtest.WriteFile(t, b.Job.Backend.Path(), `{"version": 4, "serial": 7, "lineage": "abc"}`)
		}},
	}
}
