package cloudformation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestPlan: a plan says what is added, changed, replaced, removed and kept, with the values of properties.
func TestPlan(t *testing.T) {
	t.Parallel()
	const first = `Parameters:
  Name: {Type: String}
Resources:
  Changed: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Name}}
  Replaced: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${Name}-bucket"}}
  Follows: {Type: AWS::SSM::Parameter, Properties: {Name: follows, Type: String, Value: !Ref Replaced}}
  Removed: {Type: AWS::SNS::Topic}
  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: Retain}
`
	second := strings.ReplaceAll(first, "  Removed: {Type: AWS::SNS::Topic}\n  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: Retain}\n", "  Added: {Type: AWS::SSM::Parameter, Properties: {Name: added, Type: String, Value: !GetAtt Replaced.Arn}}\n")
	b := newBench(t, first, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.with(t, second, changed)
	planned := b.plan(t)
	p := planned.Plan
	if p.Exactness != pipeline.ExactnessExact || p.Counts != (pipeline.Counts{Create: 1, Update: 2, Replace: 1, Delete: 1, Forget: 1}) {
		t.Errorf("planned %+v", p)
	}
	got := map[string]pipeline.ResourceChange{}
	for _, c := range p.Changes {
		got[c.Address] = c
	}
	attribute := func(address, path string) pipeline.AttributeChange {
		t.Helper()
		for _, a := range got[address].Attributes {
			if a.Path == path {
				return a
			}
		}
		t.Errorf("%s does not change %s: %+v", address, path, got[address])
		return pipeline.AttributeChange{}
	}
	if a := attribute("Changed", "DisplayName"); a.Before.Text != `"demo"` || a.After.Text != `"other"` || a.ForcesReplacement {
		t.Errorf("it changes %+v", a)
	}
	if a := attribute("Replaced", "BucketName"); !a.ForcesReplacement || a.After.Text != `"other-bucket"` {
		t.Errorf("it replaces by %+v", a)
	}
	if a := attribute("Follows", "Value"); !a.After.Unknown || a.Before.Text != `"demo-bucket"` {
		t.Errorf("it follows with %+v", a)
	}
	if a := attribute("Added", "Value"); !a.After.Unknown || !a.Before.Absent() {
		t.Errorf("it adds %+v", a)
	}
	if got["Kept"].Action != pipeline.ActionForget || got["Removed"].Action != pipeline.ActionDelete || got["Added"].Type != "AWS::SSM::Parameter" {
		t.Errorf("planned %+v", got)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, planned))
	if err != nil || len(applied.Done) != 6 || applied.State.Resources != 4 {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestCauses: a change leads to the line of variables.yml that it comes from.
func TestCauses(t *testing.T) {
	t.Parallel()
	const variables = "name: demo\npassword: open-sesame-1\nenvironments:\n  staging:\n    region: eu-{{ environment }}\n"
	template := strings.Replace(demoTemplate, "Resources:", "  Password: {Type: String, NoEcho: true}\nResources:\n  Secret: {Type: AWS::SecretsManager::Secret, Properties: {SecretString: !Ref Password}}", 1)
	b := newBench(t, template, variables)
	b.apply(t)
	b = b.again(t)
	b.Job.Applied = b.Job.Variables
	b.with(t, "", strings.NewReplacer("eu-", "us-", "sesame-1", "sesame-2").Replace(variables))
	planned := b.plan(t)
	if len(planned.Plan.Changes) != 2 {
		t.Fatalf("planned %+v", planned.Plan.Changes)
	}
	second, secret := planned.Plan.Changes[0], planned.Plan.Changes[1]
	if len(second.Causes) != 1 || second.Causes[0].Path != "environments.staging.region" || second.Causes[0].Where.Line != 5 || second.Causes[0].Before.Text != `"eu-staging"` || second.Causes[0].After.Text != `"us-staging"` {
		t.Errorf("it comes from %+v", second.Causes)
	}
	if len(secret.Causes) != 1 || secret.Causes[0].Path != "password" || !secret.Causes[0].Before.Sensitive || !secret.Causes[0].After.Sensitive {
		t.Errorf("it comes from %+v", secret.Causes)
	}
}

// TestOutputsAlone: CloudFormation does not list what a change set changes beside resources, so that the plan says so.
func TestOutputsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.with(t, demoTemplate+"Outputs: {Topic: {Value: !Ref Second}}\n", "")
	planned := b.plan(t)
	if !planned.Plan.HasChanges() || !planned.Plan.Unexplained || len(planned.Plan.Diagnostics) != 1 {
		t.Errorf("planned %+v", planned.Plan)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, planned))
	if err != nil || len(applied.Outputs) != 1 || applied.Outputs[0].Name != "Topic" {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestNeeded: a parameter is named after the stack and the output that it holds.
func TestNeeded(t *testing.T) {
	t.Parallel()
	const template = `Parameters:
  NetworkVpcId: {Type: String}
  NetworkZones: {Type: CommaDelimitedList}
Resources:
  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub ["${NetworkVpcId} ${Zones}", {Zones: !Join ["+", !Ref NetworkZones]}]}}
`
	b := newBench(t, template, "name: x\n")
	b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{
		{Name: "other", Value: json.RawMessage(`{"a": 1}`)}, {Name: "vpc_id", Value: json.RawMessage(`"vpc-open-sesame"`), Sensitive: true}, {Name: "zones", Value: json.RawMessage(`["a", "b"]`)},
	}}}
	planned := b.plan(t)
	text, err := json.Marshal(planned.Plan)
	if err != nil || strings.Contains(string(text), marked) {
		t.Errorf("planned %s: %v", text, err)
	}
	b = b.again(t)
	b.apply(t)
	if !strings.Contains(b.State(t), "vpc-open-sesame a+b") {
		t.Errorf("built %s", b.State(t))
	}
	b = b.again(t)
	b.Job.Needed[0].Values[1].Value = nil
	var deferred *pipeline.DeferredError
	if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &deferred) || len(deferred.Waits) != 1 || !strings.Contains(deferred.Message, "NetworkVpcId depends on the output vpc_id") {
		t.Errorf("planned: %v", err)
	}
	b.Job.Needed[0].Values[1].Value = json.RawMessage(`"vpc"`)
	b.with(t, "", "network_vpc_id: mine\n")
	var failed *pipeline.FailedError
	if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(failed.Message, "holds an output of the stack network.vpc_id") {
		t.Errorf("planned: %v", err)
	}
}

