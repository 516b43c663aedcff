package cloudformation

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestChosenReferences: a template that lets a customer choose what a dynamic reference reads is refused, and so is the
// value.
func TestChosenReferences(t *testing.T) {
	t.Parallel()
	const parameters = "Parameters:\n  Name: {Type: String}\n  Customer: {Type: String}\n  Kind: {Type: String, AllowedValues: [a, b]}\n  Open: {Type: String, Default: x}\n  NetworkPath: {Type: String}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: %}}\n"
	needs := []pipeline.StackName{"network"}
	for name, test := range map[string]struct {
		value string
		found string // the parameter; empty: none
	}{
		"Sub":                     {`!Sub "{{resolve:ssm:/${Name}}}"`, "Name"},
		"Fn::Sub":                 {`{"Fn::Sub": "a {{resolve:ssm:/x-${ Name }-y}}"}`, "Name"},
		"Sub with names":          {`!Sub ["{{resolve:ssm:/${X}}}", {X: !Ref Name}]`, "Name"},
		"Join":                    {`!Join ["", ["{{resolve:ssm:/", !Ref Name, "}}"]]`, "Name"},
		"with a Default":          {`!Sub "{{resolve:ssm:/${Open}}}"`, "Open"},
		"own":                     {`!Sub "{{resolve:ssm:/of/${Customer}}} ${AWS::Region}"`, ""},
		"beside the reference":    {`!Sub "${Name} {{resolve:ssm:/of/${Customer}}} ${Name}"`, ""},
		"joined beside it":        {`!Join ["", [!Ref Name, "{{resolve:ssm:/x}}", !Ref Name]]`, ""},
		"of the provider's":       {`!Sub "{{resolve:ssm:/${Kind}}}"`, ""},
		"of another stack":        {`!Sub "{{resolve:ssm:/${NetworkPath}}}"`, ""},
		"Sub with names, but not": {`!Sub ["{{resolve:ssm:/${Name}}}", {Name: !Ref Customer}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(parameters, "%", test.value, 1), "{name: x, open: y, kind: a}")
			problems := b.Engine.(*Engine).CheckSettable(b.Job.ManagerDir, "stack", needs)
			if (len(problems) == 1) != (test.found != "") || len(problems) > 0 && (problems[0].Warning != (test.found == "Open") || problems[0].Line != 8 || !strings.Contains(problems[0].Message, "the parameter "+test.found)) {
				t.Errorf("found %+v", problems)
			}
			b.Job.Needed = []pipeline.NeededOutputs{{Stack: "network", Values: []pipeline.OutputValue{{Name: "path", Value: []byte(`"p"`)}}}}
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var failed *pipeline.FailedError
			if refused := errors.As(err, &failed) && strings.Contains(failed.Message, "not a customer's to choose"); refused != (test.found != "") {
				t.Errorf("planned: %v", err)
			}
		})
	}
}

// TestFaults: validate finds what CloudFormation would refuse, with its line.
func TestFaults(t *testing.T) {
	t.Parallel()
	const start = "Parameters:\n  Name: {Type: String}\n"
	for name, test := range map[string]struct {
		template string
		line     int // 0: nothing is wrong
		say      string
	}{
		"a section":                {start + "Resources:\n  T: {Type: AWS::SNS::Topic}\nOutputz: {}\n", 5, `did you mean "Outputs"`},
		"Ref":                      {start + "Resources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Ref Nam}\n", 6, `did you mean "Name"`},
		"Ref in its long form":     {start + "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: {Ref: Other}}}\n", 4, "Other"},
		"Sub":                      {start + "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub \"a ${Other.Arn}\"}}\n", 4, "Other"},
		"Sub with names":           {start + "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: {\"Fn::Sub\": [\"${A} ${Other}\", {A: b}]}}}\n", 4, "Other"},
		"an output":                {start + "Resources:\n  T: {Type: AWS::SNS::Topic}\nOutputs:\n  A: {Value: !Ref Other}\n", 6, "Other"},
		"a resource without Type":  {start + "Resources:\n  T: {Type: AWS::SNS::Topic}\n  U: {Properties: {}}\n", 5, "no Type"},
		"a type":                   {"Parameters:\n  Name: {Type: Strin}\nResources:\n  T: {Type: AWS::SNS::Topic}\n", 2, "Strin"},
		"a list of texts":          {"Parameters:\n  Name: {Type: List<String>}\nResources:\n  T: {Type: AWS::SNS::Topic}\n", 2, "List<String>"},
		"a file as a nested stack": {start + "Resources:\n  T: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./inner.yml}}\n", 4, "nothing is uploaded"},
		"nothing": {"AWSTemplateFormatVersion: \"2010-09-09\"\nParameters:\n  A: {Type: \"List<AWS::EC2::Subnet::Id>\"}\n  B: {Type: \"AWS::SSM::Parameter::Value<List<String>>\", Default: x}\n  C: {Type: AWS::EC2::VPC::Id}\n  D: {Type: AWS::SSM::Parameter::Name, Default: x}\n" +
			"Conditions: {Never: !Equals [!Ref \"AWS::Region\", !Ref C]}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub [\"${!Literal} ${X} ${U.Arn} ${AWS::StackName}\", {X: !Ref U}]}}\n  U: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !Sub \"https://${C}\"}}\n", 0, ""},
		"what a macro adds": {"Transform: AWS::Serverless-2016-10-31\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref FunctionRole}}\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.template, "name: x\n")
			problems, _ := b.Engine.(*Engine).CheckRoot(b.Job.ManagerDir, "stack", toolName)
			switch {
			case test.line == 0 && len(problems) > 0:
				t.Errorf("found %+v", problems)
			case test.line > 0 && (len(problems) != 1 || problems[0].Line != test.line || problems[0].Warning || !strings.Contains(problems[0].Message+problems[0].Remedy, test.say)):
				t.Errorf("found %+v", problems)
			}
		})
	}
}
