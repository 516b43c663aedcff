package terraform

import (
	"errors"
	"os"
	"strings"
	"testing"

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
	withTools(t, func(t *testing.T, tool realTool) {
		engine := testEngine(t, tool)
		job := testJob(t, tool, defaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if got := planned.Plan.Counts; got != (pipeline.Counts{Create: 3}) {
			t.Errorf("counts %+v", got)
		}
		if planned.State != (pipeline.StateVersion{}) || planned.Fingerprint == "" || planned.Tool.Name != tool.name {
			t.Errorf("planned %+v", planned)
		}
		applied, err := engine.Apply(t.Context(), job, stored(planned))
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
		if log := job.Log.(*testLog).String(); strings.Contains(log, "very secret") || !strings.Contains(log, "Creation complete") {
			t.Errorf("log:\n%s", log)
		}

		// The same plan again does not fit the state any more.
		var refused *pipeline.RefusedError
		if _, err := engine.Apply(t.Context(), job, stored(planned)); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState {
			t.Errorf("second apply: %v", err)
		}
		again, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if again.Plan.HasChanges() || again.State.Serial == 0 || again.State.Lineage == "" {
			t.Errorf("second plan %+v", again)
		}
		if _, err := os.Stat(job.StateFile); err != nil {
			t.Error(err)
		}
	})
}