// TestSensitiveNeeded: what is made from a sensitive output of another stack is sensitive, too, in the plan and for the
// stacks that need it.
func TestSensitiveNeeded(t *testing.T) {
	t.Parallel()
	const template = `Parameters:
  DatabasePassword: {Type: String}
Resources:
  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "a-${DatabasePassword}"}}
Outputs:
  Url: {Value: !Sub "postgres://user:${DatabasePassword}@host/db"}
  Topic: {Value: !Ref T}
`
	b := newBench(t, template, "name: x\n")
	b.Job.Needed = []pipeline.NeededOutputs{{Stack: "database", Values: []pipeline.OutputValue{{Name: "password", Value: json.RawMessage(`"short"`), Sensitive: true}}}}
	outputs := func(what string, found []pipeline.OutputValue, err error) {
		t.Helper()
		if err != nil || len(found) != 2 || found[0].Name != "Topic" || found[0].Sensitive || !found[1].Sensitive {
			t.Errorf("%s: %+v: %v", what, found, err)
		}
	}
	planned := b.plan(t)
	if a := planned.Plan.Changes[0].Attributes; len(a) != 1 || !a[0].After.Sensitive {
		t.Errorf("planned %+v", a)
	}
	e := b.Engine.(*Engine)
	found, err := e.PlannedOutputs(b.Job, planned)
	outputs("planned", found, err)
	stored := storedOf(t, planned)
	applied, err := e.Apply(t.Context(), b.Job, stored)
	if err != nil || len(applied.Outputs) != 2 || !applied.Outputs[1].Sensitive || applied.Outputs[1].Value != "" {
		t.Errorf("applied %+v: %v", applied.Outputs, err)
	}
	found, err = e.AppliedOutputs(t.Context(), b.Job, stored)
	outputs("applied", found, err)
	b = b.again(t)
	found, err = e.PlannedOutputs(b.Job, b.plan(t))
	outputs("without changes", found, err)
}

