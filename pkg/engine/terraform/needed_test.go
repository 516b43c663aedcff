package terraform

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const neededVariables = "environments:\n  staging: {}\n"

// withStacks makes the job one of the stack hosts, which needs network.
func withStacks(job pipeline.Job, needed ...pipeline.OutputValue) pipeline.Job {
	tool := job.Customer.Manager.Tool
	job.Customer.Manager.Stacks = []pipeline.StackRule{{Name: "network", Root: "network", Tool: tool}, {Name: "hosts", Root: "hosts", Tool: tool, Needs: []pipeline.StackName{"network"}}}
	job.Stack, job.Needed = "hosts", []pipeline.NeededOutputs{{Stack: "network", Values: needed}}
	return job
}

func known(name, value string, sensitive bool) pipeline.OutputValue {
	return pipeline.OutputValue{Name: name, Value: json.RawMessage(value), Sensitive: sensitive}
}

// TestOutputsThatAreNull: an output without a value is known, and null.
func TestOutputsThatAreNull(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "output \"none\" { value = null }\noutput \"some\" { value = 1 }\n"})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		outputs, err := engine.PlannedOutputs(job, planned)
		if err != nil || len(outputs) != 2 || string(outputs[0].Value) != "null" || outputs[1].Known() {
			t.Errorf("%+v: %v", outputs, err)
		}
	})
}

// TestPlannedOutputsThatCannotBePassed: the error names the root.
func TestPlannedOutputsThatCannotBePassed(t *testing.T) {
	t.Parallel()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": ""})
	file := filepath.Join(t.TempDir(), "plan.json")
	planned := pipeline.Planned{Artifacts: pipeline.Artifacts{artifactJSON: file}}
	terraformtest.WriteFile(t, file, `{"format_version": "1.2", "output_changes": {"big": {"actions": ["no-op"], "after": "`+strings.Repeat("x", 2<<20)+`", "after_unknown": false}}}`)
	var failed *pipeline.FailedError
	if _, err := New(Options{}).PlannedOutputs(job, planned); !errors.As(err, &failed) || !strings.Contains(failed.Message, "cannot be passed to the stacks that need them") || failed.Operator != "put out less in terraform" {
		t.Errorf("%v", err)
	}
	for _, damaged := range []string{"", "{", `{"output_changes": {"id": {"actions": []}}}`, `{"output_changes": {"id": 1}}`} {
		terraformtest.WriteFile(t, file, damaged)
		if outputs, err := New(Options{}).PlannedOutputs(job, planned); err == nil {
			t.Errorf("%s: %+v", damaged, outputs)
		}
	}
}

// TestNeededOutputsReachTheRoot: the outputs are one variable, what is sensitive stays
// hidden however short it is, and what a customer writes takes no part in it.
func TestNeededOutputsReachTheRoot(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := withStacks(terraformtest.NewJob(t, tool, "network:\n  id: from-the-customer\nenvironments:\n  staging: {}\n", map[string]string{
			"hosts/main.tf": `variable "network" {
  type = object({ id = string, token = string, pin = number, list = list(string) })
}
resource "terraform_data" "id" { input = "host-in-${nonsensitive(var.network.id)}" }
resource "terraform_data" "token" { input = sha256(var.network.token) }
resource "terraform_data" "pin" { input = var.network.pin }
`}), known("id", `"net-1"`, false), known("list", `["a"]`, false), known("pin", `42`, true), known("token", `"abc"`, true))
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		shown, err := json.Marshal(planned.Plan)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"abc", "42", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "from-the-customer"} {
			if strings.Contains(string(shown), secret) || strings.Contains(job.Log.(*terraformtest.LogBuffer).String(), secret) {
				t.Errorf("%s is shown:\n%s\n%s", secret, shown, job.Log)
			}
		}
		if planned.Plan.Counts.Create != 3 {
			t.Errorf("%+v", planned.Plan)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		state, err := os.ReadFile(job.Backend.Path())
		if err != nil || !strings.Contains(string(state), "host-in-net-1") || !strings.Contains(string(state), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") {
			t.Errorf("%v\n%s", err, state)
		}
	})
}

// TestOutputsWithoutSecretsAreShown: a root that refers to no sensitive output shows the
// others, and no override is written.
func TestOutputsWithoutSecretsAreShown(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := withStacks(terraformtest.NewJob(t, tool, neededVariables, map[string]string{
			"hosts/main.tf": "variable \"network\" {}\nresource \"terraform_data\" \"id\" { input = [var.network.id, \"hush-hush\"] }\noutput \"id\" { value = var.network.id }\n",
		}), known("id", `"net-1"`, false), known("token", `"hush-hush"`, true))
		planned, err := testEngine(t, tool).Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		shown, err := json.Marshal(planned.Plan)
		if err != nil || !strings.Contains(string(shown), "net-1") || strings.Contains(string(shown), "hush-hush") {
			t.Errorf("%v: %s", err, shown)
		}
		if _, err := os.Stat(filepath.Join(job.Dir, "workspace", "tree", "hosts", module.NeededOverride)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the override: %v", err)
		}
	})
}

