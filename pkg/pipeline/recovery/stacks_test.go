package recovery_test

import (
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// TestRekeySealsStacks: the last apply of each stack is sealed again, beside that of the
// unnamed stack.
func TestRekeySealsStacks(t *testing.T) {
	t.Parallel()
	w, r := rotated(t)
	sealer := w.Sealer
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")))
	request = w.WithStacks(request, "network", "hosts")
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		in := pipelinetest.Stack(w.Target(request, "staging"), stack)
		w.Tick()
		pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
	}
	result := pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))
	if got := states(result); got != "resealed resealed resealed" {
		t.Errorf("%q", got)
	}
	for _, stack := range []pipeline.StackName{"", "network", "hosts"} {
		of := pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack}
		last, err := pipelinetest.LastApplyOf(t.Context(), w.Store, r.First, of)
		if err != nil || stack != "" && last.Request != request.ID {
			t.Errorf("%s with the new key alone: %s, %v", of, last.Request, err)
		}
		if _, err := pipelinetest.LastApplyOf(t.Context(), w.Store, sealer, of); err == nil {
			t.Errorf("the newest record of %s is under the old key", of)
		}
	}
	if keys := pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), "acme/")); !slices.IsSorted(keys) {
		t.Error("the store lists out of order, and rekey groups by neighbors")
	}
}
