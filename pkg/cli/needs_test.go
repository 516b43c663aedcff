package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// needsTree is a manager with a stack that needs another one.
func needsTree(t *testing.T, hosts string) string {
	t.Helper()
	dir := stackedTree(t)
	for name, text := range map[string]string{
		"metapipe.yml":    "environments: [{name: staging}]\nstacks:\n  - {name: network, root: network}\n  - name: hosts\n    root: hosts\n    needs: [network]\n",
		"network/main.tf": "output \"id\" { value = \"n1\" }\n",
		"hosts/main.tf":   hosts,
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestValidateNeeds: the root of a stack declares a variable for each stack that it needs.
func TestValidateNeeds(t *testing.T) {
	t.Parallel()
	const problem = `the stack hosts needs network, and its root hosts declares no variable "network"`
	for hosts, missing := range map[string]bool{"variable \"netwerk\" {}\n": true, "variable \"network\" {}\n": false} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints)
		app.Dir = needsTree(t, hosts)
		Main(t.Context(), []string{"validate"}, app)
		if got := strings.Contains(out.String()+complaints.String(), problem); got != missing {
			t.Errorf("%s: %v\n%s%s", hosts, got, &out, &complaints)
		}
		if missing && !strings.Contains(out.String()+complaints.String(), "metapipe.yml:6") {
			t.Errorf("the line is not named:\n%s%s", &out, &complaints)
		}
	}
}

// TestParametersOfOutputs: a parameter that is named after a needed stack is not a customer's to set, under none of its
// names; where the same root needs nothing, it is.
func TestParametersOfOutputs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "template.yml"), []byte("Parameters:\n  NetworkRoleArn: {Type: String}\n  InstanceType: {Type: String}\nResources:\n  T: {Type: AWS::SNS::Topic}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := pipeline.ToolRule{Name: pipeline.CloudFormationTool}
	c := pipeline.Customer{Manager: pipeline.Manager{Stacks: []pipeline.StackRule{{Name: "network", Root: ".", Tool: tool}, {Name: "hosts", Root: ".", Tool: tool, Needs: []pipeline.StackName{"network"}}}}}
	r := newRules(dir)
	for stack, own := range map[pipeline.StackName]bool{"hosts": false, "network": true} {
		found := r.ofStack(c, stack)
		for name, want := range map[string]bool{"network_role_arn": own, "NetworkRoleArn": own, "instance_type": true, "InstanceType": true} {
			if got, declared := found[name]; got != want || !declared {
				t.Errorf("%s: %s is a customer's to set: %v", stack, name, got)
			}
		}
	}
}

// TestValidateChosenReferences: a dynamic reference that a customer would choose is an error of validate, and one of
// an output of a needed stack is not.
func TestValidateChosenReferences(t *testing.T) {
	t.Parallel()
	for name, chosen := range map[string]bool{"SecretName": true, "NetworkSecretName": false} {
		dir := needsTree(t, "")
		template := "Parameters:\n  " + name + ": {Type: String}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub \"{{resolve:ssm:${" + name + "}}}\"}}\n"
		for file, text := range map[string]string{
			"metapipe.yml":       "environments: [{name: staging}]\nstacks:\n  - {name: network, root: network}\n  - {name: hosts, root: hosts, tool: cloudformation, needs: [network]}\n",
			"hosts/template.yml": template,
		} {
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints)
		app.Dir = dir
		Main(t.Context(), []string{"validate"}, app)
		if said := out.String() + complaints.String(); strings.Contains(said, "the customer would choose what is read") != chosen || chosen && !strings.Contains(said, "hosts/template.yml:4") {
			t.Errorf("%s:\n%s", name, said)
		}
	}
}

// TestNeedsWithoutOutputs: a stack whose tool puts out nothing that metapipe can read is needed
// by none. validate says where, and the commands that work on requests do not begin.
func TestNeedsWithoutOutputs(t *testing.T) { // not parallel: it changes the registry of engines
	tofu := engines["tofu"]
	engines["tofu"] = func(engineOptions) pipeline.Engine { return plainEngine{} }
	defer func() { engines["tofu"] = tofu }()
	const problem = "the stack hosts needs network, and metapipe cannot read outputs for other stacks with tofu"
	for tool, refused := range map[string]bool{"tofu": true, "terraform": false} {
		dir := needsTree(t, "variable \"network\" {}\n")
		file := "environments: [{name: staging}]\nstacks:\n  - {name: network, root: network, tool: " + tool + "}\n  - name: hosts\n    root: hosts\n    needs: [network]\n"
		if err := os.WriteFile(filepath.Join(dir, "metapipe.yml"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"validate", "fetch-vars --customer blog --store state", "plan --customer blog --environment staging --stack network --request 11111111-2222-4333-8444-555555555555 --store state",
			"plan --customer-dir . --environment staging --stack hosts", "sweep --store state"} {
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints)
			app.Dir, app.Environ = dir, nil // a laptop
			code := Main(t.Context(), strings.Fields(command), app)
			said := out.String() + complaints.String()
			if strings.Contains(said, problem) != refused || refused && (!strings.Contains(said, "metapipe.yml:6") || !strings.Contains(said, "take network out of needs") || code == ExitDone) {
				t.Errorf("%s, %s: code %d\n%s", tool, command, code, said)
			}
		}
	}
}

// TestOutputsOfRoles: a role of a stack reads what the stack needs, and a role of all stacks
// what any of them needs.
func TestOutputsOfRoles(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints)
	app.Dir = needsTree(t, "variable \"network\" {}\n")
	s, err := app.newStep()
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := s.loadManagerOrDefault(app.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for stack, want := range map[string]struct {
		needs  string
		passes bool
	}{"network": {"", true}, "hosts": {"network", false}, "": {"network", true}, "*": {"network", true}} {
		needs, passes := outputsOf(m.config.Manager, pipeline.StackName(stack))
		if strings.Join(needs, " ") != want.needs || passes != want.passes {
			t.Errorf("%q: %v, %v", stack, needs, passes)
		}
	}
}
