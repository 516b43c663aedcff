package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const demoRoot = `
variable "environment" { type = string }
variable "source_repo" { type = string }
variable "name" { type = string }
variable "region" { type = string }
variable "untouched" { default = "x" }

terraform {
  backend "s3" {}
}

locals {
  config     = yamldecode(file("${path.module}/source-variables.yml"))
  env_config = local.config.environments[var.environment]
}

resource "terraform_data" "one" {
  input = "${local.config.name}-${local.env_config.region}-${var.region}-${var.source_repo}"
}

resource "terraform_data" "two" {
  count = local.env_config.max_instances
  input = terraform_data.one.output
}

output "one" { value = terraform_data.one.output }
output "hidden" {
  value     = "very secret"
  sensitive = true
}
`

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if got := planned.Plan.Counts; got != (pipeline.Counts{Create: 3}) {
			t.Errorf("counts %+v", got)
		}
		if planned.Found().StateVersion != (pipeline.StateVersion{}) || planned.Fingerprint == "" || planned.Evidence.Tool().Name != tool.Name {
			t.Errorf("planned %+v", planned)
		}
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if len(applied.Done) != 3 || !applied.Started {
			t.Errorf("applied %+v", applied)
		}
		want := []pipeline.Output{{Name: "hidden", Sensitive: true}, {Name: "one", Value: `"demo-eu-staging-eu-staging-acme/shop"`}}
		if len(applied.Outputs) != 2 || applied.Outputs[0] != want[0] || applied.Outputs[1] != want[1] {
			t.Errorf("outputs %+v", applied.Outputs)
		}
		if log := job.Log.(*terraformtest.LogBuffer).String(); strings.Contains(log, "very secret") || !strings.Contains(log, "Creation complete") {
			t.Errorf("log:\n%s", log)
		}

		// The same plan again does not fit the state any more.
		var refused *pipeline.RefusedError
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState {
			t.Errorf("second apply: %v", err)
		}
		again, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if again.Plan.HasChanges() || again.Evidence.State().Serial == 0 || again.Evidence.State().Lineage == "" {
			t.Errorf("second plan %+v", again)
		}
		if _, err := os.Stat(job.Backend.Path()); err != nil {
			t.Error(err)
		}
	})
}

// TestCustomerTextIsData feeds what would be code if anything evaluated it.
func TestCustomerTextIsData(t *testing.T) {
	t.Parallel()
	evil := "${file(\"/etc/passwd\")} %{ if true }x%{ endif } $(id) ' \\\" ::error::x"
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, "name: '"+strings.ReplaceAll(evil, "'", "''")+"'\nenvironments:\n  staging: {}\n", map[string]string{
			"terraform/main.tf": `
variable "name" {}
variable "config" {}
output "typed" { value = var.name }
output "whole" { value = var.config.name }
output "file" { value = yamldecode(file("source-variables.yml")).name }
`,
			"terraform/.terraform.lock.hcl": "# kept by the manager\n",
		})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if planned.Evidence[evidenceLockFile] == "" {
			t.Error("no digest of the lock file")
		}
		// Another run directory, as on another machine.
		job.Dir = filepath.Join(t.TempDir(), "elsewhere")
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if len(applied.Outputs) != 3 || applied.Started != true {
			t.Fatalf("%+v", applied)
		}
		for _, o := range applied.Outputs {
			var got string
			if err := json.Unmarshal([]byte(o.Value), &got); err != nil || got != evil {
				t.Errorf("%s is %s", o.Name, o.Value)
			}
		}
	})
}

// TestReadOnlyPlan takes no lock, and leaves nothing where the state lies.
func TestReadOnlyPlan(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		engine := testEngine(t, recorded)
		unlocked := func() bool {
			b, err := os.ReadFile(filepath.Join(r.Dir, "calls"))
			if err != nil || !strings.Contains(string(b), "call plan ") {
				t.Fatalf("no plan: %v\n%s", err, b)
			}
			r.Forget(t)
			return strings.Contains(string(b), "-lock=false")
		}
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		if _, err := engine.PlanReadOnly(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if !unlocked() {
			t.Error("it takes a lock")
		}
		if _, err := os.Stat(filepath.Dir(job.Backend.Path())); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory of the state: %v", err)
		}
		job.Backend = pipeline.Backend{}
		planned, err := engine.Plan(t.Context(), job)
		if err != nil || planned.Plan.Counts.Create != 3 {
			t.Errorf("with a scratch state: %+v %v", planned.Plan.Counts, err)
		}
		if unlocked() {
			t.Error("a plan that may be applied takes no lock")
		}
	})
}

// TestManyTargetsAtOnce makes sure that no run sees anything of another.
func TestManyTargetsAtOnce(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		first := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		var group sync.WaitGroup
		for i := range 6 {
			job := first
			name := fmt.Sprintf("tenant-%d", i)
			job.Customer.Name = pipeline.CustomerName(name)
			job.Variables = terraformtest.ParseDocument(t, strings.Replace(terraformtest.DefaultVariables, "name: demo", "name: "+name, 1))
			job.Dir, job.Backend = filepath.Join(t.TempDir(), name), terraformtest.LocalBackend(filepath.Join(t.TempDir(), "s", "tfstate"))
			job.Log = &terraformtest.LogBuffer{}
			group.Go(func() {
				planned, err := engine.Plan(t.Context(), job)
				if err != nil {
					t.Error(err)
					return
				}
				applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
				if err != nil || len(applied.Outputs) != 2 || !strings.HasPrefix(applied.Outputs[1].Value, `"`+name+"-") {
					t.Errorf("%s: %+v %v", name, applied, err)
				}
			})
		}
		group.Wait()
	})
}
