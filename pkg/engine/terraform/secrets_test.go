package terraform

import (
	"os"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// leakyRoot gives secrets away: the manager declares what holds them harmless.
const leakyRoot = `
variable "db_password" {
  sensitive = true
  default   = "open-sesame-1"
}
variable "pin" {
  sensitive = true
  default   = 987654321
}
resource "terraform_data" "id" {}
resource "terraform_data" "generated" {
  input = sensitive("generated-${terraform_data.id.id}")
}
resource "terraform_data" "odd" {
  for_each = nonsensitive(toset(["key-${var.db_password}"]))
}
output "url" { value = nonsensitive("postgres://app:${var.db_password}@db/x") }
output "pin" { value = nonsensitive(var.pin) }
output "text" { value = nonsensitive("pin=${var.pin}") }
output "whole" { value = nonsensitive(var.db_password) }
output "later" { value = nonsensitive("x ${terraform_data.generated.input}") }
output "deep" { value = { a = ["b", nonsensitive("-${var.db_password}-")], n = 5 } }
output "fine" { value = "id ${terraform_data.id.id != ""}" }
output "hidden" {
  value     = var.db_password
  sensitive = true
}
`

func TestOutputsHoldNoSecret(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": leakyRoot})
		engine := testEngine(t, recorded)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		r.Forget(t)
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]pipeline.Output{}
		for _, o := range applied.Outputs {
			got[o.Name] = o
		}
		for name, want := range map[string]string{
			"url": `"postgres://app:(sensitive value)@db/x"`, "pin": "", "text": `"pin=(sensitive value)"`, "whole": "",
			"later": `"x (sensitive value)"`, "deep": `{"a":["b","-(sensitive value)-"],"n":5}`, "fine": `"id true"`, "hidden": "",
		} {
			if o := got[name]; o.Value != want || o.Sensitive != (want == "") {
				t.Errorf("%s: %+v, want %s", name, o, want)
			}
		}
		for _, d := range applied.Done {
			if strings.Contains(d.Address, "open-sesame") {
				t.Errorf("done: %+v", d)
			}
		}
		if got, _ := r.Calls(t); strings.Join(got, " ") != "init apply" {
			t.Errorf("processes %q", got)
		}
		if log := job.Log.(*terraformtest.LogBuffer).String(); strings.Contains(log, "open-sesame") {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestOutputsAreWithheldWhenThePlanIsUnreadable(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": leakyRoot})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		plan := terraformtest.Stored(planned)
		broken := []byte(`{"format_version":"1.2","resource_changes":[`)
		if err := os.WriteFile(plan.Artifacts[artifactJSON], broken, 0o600); err != nil {
			t.Fatal(err)
		}
		plan.Receipt.Artifacts[artifactJSON] = pipeline.Salt("").Sum(broken)
		applied, err := engine.Apply(t.Context(), job, plan)
		if err != nil || len(applied.Outputs) != 8 {
			t.Fatalf("%+v %v", applied, err)
		}
		for _, d := range applied.Done {
			if strings.Contains(d.Address, "open-sesame") {
				t.Errorf("done: %+v", d)
			}
		}
		for _, o := range applied.Outputs {
			if !o.Sensitive || o.Value != "" {
				t.Errorf("%+v", o)
			}
		}
	})
}

// What a log says while a plan is made: nothing of sensitive variables, and no
// path of the run directory.
func TestLogHoldsNoSecretAndNoPrivatePath(t *testing.T) {
	t.Parallel()
	const root = `
variable "db_password" { sensitive = true }
variable "other" {
  sensitive = true
  default   = { deep = ["default-secret"] }
}
variable "region" {
  validation {
    condition     = length(var.region) > 99
    error_message = "Too short."
  }
}
resource "terraform_data" "odd" {
  for_each = nonsensitive(toset(["${var.db_password}-neu", var.other.deep[0]]))
}
`
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for variables, region := range map[string]string{terraformtest.DefaultVariables + "db_password: hunter2secret\n": "99", "region: x\ndb_password: hunter2secret\n": "0"} {
			job := terraformtest.NewJob(t, tool, variables, map[string]string{"terraform/main.tf": strings.Replace(root, "99", region, 1)})
			planned, err := testEngine(t, tool).Plan(t.Context(), job)
			if (err != nil) != (region == "99") {
				t.Fatal(err)
			}
			log := job.Log.(*terraformtest.LogBuffer).String()
			if strings.Contains(log, "hunter2secret") || strings.Contains(log, "default-secret") || strings.Contains(log, job.Dir) {
				t.Errorf("log:\n%s", log)
			}
			if region == "0" && !strings.Contains(log, `terraform_data.odd["(sensitive value)-neu"]: Plan to create`) {
				t.Errorf("log:\n%s", log)
			}
			for _, d := range planned.Plan.Diagnostics {
				if strings.Contains(d.Summary+d.Detail, job.Dir) {
					t.Errorf("%+v", d)
				}
			}
		}
	})
}

func TestStreamSaysADiagnosticOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &output.Stream{Log: redact.NewLog(&log)}
	for range 2 {
		s.Line([]byte(`{"@message":"Error: execution halted","type":"diagnostic","diagnostic":{"severity":"error","summary":"execution halted"}}`))
	}
	if log.String() != "" || len(s.Diagnostics) != 1 { // it is told with what the plan marks
		t.Errorf("%q %v", log.String(), s.Diagnostics)
	}
}