// TestMissingOutput: a parameter that is named after a needed stack is never a customer's, also where the stack does
// not put that out.
func TestMissingOutput(t *testing.T) {
	t.Parallel()
	const template = "Parameters:\n  NetworkRoleArn: {Type: String%s}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref NetworkRoleArn}}\n"
	for name, test := range map[string]struct{ more, variables string }{
		"set by the customer":    {"", "network_role_arn: mine\n"},
		"by its own name":        {"", "NetworkRoleArn: mine\n"},
		"set, and has a Default": {", Default: none", "network_role_arn: mine\n"},
		"has a Default":          {", Default: none", "name: x\n"},
		"not set":                {"", "name: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, fmt.Sprintf(template, test.more), test.variables)
			b.Job.Needed = []pipeline.NeededOutputs{{Stack: "net", Unknown: ""}, {Stack: "network", Values: []pipeline.OutputValue{{Name: "vpc_id", Value: json.RawMessage(`"x"`)}}}}
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var failed *pipeline.FailedError
			if !errors.As(err, &failed) || !strings.Contains(failed.Message, "the needed stack network, which has no such output") || !strings.Contains(failed.Operator, "put it out") || len(b.cloud.Calls()) > 0 {
				t.Errorf("planned: %v", err)
			}
		})
	}
}

// TestImport: a resource that is there under its name is taken over, where metapipe.yml says so.
func TestImport(t *testing.T) {
	t.Parallel()
	const template = "Resources:\n  Old: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: old-bucket}}\n  New: {Type: AWS::SNS::Topic}\n"
	b := newBench(t, template, "name: x\n")
	b.cloud.Exist("old-bucket")
	if _, failed := b.fails(t); !strings.Contains(failed.Message, "already exists") {
		t.Errorf("without import_existing: %v", failed)
	}
	b = newBench(t, template, "name: x\n")
	b.cloud.Exist("old-bucket")
	b.Job.Customer.Manager.Tool.CloudFormation.ImportExisting = true
	planned := b.plan(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 1, Import: 1}) || planned.Plan.Changes[1].ImportID != "old-bucket" {
		t.Errorf("planned %+v", planned.Plan)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, planned))
	if err != nil || !strings.Contains(b.State(t), "old-bucket") || applied.State.Resources != 2 {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestDestroy: a destroy lists what it deletes at most, and what a DeletionPolicy keeps.
func TestDestroy(t *testing.T) {
	t.Parallel()
	kept := demoTemplate + "  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: Retain}\n"
	b := newBench(t, kept, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.Job.Destroy = true
	planned := b.plan(t)
	if planned.Plan.Exactness != pipeline.ExactnessBound || planned.Plan.Counts != (pipeline.Counts{Delete: 2, Forget: 1}) {
		t.Fatalf("planned %+v", planned.Plan)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, planned))
	if err != nil || b.State(t) != "" || applied.State == nil || !applied.State.IsNone() || !applied.State.LeftNothing() || len(applied.Done) != 3 {
		t.Errorf("applied %+v: %v; it has left %s", applied, err, b.State(t))
	}
	again := b.again(t)
	nothing := again.plan(t)
	if nothing.Plan.HasChanges() {
		t.Errorf("planned %+v", nothing.Plan)
	}
	if applied, err := again.Engine.Apply(t.Context(), again.Job, storedOf(t, nothing)); err != nil || applied.Started || applied.State == nil {
		t.Errorf("a destroy of nothing: %+v: %v", applied, err)
	}
}

// TestDestroyOfPlans: a target whose plans were never applied is destroyed without a trace of them, also where one of
// them waits for its approval.
func TestDestroyOfPlans(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	waits := storedOf(t, b.plan(t))
	b.again(t).plan(t)
	if s := b.cloud.Stacks(); len(s) != 1 || s[0].ChangeSets != 2 {
		t.Fatalf("two plans have left %+v", s)
	}
	destroy := b.again(t)
	destroy.Job.Destroy = true
	planned := destroy.plan(t)
	if planned.Plan.HasChanges() {
		t.Errorf("planned %+v", planned.Plan)
	}
	stored := storedOf(t, planned)
	applied, err := destroy.Engine.Apply(t.Context(), destroy.Job, stored)
	if err != nil || applied.Started || applied.State == nil || !applied.State.IsNone() || len(b.cloud.Stacks()) > 0 {
		t.Errorf("applied %+v: %v; it leaves %+v", applied, err, b.cloud.Stacks())
	}
	var refused *pipeline.RefusedError
	if _, err := b.Engine.Apply(t.Context(), b.Job, waits); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState {
		t.Errorf("the plan that waited: %v", err)
	}
	for _, action := range []string{"ListChangeSets", "DeleteChangeSet", "DeleteStack"} {
		b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
		b.plan(t)
		b = b.again(t)
		b.Job.Destroy = true
		stored := storedOf(t, b.plan(t))
		b.cloud.Deny(action)
		var failed *pipeline.FailedError
		if applied, err := b.Engine.Apply(t.Context(), b.Job, stored); !errors.As(err, &failed) || applied.State != nil || !strings.Contains(failed.Message, "cloudformation:"+action) {
			t.Errorf("without permission to %s: %+v: %v", action, applied, err)
		}
	}
}

// TestRefusedDestroy: termination protection, and a resource that cannot be deleted.
func TestRefusedDestroy(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	b.apply(t)
	b = b.again(t)
	b.Job.Destroy = true
	b.cloud.Protect(b.name, true)
	var refused *pipeline.RefusedError
	if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonNoDestroy || !strings.Contains(refused.Operator, "--no-enable-termination-protection") {
		t.Errorf("planned: %v", err)
	}
	b.cloud.Protect(b.name, false)
	plan := storedOf(t, b.plan(t))
	b.cloud.Protect(b.name, true)
	if applied, err := b.Engine.Apply(t.Context(), b.Job, plan); err == nil || applied.Started {
		t.Errorf("applied %+v: %v", applied, err)
	}
	b.cloud.Protect(b.name, false)
	b.cloud.Fail("First", "it is in use")
	applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "it is in use") || !slices.ContainsFunc(applied.Done, func(d pipeline.AppliedResource) bool { return d.Address == "First" && d.Failed }) {
		t.Errorf("applied %+v: %v", applied, err)
	}
}

