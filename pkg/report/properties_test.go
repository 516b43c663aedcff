package report

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// accepted is a request of a customer with one stack, with these properties.
func accepted(t *testing.T, raw string) pipeline.Request {
	t.Helper()
	rules := pipeline.DefaultPropertyRules()
	c := pipeline.Customer{Name: "shop", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: "terraform"}, Properties: &rules}}
	properties, err := pipeline.ParseProperties(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	used, problems := c.Narrow(properties, func(string, string) bool { return true })
	if problems != nil {
		t.Fatal(problems)
	}
	return pipeline.Request{ID: "1a2b3c4d-0000-4000-8000-000000000000", Customer: "shop", Properties: used}
}

// TestPropertiesAreShown: the head of comment and summary names the properties that are
// set, and what they do.
func TestPropertiesAreShown(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{}`: "",
		`{"infrastructure_tools":["terraform"],"infrastructure_approval_required":"true","terraform_version":"1.9","region_restriction":"eu-only"}`: "Custom properties: " +
			"`infrastructure_tools` = `terraform` · `terraform_version` = `1.9` (`~> 1.9.0`) · " +
			"`infrastructure_approval_required` = `true` (each apply needs an approval) · `region_restriction` = `eu-only`\n\n",
		`{"infrastructure_tools":[]}`: "Custom properties: `infrastructure_tools` = an empty list (nothing is deployed)\n\n",
	} {
		request := accepted(t, raw)
		if got := propertyWords(request); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
		if comment := (Renderer{}).Comment(pipeline.Report{Request: request}); !strings.Contains(comment, want) {
			t.Errorf("%s: not in the comment:\n%s", raw, comment)
		}
	}
}

// TestNoToolsIsSaid: a request for nothing ends well, and says why and that nothing is lost.
func TestNoToolsIsSaid(t *testing.T) {
	t.Parallel()
	report := pipeline.Report{Request: accepted(t, `{"infrastructure_tools":[]}`)}
	const want = "No tools enabled: nothing is deployed, and nothing is destroyed"
	if got := (Renderer{}).Status(report, pipeline.Target{}); got != want || report.Overall() != pipeline.StatusSuccess {
		t.Errorf("%s, %s", got, report.Overall())
	}
	if summary := (Renderer{}).Summary(report); !strings.Contains(summary, want) || !strings.Contains(summary, signGood) {
		t.Errorf("summary:\n%s", summary)
	}
}
