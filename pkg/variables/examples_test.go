package variables_test

import (
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

// TestExamples reads the example customer's file and the change that the demo
// proposes, under the example manager's schema.
func TestExamples(t *testing.T) {
	t.Parallel()
	schema, err := variables.Compile("variables.schema.json", read(t, "../../examples/manager/schema/variables.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"customer": "infra/variables.yml", "proposal": ".rehearsal/variables.yml"} {
		doc, _, problems := variables.LoadFile("../../examples/customer", file, pipeline.Limits{}, schema)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", file, problems)
		}
		for _, env := range []pipeline.Environment{"staging", "production"} {
			effective, err := doc.Effective(env)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata/examples", name+"."+string(env)+".golden"), string(effective.Source))
		}
	}
}
