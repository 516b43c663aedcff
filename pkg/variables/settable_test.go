package variables

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestSettable lets a file set variables of a root module: the customer's own, and
// one that the provider keeps for himself.
func TestSettable(t *testing.T) {
	t.Parallel()
	schema, err := Compile("schema.json", []byte(`{"properties": {"region": {}, "environments": {"additionalProperties": {"properties": {"size": {}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{"region": false, "size": true, "break_glass": false}
	const file = "region: eu\nnote: no variable\nbreak_glass: me\nsize: 1\nenvironments:\n  staging:\n    size: 2\n    region: us\n  \"production\":\n    \"break_glass\": me\n"
	for name, c := range map[string]struct {
		rules Settable
		want  []int // lines
	}{
		"a schema":                 {Settable{Declared: declared, Schema: schema}, []int{3, 4, 8, 10}},
		"a schema and a list":      {Settable{Declared: declared, Schema: schema, Open: []string{"size", "break_glass"}}, []int{8}},
		"no schema":                {Settable{Declared: declared}, []int{1, 3, 8, 10}},
		"no schema, all is open":   {Settable{Declared: declared, Open: []string{AnyVariable}}, nil},
		"no variables in the code": {Settable{Schema: schema}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []int
			for _, p := range c.rules.Check("infra/variables.yml", []byte(file), pipeline.Limits{}) {
				lines = append(lines, p.Line)
				if p.Warning || p.Rule != RuleClosedVariable || p.Remedy == "" || p.File != "infra/variables.yml" {
					t.Errorf("%+v", p)
				}
			}
			slices.Sort(lines)
			if diff := cmp.Diff(c.want, lines); diff != "" {
				t.Error(diff)
			}
		})
	}
}
