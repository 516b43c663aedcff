package pipeline_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// narrowed is a customer that has three of four stacks, with two tools.
func narrowed(rules pipeline.PropertyRules) pipeline.Customer {
	terraform, tofu := pipeline.ToolRule{Name: "terraform", Constraint: ">= 1.6, < 2"}, pipeline.ToolRule{Name: "tofu"}
	return pipeline.Customer{Name: "shop", Root: "terraform", Stacks: []pipeline.StackName{"network", "hosts", "dns"}, Manager: pipeline.Manager{
		Properties: &rules, Tool: terraform, Environments: []pipeline.EnvironmentRule{{Name: "staging"}},
		Stacks: []pipeline.StackRule{{Name: "network", Root: "n", Tool: terraform}, {Name: "hosts", Root: "h", Tool: terraform, Needs: []pipeline.StackName{"network"}},
			{Name: "dns", Root: "d", Tool: tofu}, {Name: "secret", Root: "s", Tool: tofu}},
	}}
}

// effect says in one line what properties narrow.
func effect(c pipeline.Customer, raw string) string {
	properties, _ := pipeline.ParseProperties(json.RawMessage(raw)) // what cannot be read is unknown
	p, problems := c.Narrow(properties, config.VersionsOverlap)
	if problems != nil {
		var all []string
		for _, one := range problems {
			all = append(all, one.String())
		}
		if p != nil {
			all = append(all, "AND YET A RESULT")
		}
		return "rejected: " + strings.Join(all, "; ")
	}
	under := c.Under(p)
	words := []string{"stacks " + pipeline.JoinNames(under.StackNames())}
	if p.NoTools {
		words = append(words, "no tools")
	}
	if p.Approval {
		words = append(words, "approval")
	}
	for _, stack := range c.StackNames() {
		_, rule, _ := under.Module(stack)
		if _, own, _ := c.Module(stack); rule.Constraint != own.Constraint {
			words = append(words, fmt.Sprintf("%s %s", stack, rule.Constraint))
		}
	}
	if p.AutoDeploy != "" {
		words = append(words, "auto_deploy "+p.AutoDeploy)
	}
	if region := p.Region(); region != "" {
		words = append(words, "region "+region)
	}
	if p.Content != "" {
		words = append(words, "content "+string(p.Content))
	}
	return strings.Join(words, " | ")
}

// TestNarrowTable: each property in each state that it can have. The effect of no row is
// wider than that of a repository without properties.
func TestNarrowTable(t *testing.T) {
	t.Parallel()
	states := []struct{ name, raw string }{
		{"unset", `{}`}, {"null", `{%q:null}`}, {"undefined, others are there", `{"else":["terraform"]}`},
		{"empty list", `{%q:[]}`}, {"empty text", `{%q:""}`}, {"other case", ``},
		{"list", `{%q:["terraform"]}`}, {"list of stacks", `{%q:["network","dns"]}`}, {"all", `{%q:["terraform","tofu"]}`},
		{"twice", `{%q:["dns","dns"]}`},
		{"without a needed one", `{%q:["hosts"]}`}, {"not offered", `{%q:["terraform","pulumi"]}`}, {"not the customer's", `{%q:["secret"]}`},
		{"hostile list", `{%q:["$(id)","../x","tofu\n::add-mask::x"]}`},
		{"text", `{%q:"terraform"}`}, {"true", `{%q:"true"}`}, {"false", `{%q:"false"}`}, {"yes", `{%q:"yes"}`}, {"TRUE", `{%q:"TRUE"}`}, {"list of true", `{%q:["true"]}`},
		{"boolean true", `{%q:true}`}, {"boolean false", `{%q:false}`}, {"number", `{%q:1.6}`}, {"object", `{%q:{"value":"true"}}`}, {"list with null", `{%q:["terraform",null]}`},
		{"1.6", `{%q:"1.6"}`}, {"1.6.3", `{%q:"1.6.3"}`}, {"1.5", `{%q:"1.5"}`}, {"latest", `{%q:"latest"}`},
		{">= 0.12", `{%q:">= 0.12"}`}, {"1.6, < 9", `{%q:"1.6, < 9"}`}, {"v1.6", `{%q:"v1.6"}`}, {"01.6", `{%q:"01.6"}`},
		{"eu-only", `{%q:"eu-only"}`}, {"global", `{%q:"global"}`}, {"EU-only", `{%q:"EU-only"}`}, {"*", `{%q:"*"}`},
		{"app", `{%q:"app"}`}, {"infra", `{%q:"infra"}`}, {"both", `{%q:"both"}`}, {"App", `{%q:"App"}`}, {"list of app", `{%q:["app"]}`},
		{"list of app and infra", `{%q:["app","infra"]}`}, {"list of both", `{%q:["both"]}`}, {"list of app and more", `{%q:["app","docs"]}`},
		{"not an object", `[]`}, {"all null", `null`}, {"all a text", `"none"`}, {"given twice", `{%[1]q:"true",%[1]q:"false"}`},
	}
	var out strings.Builder
	rules := pipeline.DefaultPropertyRules()
	c := narrowed(rules)
	for _, meaning := range pipeline.PropertyMeanings {
		name := rules.Names[meaning]
		if !meaning.IsInformation() {
			fmt.Fprintf(&out, "# %s (%s)\n", meaning, name)
		}
		for _, state := range states {
			raw := state.raw
			switch {
			case state.name == "other case":
				raw = fmt.Sprintf(`{%q:null,"else":"x"}`, strings.ToUpper(name))
			case strings.Contains(raw, "%"):
				raw = fmt.Sprintf(raw, name)
			}
			got := effect(c, raw)
			if !meaning.IsInformation() {
				fmt.Fprintf(&out, "%-28s %s\n", state.name, got)
			} else if _, err := pipeline.ParseProperties(json.RawMessage(raw)); err == nil && got != "stacks network, hosts, dns" {
				t.Errorf("%s narrows a request: %s", raw, got)
			}
		}
	}
	golden(t, "testdata/properties.golden", out.String())
}

