package variables

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
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
