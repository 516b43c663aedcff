package cloudformation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// changeSetAnswer is what CloudFormation says of a change set that adds one resource; nested is the change set of a
// nested stack.
func changeSetAnswer(id, logical, kind, nested string) string {
	if nested != "" {
		nested = "<ChangeSetId>" + nested + "</ChangeSetId>"
	}
	return fmt.Sprintf(`<DescribeChangeSetResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeChangeSetResult><ChangeSetId>%s</ChangeSetId><StackId>stack</StackId>`+
		`<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes><member><Type>Resource</Type><ResourceChange><Action>Add</Action>`+
		`<LogicalResourceId>%s</LogicalResourceId><ResourceType>%s</ResourceType>%s</ResourceChange></member></Changes></DescribeChangeSetResult></DescribeChangeSetResponse>`, id, logical, kind, nested)
}

// TestNestedStacks: what a nested stack changes is part of the plan, at any depth.
func TestNestedStacks(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"root":  changeSetAnswer("root", "Network", "AWS::CloudFormation::Stack", "inner"),
		"inner": changeSetAnswer("inner", "Subnets", "AWS::CloudFormation::Stack", "leaf"),
		"leaf":  changeSetAnswer("leaf", "Zone", "AWS::EC2::Subnet", ""),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(answers[r.FormValue("ChangeSetName")]))
	}))
	t.Cleanup(server.Close)
	engine := New(Options{Environ: []string{"AWS_ENDPOINT_URL_CLOUDFORMATION=" + server.URL, "AWS_ACCESS_KEY_ID=" + cfntest.AccessKey, "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=eu-central-1"}})
	job := pipeline.Job{Customer: pipeline.Customer{Name: "acme"}, Environment: "staging", Dir: t.TempDir(), Log: &terraformtest.LogBuffer{}}
	w := engine.workspaceOf(job)
	var err error
	if w.api, err = engine.connect(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	c, err := w.read(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	var p pipeline.Plan
	if err := w.explain(t.Context(), c, &p, ""); err != nil {
		t.Fatal(err)
	}
	w.finish(&p)
	var addresses []string
	for _, change := range p.Changes {
		addresses = append(addresses, change.Address)
	}
	if got := strings.Join(addresses, " "); got != "Network Network.Subnets Network.Subnets.Zone" || p.Counts.Create != 3 {
		t.Errorf("planned %s: %+v", got, p.Counts)
	}
}

// TestChosenReferences: a template that lets a customer choose what a dynamic reference reads is warned of.
func TestChosenReferences(t *testing.T) {
	t.Parallel()
	const template = `Parameters:
  Name: {Type: String}
  Customer: {Type: String}
Resources:
  Bad: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "{{resolve:ssm:/${Name}}}"}}
  Good: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "{{resolve:ssm:/of/${Customer}}} ${AWS::Region}"}}
`
	b := newBench(t, template, "name: x\n")
	problems, parsed := b.Engine.(*Engine).CheckRoot(b.Job.ManagerDir, "stack", toolName)
	if len(problems) != 1 || !problems[0].Warning || problems[0].Line != 5 || !parsed {
		t.Errorf("found %+v", problems)
	}
}
