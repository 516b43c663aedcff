package cloudformation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const joining = `Parameters:
  A: {Type: String, Default: ""}
  B: {Type: String, Default: ""}
  C: {Type: String, Default: ""}
  List: {Type: CommaDelimitedList, Default: ""}
  NetworkName: {Type: String, Default: ""}
Resources:
  Joined: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "{${A}${B}${C}"}}
  Listed: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Join ["", !Ref List]}}
  Named: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref NetworkName}}
`

// foreign is what another customer has in Parameter Store.
const foreign = "secret-of-another-customer"

// TestDynamicReferences: no value of a customer and no output of another stack makes CloudFormation read something,
// neither whole nor in parts that a template joins.
func TestDynamicReferences(t *testing.T) {
	t.Parallel()
	const whole = "{{resolve:ssm:/other/secret}}"
	refused := func(t *testing.T, b bench) {
		t.Helper()
		b.cloud.SetParameter("/other/secret", foreign)
		planned, err := b.Engine.Plan(t.Context(), b.Job)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "dynamic reference") {
			t.Errorf("planned %+v: %v", planned.Plan.Changes, err)
		}
		if calls := b.cloud.Calls(); len(calls) > 0 {
			t.Errorf("AWS was asked for %q", calls)
		}
	}
	for name, variables := range map[string]map[string]any{
		"whole":              {"a": whole},
		"in a text":          {"a": "x" + whole + "y"},
		"by its own name":    {"A": whole},
		"secrets manager":    {"a": "{{resolve:secretsmanager:x:SecretString:password}}"},
		"secure string":      {"a": "{{resolve:ssm-secure:/other/secret}}"},
		"large letters":      {"a": "{{RESOLVE:ssm:/other/secret}}"},
		"spaces":             {"a": "{ { resolve:ssm:/other/secret}}"},
		"no-width character": {"a": "{\u200b{resolve:ssm:/other/secret}}"},
		"two halves":         {"a": "{", "b": "{resolve:ssm:/other/secret}}"},
		"beside a brace":     {"a": "{resolve:ssm:/other/secret}}"},
		"three parts":        {"a": "{re", "b": "solve:ssm:", "c": "/other/secret}}"},
		"a brace and a word": {"a": "{r"},
		"only a brace":       {"b": "{"},
		"an end":             {"a": "text {"},
		"in a list":          {"list": []string{"{{resolve:ssm:/other/secret}}"}},
		"after hyphens":      {"a": "{-{resolve:ssm:/other/secret}}"},
		"with hyphens in it": {"a": "{-{re-solve-:ssm:/other/secret}}"},
		"one brace far away": {"a": "{x}resolve:ssm:/other/secret}}"},
		"joined of a list":   {"list": []string{"{", "{resolve:ssm:/other/secret}}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := json.Marshal(variables)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, newBench(t, joining, string(content)))
		})
	}
	for name, value := range map[string]string{"a delimiter of letters": "{and{andresandolve:ssm:/other/secret}}", "a part of a value": "x-and{and-y"} {
		t.Run("split at "+name, func(t *testing.T) {
			t.Parallel()
			const template = "Parameters:\n  A: {Type: String}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: {'Fn::Join': ['', %s]}}}\n"
			content, err := json.Marshal(map[string]string{"a": value})
			if err != nil {
				t.Fatal(err)
			}
			refused(t, newBench(t, fmt.Sprintf(template, "!Split [and, !Ref A]"), string(content)))
			refused(t, newBench(t, fmt.Sprintf(template, "{'Fn::Split': [and, {'Fn::Sub': '${A}'}]}"), string(content)))
		})
	}
	t.Run("an output of another stack", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, joining, "name: x\n")
		b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{{Name: "name", Value: json.RawMessage(`"` + whole + `"`)}}}}
		refused(t, b)
	})
	t.Run("what is harmless", func(t *testing.T) {
		t.Parallel()
		variables, err := json.Marshal(map[string]any{"a": `{"json": [1]}`, "b": "resolve:ssm:/other/secret}}", "c": "a }} b", "list": []string{"{x}", "}"}})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, joining, string(variables))
		b.cloud.SetParameter("/other/secret", foreign)
		b.apply(t)
		if state := b.State(t); strings.Contains(state, foreign) || !strings.Contains(state, `json`) {
			t.Errorf("built %s", state)
		}
	})
	t.Run("of the template itself", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: \""+whole+"\"}}\n", "name: x\n")
		b.cloud.SetParameter("/other/secret", foreign)
		planned := b.plan(t)
		if text := fmt.Sprint(planned.Plan); strings.Contains(text, foreign) || !strings.Contains(text, "resolve:ssm") {
			t.Errorf("planned %s", text)
		}
		b = b.again(t)
		b.apply(t)
		if !strings.Contains(b.State(t), foreign) {
			t.Error("the manager's own reference was not resolved: this test shows nothing")
		}
	})
}

