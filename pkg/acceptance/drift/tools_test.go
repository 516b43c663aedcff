package drift

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// driftRoot has resources of three providers: files that someone else can reach, a
// random name that stays, one that only Terraform knows, and one that is never
// the same.
const driftRoot = `
terraform {
  required_providers {
    local  = { source = "hashicorp/local" }
    random = { source = "hashicorp/random" }
    null   = { source = "hashicorp/null" }
  }
}
variable "config" { type = any }
variable "environment" { type = string }
resource "random_id" "name" { byte_length = 4 }
resource "local_file" "one" {
  filename = "DIR/${var.environment}-one"
  content  = var.config.name
}
resource "local_file" "two" {
  filename = "DIR/${var.environment}-two"
  content  = random_id.name.hex
}
resource "null_resource" "done" { triggers = { name = random_id.name.hex } }
resource "terraform_data" "noise" { input = timestamp() }
`

const driftRules = `
environments: [{name: staging, branches: [main]}]
limits: {lock_timeout: 0s}
drift:
  ignore:
    - {address: terraform_data.noise, attribute: input, reason: "the time", owner: jo, until: "2999-12-31"}
    - {address: terraform_data.noise, attribute: output, reason: "the time", owner: jo, until: "2999-12-31"}
`

// toolPath is where a tool lies: in PATH, or where tests keep theirs.
func toolPath(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found := fixture.Must(filepath.Glob(filepath.Join(fixture.Must(os.UserCacheDir())(t), "metapipe", "tools", name+"-*", name)))(t)
	if len(found) == 0 {
		t.Skipf("no %s here: run `make tools`", name)
	}
	return found[len(found)-1]
}

// TestDriftWithEachTool finds what happened behind the tool's back, and calls it what
// it is.
func TestDriftWithEachTool(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"terraform", "tofu"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			config, dir := fixture.ProviderConfig(t, "local", "random", "null"), t.TempDir()
			w := fixture.New(t, map[string]string{"metapipe.yml": driftRules + "tool: {name: " + tool + "}\n", "terraform/main.tf": strings.ReplaceAll(driftRoot, "DIR", dir)})
			w.Setenv("TF_CLI_CONFIG_FILE="+config, "METAPIPE_TOOL="+toolPath(t, tool))
			r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
			r.Do(0, "apply", "staging", "--receipt", r.Planned("staging").Outputs["receipt"])
			r.Report("--final")
			state := w.State("shop/staging")

			found, _, _ := w.Scan(0)
			if !found.Clean() || len(found.Ignored) != 2 || string(found.Commit) != r.Trigger.SHA {
				t.Errorf("as it was applied: %+v", found)
			}
			fixture.Check(t, os.WriteFile(filepath.Join(dir, "staging-one"), []byte("meddled"), 0o600))
			fixture.Check(t, os.Remove(filepath.Join(dir, "staging-two")))
			found, _, _ = w.Scan(6)
			var addresses []string
			if found.Plan != nil {
				for _, d := range found.Plan.Drift {
					addresses = append(addresses, d.Address)
				}
			}
			if want := []string{"local_file.one", "local_file.two"}; !slices.Equal(addresses, want) || !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftReal}) {
				t.Errorf("%v: drift at %v, want %v", found.Kinds, addresses, want)
			}
			// All at once.
			w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "shop", "next", 1)})
			w.Commit(w.Manager, "main", map[string]string{"terraform/more.tf": `resource "null_resource" "more" {}`})
			found, _, _ = w.Scan(6)
			if want := []pipeline.DriftKind{pipeline.DriftReal, pipeline.DriftPending, pipeline.DriftManager}; !slices.Equal(found.Kinds, want) {
				t.Errorf("drift and two changes: %v %+v, want %v", found.Kinds, found.Failure, want)
			}
			if w.State("shop/staging") != state {
				t.Error("a scan wrote to the state")
			}
		})
	}
}
