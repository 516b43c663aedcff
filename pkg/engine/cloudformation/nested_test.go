package cloudformation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
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
	w.explain(&p, c.changes, "")
	for _, nested := range c.nested {
		w.explain(&p, nested.changes, nested.prefix)
	}
	w.finish(&p)
	var addresses []string
	for _, change := range p.Changes {
		addresses = append(addresses, change.Address)
	}
	if got := strings.Join(addresses, " "); got != "Network Network.Subnets Network.Subnets.Zone" || p.Counts.Create != 3 {
		t.Errorf("planned %s: %+v", got, p.Counts)
	}
	said, err := canonical(c)
	if err != nil {
		t.Fatal(err)
	}
	answers["leaf"] = strings.Replace(answers["leaf"], "Add", "Remove", 1)
	if c, err = w.read(t.Context(), "root"); err != nil {
		t.Fatal(err)
	}
	if other, err := canonical(c); err != nil || bytes.Equal(other, said) {
		t.Errorf("what it says does not tell a removal from an addition in a nested stack: %v", err)
	}
	answers["leaf"] = changeSetAnswer("leaf", "Again", "AWS::CloudFormation::Stack", "leaf")
	if _, err := w.read(t.Context(), "root"); err == nil || !strings.Contains(err.Error(), "stacks deep") {
		t.Errorf("a stack that holds itself: %v", err)
	}
}

// nestedIn lets the resource First of a bench be a nested stack, whose change set has the action that is given.
func nestedIn(t *testing.T, b *bench, action *string) {
	t.Helper()
	o := b.Engine.(*Engine).options
	target, err := url.Parse(o.Environ.Get("AWS_ENDPOINT_URL_CLOUDFORMATION"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		content, err := io.ReadAll(r.Body)
		content = bytes.Replace(content, []byte("<LogicalResourceId>First</LogicalResourceId>"), []byte("<LogicalResourceId>First</LogicalResourceId><ChangeSetId>arn:inner</ChangeSetId>"), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		r.Header.Set("Content-Length", strconv.Itoa(len(content)))
		return err
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err == nil && bytes.Contains(content, []byte("ChangeSetName=arn%3Ainner")) {
			_, _ = io.WriteString(rw, strings.Replace(changeSetAnswer("arn:inner", "Zone", "AWS::EC2::Subnet", ""), "Add", *action, 1))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	o.Environ = append(slices.Clone(o.Environ), "AWS_ENDPOINT_URL_CLOUDFORMATION="+server.URL)
	b.Engine = New(o)
}

// TestNestedOfAnotherPlan: what a nested stack changes is in the fingerprint, and an apply is refused when it is not any
// more what the plan has shown.
func TestNestedOfAnotherPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoTemplate, terraformtest.DefaultVariables)
	action := "Add"
	nestedIn(t, &b, &action)
	first := b.plan(t)
	if same := b.again(t).plan(t); same.Fingerprint != first.Fingerprint || first.Fingerprint == "" {
		t.Errorf("the same plan has the fingerprints %q and %q", first.Fingerprint, same.Fingerprint)
	}
	action = "Remove"
	if other := b.again(t).plan(t); other.Fingerprint == first.Fingerprint {
		t.Error("another plan has the same fingerprint")
	}
	var refused *pipeline.RefusedError
	if applied, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, first)); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState || applied.Started {
		t.Errorf("applied %+v: %v", applied, err)
	}
	action = "Add"
	if _, err := b.Engine.Apply(t.Context(), b.Job, storedOf(t, first)); err != nil {
		t.Errorf("the plan as it was shown: %v", err)
	}
}

// TestBesideResources: changes of outputs, of tags and of secrets are in the fingerprint, too, beside those of resources.
func TestBesideResources(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretTemplate, secretVariables)
	first := b.plan(t)
	tags := b.again(t)
	tags.Job.Customer.Manager.Tool.CloudFormation.Tags = map[string]string{"owner": "platform"}
	secret := b.again(t)
	secret.with(t, "", strings.Replace(secretVariables, "open-sesame-1", "open-sesame-2", 1))
	prints := map[string]string{"first": first.Fingerprint, "tags": tags.plan(t).Fingerprint, "secret": secret.plan(t).Fingerprint}
	outputs := b.again(t)
	outputs.with(t, secretTemplate+"  Third: {Value: !Ref Name}\n", "")
	prints["outputs"] = outputs.plan(t).Fingerprint
	seen := map[string]string{}
	for what, print := range prints {
		if other, taken := seen[print]; taken || print == "" {
			t.Errorf("%s and %s have the same fingerprint", what, other)
		}
		seen[print] = what
	}
}
