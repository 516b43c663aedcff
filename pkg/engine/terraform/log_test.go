package terraform

import (
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestLogKnowsWhatThePlanMarks: while the tool runs, no one knows a value that
// only the module's own code marks; the log must not be quicker than the plan.
func TestLogKnowsWhatThePlanMarks(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": `
locals { password = sensitive("open-sesame-99") }
resource "terraform_data" "door" { input = local.password }
check "length" {
  assert {
    condition     = length(nonsensitive(local.password)) > 40
    error_message = "the password ${nonsensitive(local.password)} is too short"
  }
}
`})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if d := planned.Plan.Diagnostics; len(d) != 1 || strings.Contains(d[0].Summary+d[0].Detail+d[0].Code, "sesame") {
			t.Errorf("diagnostics %+v", d)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		log := job.Log.(*terraformtest.LogBuffer).String()
		if strings.Contains(log, "sesame") || strings.Count(log, "the password (sensitive value) is too short") < 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// TestEnvironmentSecretsAreRedacted: what a provider was told through its
// environment is hidden wherever it comes back.
func TestEnvironmentSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool, func(o *Options) { o.Secrets = func() []string { return []string{"dd-4711-secret", "abc", ""} } })
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": `
resource "terraform_data" "a" { input = "key=dd-4711-secret abc" }
output "url" { value = "https://x/?k=${terraform_data.a.output}" }
check "never" {
  assert {
    condition     = terraform_data.a.input == "x"
    error_message = "base64 ${base64encode("u:dd-4711-secret")} of abc"
  }
}
`})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		a := planned.Plan.Changes[0].Attributes
		if !slices.ContainsFunc(a, func(a pipeline.AttributeChange) bool { return a.After.Text == `"key=(sensitive value) abc"` }) {
			t.Errorf("attributes %+v", a)
		}
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if len(applied.Outputs) != 1 || applied.Outputs[0].Value != `"https://x/?k=key=(sensitive value) abc"` {
			t.Errorf("outputs %+v", applied.Outputs)
		}
		log := job.Log.(*terraformtest.LogBuffer).String()
		if strings.Contains(log, "4711") || strings.Contains(log, "ZGQtNDcx") || !strings.Contains(log, "of abc") {
			t.Errorf("log:\n%s", log)
		}
	})
}
