package recovery_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
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

// rekeying is a setup with outputs under an old key, and a rekeyer with both keys.
func rekeying(t *testing.T) (*pipelinetest.Setup, *recovery.Rekeyer) {
	t.Helper()
	old, next := store.NewKey(), store.NewKey()
	sealer := func(keys ...store.Key) *store.Sealer {
		return pipelinetest.Must[*store.Sealer](t)(store.NewSealer(keys...))
	}
	w := pipelinetest.New(t)
	w.Sealer = sealer(old)
	noteOutputs(w, `"n1"`)
	return w, &recovery.Rekeyer{Store: w.Store, First: sealer(next), All: sealer(next, old), Now: w.Tick}
}

// wantOutputs wants that value on record, read with all keys; empty: none is.
func wantOutputs(t *testing.T, what string, w *pipelinetest.Setup, sealer pipeline.Sealer, value string) {
	t.Helper()
	left, found, err := record.LoadOutputs(context.Background(), record.Records{Store: w.Store, Sealer: sealer}, networkOutputs)
	if err != nil || found != (value != "") || found && string(left.Values[0].Value) != value {
		t.Errorf("%s: %+v, %v, %v, want %s", what, left, found, err, value)
	}
}

// TestRekeyOfOutputsIsRepeatable stops it at each of its calls, before it or after it has come
// through: the outputs are readable at any time, and at the end with the new key alone.
func TestRekeyOfOutputsIsRepeatable(t *testing.T) {
	t.Parallel()
	pipelinetest.EachCall(t, func(t *testing.T, n *pipelinetest.Fault) {
		w, r := rekeying(t)
		stopped := *r
		stopped.Store = pipelinetest.FaultStore{Store: w.Store, Fault: n}
		if _, err := stopped.Run(t.Context(), true); err != nil && !n.Hit || err == nil && n.Hit {
			t.Fatalf("hit %v: %v", n.Hit, err)
		}
		wantOutputs(t, "after the stop", w, r.All, `"n1"`)
		pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))
		wantOutputs(t, "at the end", w, r.First, `"n1"`)
		w.Sealer = r.First.(*store.Sealer)
		noteOutputs(w, `"n2"`)
		wantOutputs(t, "after an apply", w, r.First, `"n2"`)
		if n := len(w.Keys(record.OutputsPrefix(networkOutputs))); n != 1 {
			t.Errorf("%d records of outputs", n)
		}
	})
}

// beforeWrite calls a function before the first write of outputs.
type beforeWrite struct {
	pipeline.Store
	do *func()
}

func (s beforeWrite) Create(ctx context.Context, key string, body io.Reader) error {
	if do := *s.do; do != nil && strings.Contains(key, "/outputs/") {
		*s.do = nil
		do()
	}
	return s.Store.Create(ctx, key, body)
}

// TestRekeyBesideAnApply: what an apply leaves while outputs are sealed again counts, also
// where that is not known, and where the clock of its runner is behind.
func TestRekeyBesideAnApply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		apply func(w *pipelinetest.Setup)
		want  string
	}{
		"new outputs":     {func(w *pipelinetest.Setup) { noteOutputs(w, `"n2"`) }, `"n2"`},
		"a late clock":    {func(w *pipelinetest.Setup) { w.Now = w.Now.Add(-time.Hour); noteOutputs(w, `"n2"`) }, `"n2"`},
		"unknown outputs": {func(w *pipelinetest.Setup) { _ = record.ForgetOutputs(w.T.Context(), w.Store, networkOutputs) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := rekeying(t)
			apply := func() { c.apply(w) }
			beside := *r
			beside.Store = beforeWrite{w.Store, &apply}
			pipelinetest.Must[recovery.RekeyResult](t)(beside.Run(t.Context(), true))
			if apply != nil {
				t.Fatal("nothing was sealed again")
			}
			wantOutputs(t, "beside the apply", w, r.All, c.want)
			pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))
			wantOutputs(t, "run again", w, r.First, c.want)
			third := *r
			third.First = pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
			third.All = r.All
			pipelinetest.Must[recovery.RekeyResult](t)(third.Run(t.Context(), true))
			wantOutputs(t, "under a third key", w, third.First, c.want)
		})
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
