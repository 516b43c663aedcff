package pipeline_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestStricter: what a plan that waits has to do with a property that changes. It counts only
// in one direction, and what cannot be read says nothing.
func TestStricter(t *testing.T) {
	t.Parallel()
	const before = `{"infrastructure_tools":["network","dns"],"terraform_version":"1.9","region_restriction":"eu-only"}`
	for name, tc := range map[string]struct {
		now, says string
		target    string // network when empty
		change    func(c *pipeline.Customer, r *pipeline.Request)
	}{
		"the same":                   {now: before},
		"unreadable":                 {now: `[]`},
		"all taken back":             {now: `{}`},
		"more tools":                 {now: `{"infrastructure_tools":["network","hosts","dns"],"region_restriction":"eu-only"}`},
		"without the stack":          {now: `{"infrastructure_tools":["dns"]}`, says: "infrastructure_tools does not enable stack network"},
		"without another stack":      {now: `{"infrastructure_tools":["network"]}`},
		"no tools":                   {now: `{"infrastructure_tools":[]}`, says: "infrastructure_tools does not enable stack network"},
		"only an application":        {now: `{"repo_content_type":"app"}`, says: "repo_content_type is app, so the repository asks for no infrastructure"},
		"with an application":        {now: `{"repo_content_type":["infra","app"]}`},
		"a tool that is not offered": {now: `{"infrastructure_tools":["network","pulumi"]}`, says: `"pulumi" is not offered`},
		"an approval":                {now: `{"infrastructure_approval_required":"true"}`, says: "infrastructure_approval_required asks for an approval"},
		"no approval":                {now: `{"infrastructure_approval_required":"false"}`},
		"an approval of a gated one": {now: `{"infrastructure_approval_required":"true"}`, change: func(c *pipeline.Customer, _ *pipeline.Request) { c.Manager.Environments[0].Gated = true }},
		"an approval, asked before":  {now: `{"infrastructure_approval_required":"true"}`, change: func(_ *pipeline.Customer, r *pipeline.Request) { r.Properties.Approval = true }},
		"a version that it has":      {now: `{"terraform_version":"1.9.5"}`},
		"another version":            {now: `{"terraform_version":"1.10"}`, says: "terraform_version asks for ~> 1.10.0, and the plan was made with terraform 1.9.5"},
		"a version of another tool":  {now: `{"terraform_version":"1.10","infrastructure_tools":["dns"]}`, target: "dns"},
		"another region":             {now: `{"region_restriction":"us-only"}`, says: "region_restriction is us-only"},
		"any region":                 {now: `{"region_restriction":"global"}`},
		"a region where none was": {now: `{"region_restriction":"eu-only"}`, says: "region_restriction is eu-only", change: func(_ *pipeline.Customer, r *pipeline.Request) {
			r.Properties.Used[slices.IndexFunc(r.Properties.Used, func(u pipeline.UsedProperty) bool { return u.Meaning == pipeline.MeaningRegion })].Value = pipeline.Property{}
		}},
		"none counted then": {now: `{"region_restriction":"us-only"}`, change: func(_ *pipeline.Customer, r *pipeline.Request) { r.Properties = nil }},
		"the provider's change": {now: before, change: func(c *pipeline.Customer, _ *pipeline.Request) {
			c.Manager.Tool.Constraint, c.Stacks = ">= 2", []pipeline.StackName{"dns"}
		}},
		"pushes are planned only":      {now: `{"spacelift_auto_deploy":"false"}`, says: "spacelift_auto_deploy is false"},
		"pushes are applied":           {now: `{"spacelift_auto_deploy":"true"}`},
		"pushes, and it is by hand":    {now: `{"spacelift_auto_deploy":"false"}`, change: func(_ *pipeline.Customer, r *pipeline.Request) { r.Event = "workflow_dispatch" }},
		"metapipe.yml uses none":       {now: `{"infrastructure_tools":[]}`, change: func(c *pipeline.Customer, _ *pipeline.Request) { c.Manager.Properties = nil }},
		"a destroy ends what is there": {now: `{"infrastructure_tools":[]}`, change: func(_ *pipeline.Customer, r *pipeline.Request) { r.Mode, r.Properties = pipeline.ModeDestroy, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := narrowed(pipeline.DefaultPropertyRules())
			then, err := pipeline.ParseProperties(json.RawMessage(before))
			if err != nil {
				t.Fatal(err)
			}
			request := pipeline.Request{Mode: pipeline.ModeApply, Event: "push", Repository: pipeline.Repository{Slug: pipeline.Slug{Owner: "acme", Name: "shop"}}}
			var problems pipeline.Problems
			if request.Properties, problems = c.Narrow(then, config.VersionsOverlap); problems != nil {
				t.Fatal(problems)
			}
			if tc.change != nil {
				tc.change(&c, &request)
			}
			target, tool := pipeline.Target{Customer: "shop", Environment: "staging", Stack: "network"}, pipeline.ToolVersion{Name: "terraform", Version: "1.9.5"}
			if tc.target != "" {
				target.Stack, tool.Name = pipeline.StackName(tc.target), "tofu"
			}
			now, _ := pipeline.ParseProperties(json.RawMessage(tc.now)) // what cannot be read is unknown
			refused := c.Stricter(request, target, tool, now, config.VersionsOverlap)
			if tc.says == "" {
				if refused != nil {
					t.Errorf("the plan is taken out of use: %v", refused)
				}
				return
			}
			if refused == nil || refused.Reason != pipeline.ReasonStaleProperties || !strings.Contains(refused.Message, tc.says) || !strings.Contains(refused.Message, "acme/shop") || refused.Next == "" {
				t.Errorf("got %+v, want one that says %q", refused, tc.says)
			}
		})
	}
}