// TestDeferredRoot: a root that refers to what is not known is not planned, and each place is
// named. No process of the tool plans anything.
func TestDeferredRoot(t *testing.T) {
	t.Parallel()
	root := map[string]string{"hosts/main.tf": `variable "network" {
  type = object({ id = string, cidr = string })
}
resource "terraform_data" "a" { input = var.network.id }
resource "terraform_data" "b" {
  input = "${var.network["id"]}-${var.network.cidr}"
}
`}
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		deferredBy := func(needed pipeline.NeededOutputs) *pipeline.DeferredError {
			t.Helper()
			job := withStacks(terraformtest.NewJob(t, tool, neededVariables, root))
			job.Needed = []pipeline.NeededOutputs{needed}
			_, err := engine.Plan(t.Context(), job)
			var deferred *pipeline.DeferredError
			if err != nil && !errors.As(err, &deferred) {
				t.Fatalf("%v\n%s", err, job.Log)
			}
			if _, err := os.Stat(filepath.Join(job.Dir, "plan.tfplan")); (err == nil) != (deferred == nil) {
				t.Errorf("a plan: %v, and %v", err, deferred)
			}
			return deferred
		}
		open := deferredBy(pipeline.NeededOutputs{Stack: "network", Values: []pipeline.OutputValue{known("cidr", `"10.0.0.0/16"`, false), {Name: "id"}}})
		if open == nil || len(open.Waits) != 2 || open.Waits[0].Where != (pipeline.Position{File: "hosts/main.tf", Line: 4}) ||
			open.Waits[0].Summary != "input of terraform_data.a depends on the output id of network that is not known yet" || !strings.HasSuffix(open.Message, "not known yet (+1 more)") {
			t.Errorf("%+v", open)
		}
		if nothing := deferredBy(pipeline.NeededOutputs{Stack: "network", Unknown: "network was never applied"}); nothing == nil || len(nothing.Waits) != 3 || !strings.Contains(nothing.Message, "network was never applied") {
			t.Errorf("%+v", nothing)
		}
		if unused := deferredBy(pipeline.NeededOutputs{Stack: "network", Values: []pipeline.OutputValue{known("cidr", `"10.0.0.0/16"`, false), known("id", `"i"`, false), {Name: "unused"}}}); unused != nil {
			t.Errorf("an output that the root does not refer to: %+v", unused)
		}
	})
}

// TestUndeclaredNeed: the error names the root and the stack.
func TestUndeclaredNeed(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := withStacks(terraformtest.NewJob(t, tool, neededVariables, map[string]string{"hosts/main.tf": "variable \"netwerk\" {}\n"}), known("id", `1`, false))
		for what, plan := range map[string]func() error{
			"an engine": func() error { _, err := testEngine(t, tool).Plan(t.Context(), job); return err },
			"a fleet": func() error {
				_, err := testEngine(t, tool).NewFleet(t.TempDir()).Plan(t.Context(), job)
				return err
			},
		} {
			var failed *pipeline.FailedError
			if err := plan(); !errors.As(err, &failed) || !strings.Contains(failed.Message, `the stack hosts needs network, and its root hosts declares no variable "network"`) || failed.Next == "" || failed.Operator == "" {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestFleetNeeds: a fleet plans with the outputs too, and each target with its own.
func TestFleetNeeds(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		fleet := testEngine(t, tool).NewFleet(t.TempDir())
		job := withStacks(terraformtest.NewJob(t, tool, neededVariables, map[string]string{
			"hosts/main.tf": "variable \"network\" {}\nresource \"terraform_data\" \"id\" { input = var.network.id }\n"}))
		for _, c := range []struct {
			value  string
			secret bool
		}{{"net-one", false}, {"net-two", true}, {"net-three", false}} {
			job.Dir = filepath.Join(t.TempDir(), "run")
			job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{known("id", `"`+c.value+`"`, c.secret)}}}
			planned, err := fleet.Plan(t.Context(), job)
			if err != nil {
				t.Fatalf("%s: %v", c.value, err)
			}
			shown, err := json.Marshal(planned.Plan)
			if err != nil || strings.Contains(string(shown), c.value) == c.secret {
				t.Errorf("%s: %s (%v)", c.value, shown, err)
			}
		}
	})
}
