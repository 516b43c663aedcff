package recovery_test

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestRekeySealsStacks: the last apply of each stack is sealed again.
func TestRekeySealsStacks(t *testing.T) {
	t.Parallel()
	old, next := store.NewKey(), store.NewKey()
	sealer := func(keys ...store.Key) *store.Sealer {
		return pipelinetest.Must[*store.Sealer](t)(store.NewSealer(keys...))
	}
	w := pipelinetest.New(t)
	w.Sealer = sealer(old)
	w.NameStacks("network", "hosts")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")))
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		in := pipelinetest.Stack(w.Target(request, "staging"), stack)
		w.Tick()
		pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
	}
	r := &recovery.Rekeyer{Store: w.Store, First: sealer(next), All: sealer(next, old), Now: func() time.Time { return w.Now }}
	if got := states(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))); got != "resealed resealed" {
		t.Errorf("%q", got)
	}
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		of := pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack}
		if last, err := pipelinetest.LastApplyOf(t.Context(), w.Store, r.First, of); err != nil || last.Request != request.ID {
			t.Errorf("%s with the new key alone: %s, %v", of, last.Request, err)
		}
		if _, err := pipelinetest.LastApplyOf(t.Context(), w.Store, w.Sealer, of); err == nil {
			t.Errorf("the newest record of %s is under the old key", of)
		}
	}
}