// TestDrift: what was changed behind the back of CloudFormation is found, without changing anything.
func TestDrift(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretTemplate, secretVariables)
	b.apply(t)
	look := func() (pipeline.Planned, error) {
		return b.Engine.(*Engine).NewFleet(t.TempDir()).Plan(t.Context(), b.again(t).Job)
	}
	if planned, err := look(); err != nil || len(planned.Plan.Drift) > 0 || planned.Plan.HasChanges() {
		t.Errorf("found %+v: %v", planned.Plan, err)
	}
	b.cloud.Edit(b.name, "First", "Value", "someone else")
	b.cloud.Edit(b.name, "Hidden", "SecretString", "open-sesame-9")
	planned, err := look()
	if err != nil || len(planned.Plan.Drift) != 2 || planned.Plan.HasChanges() || len(planned.Artifacts) > 0 {
		t.Fatalf("found %+v: %v", planned.Plan, err)
	}
	first, hidden := planned.Plan.Drift[0], planned.Plan.Drift[1]
	if !first.Relevant || len(first.Attributes) != 1 || first.Attributes[0].After.Text != `"someone else"` || first.Attributes[0].Before.Text != `"demo"` {
		t.Errorf("found %+v", first)
	}
	if len(hidden.Attributes) != 1 || !hidden.Attributes[0].After.Sensitive || !hidden.Attributes[0].Before.Sensitive {
		t.Errorf("found %+v", hidden)
	}
	b.cloud.Lose(b.name, "First")
	if planned, err := look(); err != nil || planned.Plan.Drift[0].Action != pipeline.ActionDelete {
		t.Errorf("found %+v: %v", planned.Plan.Drift, err)
	}
	b.cloud.Fail("drift", "no permission")
	var failed *pipeline.FailedError
	if planned, err := look(); !errors.As(err, &failed) {
		t.Errorf("found %+v: %v", planned.Plan.Drift, err)
	}
	if s := b.cloud.Stacks()[0]; s.ChangeSets != 0 {
		t.Errorf("it leaves %+v", s)
	}
}

// TestCancelledCreation: a creation cannot be cancelled. It is waited for in bounded time, and what goes on is said.
func TestCancelledCreation(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables, func(o *Options) { o.WaitDelay = 50_000_000 })
	b.cloud.Hold("Second")
	plan := storedOf(t, b.plan(t))
	ctx, cancel := contextOf(t, func() bool { return strings.Contains(b.log(), "Second: CREATE_IN_PROGRESS") })
	defer cancel()
	applied, err := b.Engine.Apply(ctx, b.Job, plan)
	if err == nil || !strings.Contains(err.Error(), "goes on with the stack") || !applied.Started || applied.State != nil || slices.Contains(b.cloud.Calls(), "CancelUpdateStack") {
		t.Errorf("applied %+v: %v", applied, err)
	}
	if n := len(applied.Done); n != 2 || !applied.Done[1].Unfinished {
		t.Errorf("done %+v", applied.Done)
	}
}