// TestParameterStore: the name of something in Parameter Store is not a customer's to choose.
func TestParameterStore(t *testing.T) {
	t.Parallel()
	const template = `Parameters:
  Image: {Type: "AWS::SSM::Parameter::Value<String>", Default: /image}
Resources:
  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Image}}
`
	b := newBench(t, template, "environments: {staging: {image: /other/secret}}\n")
	b.cloud.SetParameter("/other/secret", foreign)
	b.cloud.SetParameter("/image", "ami-1")
	_, err := b.Engine.Plan(t.Context(), b.Job)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "Parameter Store") || failed.Diagnostics[0].Source.Line != 1 {
		t.Errorf("planned: %v", err)
	}
	b.with(t, "", "name: x\n")
	b.apply(t)
	if !strings.Contains(b.State(t), "ami-1") {
		t.Errorf("built %s", b.State(t))
	}
}

// TestForeignStack: a stack that is not of the target is not touched, whatever has its name.
func TestForeignStack(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string]map[string]string{"of another target": {pipeline.TagTarget: "other/staging"}, "of nobody": {}, "of the environment as a customer": {pipeline.TagTarget: "acme"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
			b.apply(t)
			b.cloud.SetTags(b.name, tags)
			b.cloud.Forget()
			for _, destroy := range []bool{false, true} {
				b.Job.Destroy = destroy
				b := b.again(t)
				_, err := b.Engine.Plan(t.Context(), b.Job)
				var failed *pipeline.FailedError
				if !errors.As(err, &failed) || !strings.Contains(failed.Message, "not known to be of this target") {
					t.Errorf("destroy %v: %v", destroy, err)
				}
			}
			for _, call := range b.cloud.Calls() {
				if call != "DescribeStacks" {
					t.Errorf("it called %s", call)
				}
			}
		})
	}
}

// TestSecretsOfAPlan: neither what a parameter with NoEcho holds nor what is named as a secret is shown, also not what it was
// before.
func TestSecretsOfAPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretTemplate, secretVariables)
	b.apply(t)
	b = b.again(t)
	b.with(t, "", strings.Replace(secretVariables, "open-sesame-1", "open-sesame-2", 1))
	planned := b.plan(t)
	text, err := json.Marshal(planned.Plan)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), marked) || strings.Contains(b.log(), marked) {
		t.Errorf("it shows the secret: %s\n%s", text, b.log())
	}
	if len(planned.Plan.Changes) != 1 || len(planned.Plan.Changes[0].Attributes) != 2 {
		t.Fatalf("planned %s", text)
	}
	for _, a := range planned.Plan.Changes[0].Attributes {
		if !a.Before.Sensitive || !a.After.Sensitive {
			t.Errorf("%s is %+v → %+v", a.Path, a.Before, a.After)
		}
	}
	b.cloud.Fail("Hidden", "it is %s")
	applied, err := b.again(t).Engine.Apply(t.Context(), b.again(t).Job, storedOf(t, planned))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !applied.Started {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	if said := fmt.Sprint(err, failed.Next, failed.Operator, applied, b.log()); strings.Contains(said, marked) {
		t.Errorf("the failure shows the secret: %s", said)
	}
}

// TestNames: no two targets have the same stack, and each name is one that CloudFormation takes.
func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]pipeline.Target{}
	long := strings.Repeat("a", 62)
	for _, target := range []pipeline.Target{
		{Customer: "a-b", Environment: "c"}, {Customer: "a", Environment: "b-c"}, {Customer: "a", Environment: "b", Stack: "c"}, {Customer: "a", Environment: "b-c", Stack: "d"},
		{Customer: "a", Environment: "b", Stack: "c-d"}, {Customer: "0", Environment: "1", Stack: "2"}, {Customer: pipeline.CustomerName(long + "1"), Environment: pipeline.Environment(long[:40]), Stack: pipeline.StackName(long[:40])},
		{Customer: pipeline.CustomerName(long + "2"), Environment: pipeline.Environment(long[:40]), Stack: pipeline.StackName(long[:40])},
		{Customer: pipeline.CustomerName(long + "2"), Environment: pipeline.Environment(long[:40]), Stack: pipeline.StackName(long[:39] + "b")},
	} {
		for _, rule := range []pipeline.CloudFormationRule{{}, {StackName: "prod"}, {StackName: "x-{{ customer }}"}} {
			name := rule.Name(target)
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s are both called %s", target, other, name)
			}
			seen[name] = target
			if len(name) > 128 || !isLogicalID(strings.ReplaceAll(name, "-", "")) || name[0] < 'A' || name[0] > 'z' || strings.HasSuffix(name, "-") {
				t.Errorf("%s is called %s, of %d characters", target, name, len(name))
			}
		}
	}
}