// TestNarrowDefaults: what the manager says about customers without the property, and that
// the property has the say where it is set.
func TestNarrowDefaults(t *testing.T) {
	t.Parallel()
	one := narrowed(pipeline.PropertyRules{Names: map[pipeline.PropertyMeaning]string{pipeline.MeaningTools: "tools"}, DefaultTools: []string{"network", "secret"}})
	none := narrowed(pipeline.PropertyRules{Names: map[pipeline.PropertyMeaning]string{pipeline.MeaningTools: "tools"}, DefaultTools: []string{}})
	unused := narrowed(pipeline.PropertyRules{})
	unnamed := narrowed(pipeline.DefaultPropertyRules())
	unnamed.Manager.Stacks, unnamed.Stacks = nil, nil
	for _, tc := range []struct {
		c         pipeline.Customer
		raw, want string
	}{
		{one, `{}`, "stacks network"},
		{one, `{"tools":["dns"]}`, "stacks dns"},
		{none, `{}`, "stacks  | no tools"},
		{none, `{"tools":["tofu"]}`, "stacks dns"},
		{unused, `{"tools":[],"infrastructure_tools":[],"infrastructure_approval_required":{}}`, "stacks network, hosts, dns"},
		{unnamed, `{"infrastructure_tools":["terraform"],"terraform_version":"1.7"}`, "stacks  |  >= 1.6, < 2, ~> 1.7.0"},
		{unnamed, `{"infrastructure_tools":[]}`, "stacks  | no tools"},
		{unnamed, `{"infrastructure_tools":["tofu"]}`,
			`rejected: property infrastructure_tools: properties: "tofu" is not offered to this customer → remove it from the property (offered are: terraform), or ask your service provider`},
	} {
		if got := effect(tc.c, tc.raw); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.raw, got, tc.want)
		}
	}
	c := narrowed(pipeline.DefaultPropertyRules())
	c.Manager.Properties = nil
	if p, problems := c.Narrow(pipeline.Properties{}, config.VersionsOverlap); p != nil || problems != nil {
		t.Errorf("without rules: %+v, %v", p, problems)
	}
	c.Manager.Properties = &pipeline.PropertyRules{}
	if p, problems := c.Narrow(pipeline.Properties{}, config.VersionsOverlap); p != nil || problems == nil {
		t.Errorf("unknown properties: %+v, %v", p, problems)
	}
}

// TestNarrowNeverWidens: no properties give a customer a stack, a version or an environment
// without a gate that it has not by the files of the manager.
func TestNarrowNeverWidens(t *testing.T) {
	t.Parallel()
	c := narrowed(pipeline.DefaultPropertyRules())
	for _, raw := range []string{
		`{}`, `{"infrastructure_tools":["terraform","tofu"],"terraform_version":"1.9","infrastructure_approval_required":"false","region_restriction":"global"}`,
		`{"infrastructure_tools":["network"],"terraform_version":"1.9.1"}`,
	} {
		properties, err := pipeline.ParseProperties(json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		p, problems := c.Narrow(properties, config.VersionsOverlap)
		if problems != nil {
			t.Fatal(problems)
		}
		under := c.Under(p)
		for _, stack := range under.StackNames() {
			if !c.Has(pipeline.Target{Customer: "shop", Environment: "staging", Stack: stack}) {
				t.Errorf("%s: stack %s", raw, stack)
			}
			_, own, _ := c.Module(stack)
			if _, rule, _ := under.Module(stack); !strings.HasPrefix(rule.Constraint, own.Constraint) {
				t.Errorf("%s: version %s", raw, rule.Constraint)
			}
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var read pipeline.RequestProperties
		if err := pipeline.DecodeExact(again, &read); err != nil || read.Digest() != p.Digest() || !pipeline.IsDigest(p.Digest()) {
			t.Errorf("%s: recorded as %s, read as %+v, %v", raw, again, read, err)
		}
	}
	if c.Manager.Stacks[0].Tool.Constraint != ">= 1.6, < 2" || len(c.Stacks) != 3 {
		t.Errorf("the configuration itself was changed: %+v", c)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (run the test with -update and read the diff):\n%s", file, diff)
	}
}
