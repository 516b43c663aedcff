package recovery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
)

var networkOutputs = pipeline.Target{Customer: "acme", Environment: "staging", Stack: "network"}

// noteOutputs puts outputs of network on record, as an apply does.
func noteOutputs(w *pipelinetest.Setup, value string) {
	w.T.Helper()
	left := record.LeftOutputs{RepositoryID: 7, Request: "1a2b3c4d-0000-4000-8000-000000000001", At: w.Tick(), Values: []pipeline.OutputValue{{Name: "id", Value: json.RawMessage(value)}}}
	if err := record.NoteOutputs(w.T.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), networkOutputs, left); err != nil {
		w.T.Fatal(err)
	}
}

// TestRekeySealsOutputs: dry by default, once with apply, and a later apply is newer.
func TestRekeySealsOutputs(t *testing.T) {
	t.Parallel()
	old, next := store.NewKey(), store.NewKey()
	sealer := func(keys ...store.Key) *store.Sealer {
		return pipelinetest.Must[*store.Sealer](t)(store.NewSealer(keys...))
	}
	w := pipelinetest.New(t)
	w.Sealer = sealer(old)
	noteOutputs(w, `"n1"`)
	r := &recovery.Rekeyer{Store: w.Store, First: sealer(next), All: sealer(next, old), Now: func() time.Time { return w.Now }}
	for _, step := range []struct {
		apply bool
		want  recovery.RekeyState
	}{{false, recovery.RekeyOld}, {true, recovery.RekeyDone}, {true, ""}} {
		result := pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), step.apply))
		if n := len(result.Records); n > 1 || (n == 1) != (step.want != "") || n == 1 && result.Records[0].State != step.want || result.Checked != 1 {
			t.Errorf("apply %v: %+v", step.apply, result)
		}
	}
	left, found, err := record.LoadOutputs(t.Context(), pipelinetest.RecordsOf(w.Store, r.First), networkOutputs)
	if err != nil || !found || string(left.Values[0].Value) != `"n1"` {
		t.Errorf("with the new key alone: %+v, %v, %v", left, found, err)
	}
	w.Sealer = sealer(next)
	noteOutputs(w, `"n2"`)
	if left, _, err = record.LoadOutputs(t.Context(), pipelinetest.RecordsOf(w.Store, r.First), networkOutputs); err != nil || string(left.Values[0].Value) != `"n2"` {
		t.Errorf("a later apply: %+v, %v", left, err)
	}
	r.First, r.All = sealer(store.NewKey()), sealer(store.NewKey())
	if result := pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true)); len(result.Records) != 1 || result.Records[0].State != recovery.RekeyUnknown || result.Records[0].Until == "" {
		t.Errorf("no key opens it: %+v", result)
	}
}

// TestAcceptedStateForgetsOutputs: outputs of the former state do not outlast it, and those
// that no one needs are not looked for.
func TestAcceptedStateForgetsOutputs(t *testing.T) {
	t.Parallel()
	for name, needs := range map[string][]pipeline.StackName{"needed": {"network"}, "not needed": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.NameStacks("network", "hosts")
			w.Current.Manager.Stacks[1].Needs = needs
			w.Engine.Passed = []pipeline.OutputValue{{Name: "id", Value: json.RawMessage(`"n1"`)}}
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			in := pipelinetest.Stack(w.Target(request, "staging"), "network")
			pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
			if needs == nil {
				noteOutputs(w, `"left"`)
			}
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			accepted := recovery.Acceptable{State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "other", Serial: 4}, Resources: 1}, Reason: "by hand"}
			if err := restorer.Accept(t.Context(), in, accepted); err != nil {
				t.Fatal(err)
			}
			if n := len(w.Keys("acme/staging.network/outputs/")); (n == 0) != (needs != nil) {
				t.Errorf("%d records of outputs", n)
			}
		})
	}
}
