package variables

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// TestSameEnvironments: names that differ by case alone are an error at the second one,
// and no warning beside it. Settings may differ by case.
func TestSameEnvironments(t *testing.T) {
	t.Parallel()
	for text, line := range map[string]int{
		"environments:\n  staging: {}\n  Staging: {}\n":                           3,
		"environments:\n  LIVE: {}\n  qa: {}\n  Live: {}\n":                       4,
		"environments:\n  größe: {}\n  GRÖSSE-1: {}\n  GRÖßE: {}\n":               4,
		"environments:\n  te\u017ft: {}\n  TEST: {}\n":                            3, // the long s
		"environments:\n  staging: {}\n  staging-2: {}\n":                         0,
		"environments:\n  staging: {Name: a, name: b}\n  live: {name: staging}\n": 0,
	} {
		_, problems := Parse("v", []byte(text), pipeline.Limits{}, nil)
		got := 0
		for _, p := range problems {
			if p.Rule == RuleSameEnvironment && !p.Warning {
				got = p.Line
			} else if p.Line == line {
				t.Errorf("%q: beside it: %v", text, p)
			}
		}
		if got != line {
			t.Errorf("%q: line %d, want %d: %v", text, got, line, problems)
		}
	}
}

// TestLayeredKeys: a key of an environment overrides the top-level key of the same bytes.
// Another Unicode form of it is an error that names both lines, and a key that looks alike
// is a warning.
func TestLayeredKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, rule, at, line string }{
		{"caf\u00e9: a\nenvironments:\n  qa: {x: 1}\n  live:\n    cafe\u0301: b\n", strictyaml.RuleDuplicateKey, "v:5:5", "line 1"},
		{"environments: {qa: {caf\u00e9: b}}\ncafe\u0301: a\n", strictyaml.RuleDuplicateKey, "v:1:21", "line 2"},
		{"environments:\n  qa:\n    \"u\\u0308ber\": b\n\u00fcber: a\n", strictyaml.RuleDuplicateKey, "v:3:5", "line 4"},
		{"\u212bngstrom: 1\nenvironments: {qa: {\u00c5ngstrom: 2}}\n", strictyaml.RuleDuplicateKey, "v:2:21", "line 1"},
		{"\u1112\u1161\u11ab: 1\nenvironments: {qa: {\ud55c: 2}}\n", strictyaml.RuleDuplicateKey, "v:2:21", "line 1"},
		{"region: a\nenvironments: {qa: {Region: b}}\n", RuleSimilarKey, "v:2:21", "line 1"},
		{"a: 1\nregion: a\nenvironments: {qa: {\"region \": b}}\n", RuleSimilarKey, "v:3:21", "line 2"},
		{"caf\u00e9: a\nregion: x\nenvironments: {qa: {caf\u00e9: b, region: c, zone: z, tags: {Zone: 1}}}\n", "", "", ""},
	} {
		doc, problems := Parse("v", []byte(c.text), pipeline.Limits{}, nil)
		found := c.rule == "" && len(problems) == 0
		for _, p := range problems {
			found = found || p.Rule == c.rule && p.Position.String() == c.at && strings.Contains(p.Message, c.line)
		}
		if refused := c.rule == strictyaml.RuleDuplicateKey; !found || (doc == nil) != refused {
			t.Errorf("%q: want %s at %s with %s, got document %v and %v", c.text, c.rule, c.at, c.line, doc != nil, problems)
		}
	}
}
