package registry_test

import (
	"encoding/json"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestRenameMovesOutputs: what a stack needs is on record under the new name too, bound to
// it, and a rename that runs again writes nothing more.
func TestRenameMovesOutputs(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.NameStacks("network", "hosts")
	w.Current.Manager.Stacks[1].Needs = []pipeline.StackName{"network"}
	w.Engine.Passed = []pipeline.OutputValue{{Name: "id", Value: json.RawMessage(`"n1"`)}}
	applyStacks(w, 1)
	for range 2 {
		if err := w.Rename("acme", "store"); err != nil {
			t.Fatal(err)
		}
		left, found, err := record.LoadOutputs(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), stackOf("store", "network"))
		if err != nil || !found || string(left.Values[0].Value) != `"n1"` || left.RepositoryID != 7 {
			t.Errorf("%+v, %v, %v", left, found, err)
		}
		if n := len(w.Keys("store/staging.network/outputs/")); n != 1 {
			t.Errorf("%d records of outputs", n)
		}
	}
	applyStacks(w, 2)
}
