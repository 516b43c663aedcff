package variables_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestIndentationHidesWhatFollowsFromIt uses a schema that knows no further keys
// at the top, so that each line at the wrong level breaks a second rule.
func TestIndentationHidesWhatFollowsFromIt(t *testing.T) {
	t.Parallel()
	schema, err := variables.Compile("s.json", []byte(`{"type": "object", "additionalProperties": false, "properties": {"team": {"type": "string"}, "environments": {"type": "object",
		"additionalProperties": {"type": "object", "additionalProperties": false, "properties": {"region": {"type": "string"}, "size": {"type": "integer"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"environments:\npier:\n  region: north\ndock:\n  region: s\n":                           "indent lines 2–5",
		"environments:\npier:\n  region: north\n  size: 2\n  dock:\n    region: s\n":            "indent lines 2–4: they",
		"environments:\nteam: x\npier:\n  region: north\n":                                      "indent lines 3–4",
		"environments:\n  dock:\n    region: s\npier:\n  region: north\n":                       "indent lines 4–5",
		"environments:\n  quay:\n    size: 1\npier:\n  region: north\n  dock:\n    region: s\n": "indent lines 4–5 if",
		"environments:\n  dock:\n    region: s\nsize: 4\nteam: x\n":                             "indent line 4 below",
		"environments:\n  dock:\nregion: s\nsize: 4\n":                                          "indent lines 3–4",
	} {
		_, problems := variables.Parse("f", []byte(text), pipeline.Limits{}, schema)
		if len(problems) != 1 || problems[0].Warning || !strings.Contains(problems[0].Remedy, want) {
			t.Errorf("%q: %v\nwant %s alone", text, problems, want)
		}
	}
}
