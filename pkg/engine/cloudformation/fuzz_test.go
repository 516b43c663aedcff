package cloudformation

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FuzzReferences: values that are accepted make no dynamic reference, however a template joins them.
func FuzzReferences(f *testing.F) {
	for _, seed := range [][3]string{{"{", "{resolve:ssm:a}}", ""}, {"{{re", "solve:ssm:", "x}}"}, {"{r", "esolve:ssm:a", "}}"}, {"a", "{x}", "}}"}, {"{ ", "{ resolve:", ""}, {"", "{R", "ESOLVE:x}}"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	opening := regexp.MustCompile(`(?i)\{\s*\{\s*resolve:`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		p := parameter{kind: "String"}
		for _, value := range []string{a, b, c} {
			if harmless(p, value) != nil {
				return
			}
		}
		for _, joined := range []string{a, b, c, a + b, b + a, a + b + c, c + a + b, a + a, "{" + a, "{" + a + b + c, "{" + b + c + a, a + "{" + b} {
			if found := opening.FindString(joined); found != "" {
				t.Errorf("%q, %q and %q make %q", a, b, c, joined)
			}
		}
	})
}

// FuzzTemplate: every text is a template or an error, and what a parameter with NoEcho holds is known of it.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{demoTemplate, secretTemplate, joining, `{"Resources": {"A": {"Type": "X", "Properties": {"P": {"Fn::Sub": ["${S}", {}]}}}}, "Parameters": {"S": {"Type": "String", "NoEcho": true}}}`, "a: &a [*a]\n", "Resources: {A: *b}\n", nestedAliases(40), nestedSplits(40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseTemplate([]byte(text))
		if err != nil {
			return
		}
		if len(parsed.resources) == 0 || len(parsed.order) != len(parsed.parameters) {
			t.Errorf("it accepts %q as %+v", text, parsed)
		}
		if nodes := countNodes(parsed.top); parsed.reads.looks > looksPerNode*nodes {
			t.Errorf("it looks %d times at %d nodes of %q", parsed.reads.looks, nodes, text)
		}
	})
}

// FuzzChanges: no answer of AWS makes a plan panic or show a secret.
func FuzzChanges(f *testing.F) {
	f.Add("Modify", "First", `{"Properties":{"SecretString":"open-sesame-1","Name":"a"}}`, `{"Properties":{"SecretString":"open-sesame-2","Name":["b",{"c":null}]}}`, "SecretString", "****", "{{changeSet:KNOWN_AFTER_APPLY}}")
	f.Add("Remove", "A\x1b[31m", "", "{", "Path", "x", "y")
	f.Add("Dynamic", "", "[]", `{"Properties":1}`, "", "", "")
	f.Fuzz(func(t *testing.T, action, logical, before, after, name, old, later string) {
		job := pipeline.Job{Customer: pipeline.Customer{Name: "acme"}, Environment: "staging", Log: &terraformtest.LogBuffer{}, Dir: t.TempDir()}
		w := New(Options{}).workspaceOf(job)
		w.template.resources = map[string]resource{logical: {secret: map[string]bool{"Hidden": true}}}
		const secret = "a-secret-value"
		for _, property := range []string{"Hidden", "Password", "MasterUserPassword"} {
			p := pipeline.Plan{}
			w.model(&p, []types.Change{{Type: types.ChangeTypeResource, ResourceChange: &types.ResourceChange{Action: types.ChangeAction(action), LogicalResourceId: &logical, ResourceType: &name,
				BeforeContext: &before, AfterContext: aws.String(`{"Properties":{"` + property + `":{"in":["` + secret + `"]}}}`),
				Details: []types.ResourceChangeDetail{{Target: &types.ResourceTargetDefinition{Attribute: types.ResourceAttributeProperties, Name: &name, BeforeValue: &old, AfterValue: &later}}, {}}}},
				{Type: types.ChangeTypeResource, ResourceChange: &types.ResourceChange{BeforeContext: &before, AfterContext: &after}}, {Type: types.ChangeType(name)}}, "")
			w.finish(&p)
			for _, c := range p.Changes {
				for _, a := range c.Attributes {
					if strings.Contains(a.After.Text, secret) {
						t.Errorf("it shows %s in %s", a.After.Text, a.Path)
					}
				}
			}
		}
		if _, err := canonical(changeSet{changes: []types.Change{{ResourceChange: &types.ResourceChange{BeforeContext: &before, AfterContext: &after}}}}); err != nil {
			t.Error(err)
		}
	})
}
