package variables_test

import (
	"bytes"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// FuzzParse holds that nothing panics, that a refusal has a reason, and that
// what is accepted reads back as the very same values.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yml", "testdata/good/*.yml"} {
		for _, file := range list(f, pattern) {
			f.Add(read(f, file))
		}
	}
	schema := testSchema(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, problems := variables.Parse("v.yml", raw, pipeline.Limits{}, schema); len(problems) > 100 {
			t.Fatalf("%d problems", len(problems))
		}
		doc, problems := variables.Parse("v.yml", raw, pipeline.Limits{}, nil)
		if (doc == nil) != (problems.Err() != nil) {
			t.Fatalf("document %v beside %v", doc, problems)
		}
		if doc == nil {
			return
		}
		for _, e := range doc.Environments() {
			if env, err := pipeline.ParseEnvironment(e.Name); err == nil {
				roundTrip(t, doc, env)
			}
		}
	})
}

func roundTrip(t *testing.T, doc *variables.Document, env pipeline.Environment) {
	t.Helper()
	first, err := doc.Effective(env)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := variables.Parse("again.yml", first.Source, pipeline.Limits{VariablesBytes: 1 << 20}, nil)
	if len(first.Source) > 1<<20 {
		return
	}
	if again == nil {
		t.Fatalf("cannot read our own text: %v\n%s", problems, first.Source)
	}
	second, err := again.Effective(env)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Whole, second.Whole) || !bytes.Equal(first.Source, second.Source) {
		t.Fatalf("not the same after reading back:\n%s\n%s", first.Whole, second.Whole)
	}
}
