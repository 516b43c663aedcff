package render

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

// TestChoicesAreShown: the head of the comment names the tools, the version and the
// approvals of the request, each with who says so.
func TestChoicesAreShown(t *testing.T) {
	t.Parallel()
	const provider = "set by your service provider"
	customer := func(change func(*pipeline.Customer)) pipeline.Customer {
		rules := pipeline.DefaultPropertyRules()
		tool := pipeline.ToolRule{Name: "terraform", Constraint: ">= 1.6"}
		c := pipeline.Customer{Name: "shop", Manager: pipeline.Manager{Tool: tool, Properties: &rules,
			Environments: []pipeline.EnvironmentRule{{Name: "staging"}, {Name: "production", Gated: true}},
			Stacks:       []pipeline.StackRule{{Name: "network", Root: "n", Tool: tool}, {Name: "dns", Root: "d", Tool: tool}}}}
		if change != nil {
			change(&c)
		}
		return c
	}
	for raw, tc := range map[string]struct {
		change func(*pipeline.Customer)
		want   string
	}{
		`{}`: {nil, "Tools: `network, dns` (" + provider + ") · Version: `terraform >= 1.6` (" + provider + ") · Approval: `production` (" + provider + ")\n\n"},
		`{"infrastructure_tools":["dns"],"terraform_version":"1.9","infrastructure_approval_required":"true"}`: {nil,
			"Tools: `dns` (property `infrastructure_tools`) · Version: `terraform >= 1.6, ~> 1.9.0` (" + provider + " and property `terraform_version`) · " +
				"Approval: `staging, production` (" + provider + " and property `infrastructure_approval_required`)\n\n"},
		`{"infrastructure_tools":[],"terraform_version":"latest","infrastructure_approval_required":"false"}`: {nil,
			"Tools: none (property `infrastructure_tools`) · Version: `terraform >= 1.6` (" + provider + ") · Approval: `production` (" + provider + ")\n\n"},
		`{"repo_content_type":"app"}`: {nil, "Tools: none (property `repo_content_type`) · Version: `terraform >= 1.6` (" + provider + ") · Approval: `production` (" + provider + ")\n\n"},
		`{"terraform_version":"1.9.5","infrastructure_approval_required":"true","else":"x"}`: {func(c *pipeline.Customer) {
			c.Manager.Stacks, c.Manager.Tool.Constraint, c.Manager.Environments[1].Gated = nil, "", false
		}, "Tools: `terraform` (" + provider + ") · Version: `terraform = 1.9.5` (property `terraform_version`) · Approval: `staging, production` (property `infrastructure_approval_required`)\n\n"},
		`{"else":"x"}`: {func(c *pipeline.Customer) {
			c.Manager.Stacks, c.Manager.Tool.Constraint, c.Manager.Environments[1].Gated = nil, "", false
		}, "Tools: `terraform` (" + provider + ") · Version: any (" + provider + ") · Approval: none (" + provider + ")\n\n"},
	} {
		properties, err := pipeline.ParseProperties(json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		used, problems := customer(tc.change).Narrow(properties, func(string, string) bool { return true })
		if problems != nil {
			t.Fatal(problems)
		}
		request := pipeline.Request{ID: "1a2b3c4d-0000-4000-8000-000000000000", Customer: "shop", Properties: used}
		for name, text := range map[string]string{"comment": (Renderer{}).Comment(pipeline.Report{Request: request}), "summary": (Renderer{}).Summary(pipeline.Report{Request: request})} {
			if !strings.Contains(text, tc.want) {
				t.Errorf("%s: the %s lacks %q:\n%s", raw, name, tc.want, text)
			}
		}
	}
	if got := choiceWords(pipeline.Request{}); got != "" {
		t.Errorf("without properties: %q", got)
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
