package cfntest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// awsProgram is where the Debian package awscli puts it.
const awsProgram = "/usr/bin/aws"

// awscli runs the client of AWS itself, which shares no code with the SDK of the engine.
type awscli struct {
	t     *testing.T
	cloud *Cloud
	dir   string
}

func newAWSCLI(t *testing.T) awscli {
	t.Helper()
	if _, err := os.Stat(awsProgram); err != nil {
		const missing = "cloudformation: there is no " + awsProgram + "; install awscli"
		if os.Getenv("METAPIPE_REQUIRE_AWSCLI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return awscli{t, New(t), t.TempDir()}
}

// try runs a command; its output is JSON.
func (a awscli) try(args ...string) (string, error) {
	cmd := exec.CommandContext(a.t.Context(), awsProgram, append([]string{"--endpoint-url", a.cloud.URL, "--output", "json", "--no-cli-pager", "cloudformation"}, args...)...)
	cmd.Dir = a.dir
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + a.dir, "AWS_DEFAULT_REGION=" + Region}, a.cloud.Environ()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (a awscli) run(args ...string) map[string]any {
	a.t.Helper()
	out, err := a.try(args...)
	if err != nil {
		a.t.Fatalf("aws %q: %v\n%s", args, err, out)
	}
	answer := map[string]any{}
	if i := strings.IndexByte(out, '{'); i >= 0 {
		_ = json.Unmarshal([]byte(out[i:]), &answer) // some commands say something in words
	}
	return answer
}

func (a awscli) template(text string) string {
	a.t.Helper()
	file := filepath.Join(a.dir, "template.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

const cliTemplate = `Parameters:
  Name: {Type: String}
  Password: {Type: String, NoEcho: true, Default: secret-1}
Resources:
  First: {Type: AWS::SSM::Parameter, Properties: {Name: first, Type: String, Value: !Ref Name}}
  Second: {Type: AWS::SNS::Topic, DependsOn: First, Properties: {DisplayName: !Ref Password}}
Outputs:
  First: {Value: !Ref First}
`

// TestIndependentClient drives the server with the client of AWS: it takes the answers for those of CloudFormation, and gets as
// far as the engine does.
func TestIndependentClient(t *testing.T) {
	t.Parallel()
	a := newAWSCLI(t)
	a.cloud.Eager = true
	file := a.template(cliTemplate)
	// deploy makes a change set, waits for it, executes it and waits for the stack.
	a.run("deploy", "--stack-name", "demo", "--template-file", file, "--parameter-overrides", "Name=one", "--tags", "owner=platform")
	stack := a.run("describe-stacks", "--stack-name", "demo")["Stacks"].([]any)[0].(map[string]any)
	if stack["StackStatus"] != "CREATE_COMPLETE" || stack["Outputs"].([]any)[0].(map[string]any)["OutputValue"] != "first" {
		t.Errorf("the stack is %v", stack)
	}
	if strings.Contains(encode(stack), "secret-1") {
		t.Errorf("it shows the value of a parameter with NoEcho: %v", stack)
	}
	if out, err := a.try("deploy", "--stack-name", "demo", "--template-file", file, "--parameter-overrides", "Name=one", "--tags", "owner=platform", "--fail-on-empty-changeset"); err == nil || !strings.Contains(out, "No changes to deploy") {
		t.Errorf("a deploy without changes: %v\n%s", err, out)
	}
	a.run("create-change-set", "--stack-name", "demo", "--change-set-name", "two", "--template-body", "file://"+file, "--parameters", "ParameterKey=Name,ParameterValue=two")
	a.run("wait", "change-set-create-complete", "--stack-name", "demo", "--change-set-name", "two")
	changes := a.run("describe-change-set", "--stack-name", "demo", "--change-set-name", "two")["Changes"].([]any)
	if len(changes) != 1 || changes[0].(map[string]any)["ResourceChange"].(map[string]any)["Replacement"] != "False" {
		t.Errorf("the changes are %v", changes)
	}
	a.cloud.Obsolete("demo")
	if out, err := a.try("execute-change-set", "--stack-name", "demo", "--change-set-name", "two"); err == nil || !strings.Contains(out, "InvalidChangeSetStatus") {
		t.Errorf("an obsolete change set: %v\n%s", err, out)
	}
	if out, err := a.try("execute-change-set", "--stack-name", "demo", "--change-set-name", "none"); err == nil || !strings.Contains(out, "ChangeSetNotFound") {
		t.Errorf("no change set: %v\n%s", err, out)
	}
	a.run("delete-change-set", "--stack-name", "demo", "--change-set-name", "two")
	a.cloud.Edit("demo", "First", "Value", "drifted")
	id := a.run("detect-stack-drift", "--stack-name", "demo")["StackDriftDetectionId"].(string)
	for a.run("describe-stack-drift-detection-status", "--stack-drift-detection-id", id)["DetectionStatus"] != "DETECTION_COMPLETE" {
	}
	drifts := a.run("describe-stack-resource-drifts", "--stack-name", "demo", "--stack-resource-drift-status-filters", "MODIFIED")["StackResourceDrifts"].([]any)
	if len(drifts) != 1 || drifts[0].(map[string]any)["LogicalResourceId"] != "First" {
		t.Errorf("the drift is %v", drifts)
	}
	a.cloud.Fail("Second", "no topics today")
	if out, err := a.try("deploy", "--stack-name", "demo", "--template-file", file, "--parameter-overrides", "Name=three", "Password=secret-2"); err == nil || !strings.Contains(out, "Failed to create/update the stack") {
		t.Errorf("a deploy that fails: %v\n%s", err, out)
	}
	if events := encode(a.run("describe-stack-events", "--stack-name", "demo")); !strings.Contains(events, "no topics today") || !strings.Contains(events, "UPDATE_ROLLBACK_COMPLETE") {
		t.Errorf("the events are %s", events)
	}
	if resources := a.run("list-stack-resources", "--stack-name", "demo")["StackResourceSummaries"].([]any); len(resources) != 2 {
		t.Errorf("the resources are %v", resources)
	}
	a.run("update-termination-protection", "--stack-name", "demo", "--enable-termination-protection")
	if out, err := a.try("delete-stack", "--stack-name", "demo"); err == nil || !strings.Contains(out, "TerminationProtection is enabled") {
		t.Errorf("a protected stack: %v\n%s", err, out)
	}
	a.run("update-termination-protection", "--stack-name", "demo", "--no-enable-termination-protection")
	a.cloud.Mend("Second")
	a.run("delete-stack", "--stack-name", "demo")
	a.run("wait", "stack-delete-complete", "--stack-name", "demo")
	if out, err := a.try("describe-stacks", "--stack-name", "demo"); err == nil || !strings.Contains(out, "does not exist") {
		t.Errorf("a stack that is gone: %v\n%s", err, out)
	}
}

// TestModel: requests and answers that the service does not know are found.
func TestModel(t *testing.T) {
	t.Parallel()
	m := NeedModel(t)
	for name, found := range map[string][]string{
		"an unknown operation":     m.CheckRequest("DoSomething", nil),
		"an unknown member":        m.CheckRequest("DescribeStacks", map[string][]string{"Stack": {"x"}}),
		"a missing member":         m.CheckRequest("CreateChangeSet", map[string][]string{"StackName": {"x"}}),
		"a wrong word":             m.CheckRequest("CreateChangeSet", map[string][]string{"StackName": {"x"}, "ChangeSetName": {"x"}, "ChangeSetType": {"OTHER"}}),
		"a name that is no name":   m.CheckRequest("CreateChangeSet", map[string][]string{"StackName": {"x"}, "ChangeSetName": {"1 2"}}),
		"no answer":                m.CheckAnswer("DescribeStacks", []byte("<DescribeStacksResponse/>")),
		"an answer of another one": m.CheckAnswer("DescribeStacks", answerOf("DescribeStacks", object{"Changes": []object{}}, "1")),
		"a wrong status":           m.CheckAnswer("DescribeStacks", answerOf("DescribeStacks", object{"Stacks": []object{{"StackName": "x", "CreationTime": "2026-01-01T00:00:00Z", "StackStatus": "FINE"}}}, "1")),
		"no time":                  m.CheckAnswer("DescribeStacks", answerOf("DescribeStacks", object{"Stacks": []object{{"StackName": "x", "StackStatus": "CREATE_COMPLETE"}}}, "1")),
	} {
		if len(found) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if found := m.CheckRequest("DescribeStacks", map[string][]string{"Action": {"DescribeStacks"}, "Version": {"2010-05-15"}, "StackName": {"x"}}); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}
