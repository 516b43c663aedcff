package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
)

// NewApplied is a setup with one applied target: staging.
func NewApplied(t *testing.T) *Setup {
	t.Helper()
	w := New(t)
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	return w
}

// PlanAgain plans staging for a new push.
func (w *Setup) PlanAgain() error {
	w.T.Helper()
	a := w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")
	if w.Current.SharedRepository {
		a.Customer = w.Current.Name
		a.ID = a.OwnID()
	}
	request := Must[pipeline.Request](w.T)(w.Send(a))
	_, err := w.Plan(request, "staging")
	return err
}

// StateFound lets a plan find another state than the engine left.
func StateFound(lineage string, serial uint64, resources int) func(*pipeline.Planned) {
	return func(p *pipeline.Planned) {
		p.State, p.Resources = pipeline.StateVersion{Lineage: lineage, Serial: serial}, resources
	}
}

func TestPlanRefusesALostState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		finds func(*pipeline.Planned)
		why   string // empty: the plan is fine
	}{
		"gone":            {StateFound("", 0, 0), "holds no state"},
		"another lineage": {StateFound("other", 9, 2), "another one"},
		"older":           {StateFound("l", 0, 2), "older one"},
		"emptied":         {StateFound("l", 7, 0), "is empty"},
		"the same":        {StateFound("l", 1, 2), ""},
		"newer":           {StateFound("l", 8, 1), ""},
		"encrypted":       {StateFound("l", 1, pipeline.UnknownResources), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewApplied(t)
			w.Engine.ChangePlanned = c.finds
			err := w.PlanAgain()
			var refused *pipeline.RefusedError
			switch {
			case c.why == "" && err == nil:
			case c.why == "" || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost:
				t.Fatalf("err = %v", err)
			case !ContainsAll(err.Error(), c.why, "metapipe state restore --customer acme --environment staging"):
				t.Errorf("the operator reads: %v", err)
			case strings.Contains(refused.Message+refused.Next, "metapipe") || !ContainsAll(refused.Message, "nothing was changed") || !ContainsAll(refused.Next, "nothing to do"):
				t.Errorf("the customer reads: %s → %s", refused.Message, refused.Next)
			}
		})
	}
}

// TestLostStateByEachMemory: the sealed record and the ledger know the state each by
// itself, and a key that is not at hand is not taken for a target that was never applied.
func TestLostStateByEachMemory(t *testing.T) {
	t.Parallel()
	remove := func(w *Setup, prefix string) {
		for _, key := range Must[[]string](w.T)(w.Store.List(context.Background(), prefix)) {
			if err := w.Store.Delete(context.Background(), key); err != nil {
				w.T.Fatal(err)
			}
		}
	}
	for name, forget := range map[string]func(*Setup){
		"record alone": func(w *Setup) { remove(w, "acme/staging/ledger/") },
		"ledger alone": func(w *Setup) { remove(w, "acme/staging/applied/") },
		"another key": func(w *Setup) {
			w.Now = w.Now.Add(48 * time.Hour) // no request of that time is open
			w.Sealer = Must[*store.Sealer](w.T)(store.NewSealer(store.NewKey()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewApplied(t)
			forget(w)
			for _, finds := range []func(*pipeline.Planned){StateFound("", 0, 0), StateFound("other", 9, 2), StateFound("l", 0, 2), StateFound("l", 7, 0)} {
				w.Engine.ChangePlanned = finds
				var refused *pipeline.RefusedError
				if err := w.PlanAgain(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost {
					t.Errorf("err = %v", err)
				}
			}
			w.Engine.ChangePlanned = StateFound("l", 1, 2)
			if err := w.PlanAgain(); err != nil {
				t.Errorf("a state that fits: %v", err)
			}
		})
	}
}

// TestUnknownLastApply: a record that cannot be read, beside a ledger that says too
// little, is not fine.
func TestUnknownLastApply(t *testing.T) {
	t.Parallel()
	w := NewApplied(t)
	for _, key := range Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/ledger/")) {
		if err := w.Store.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
	w.Now = w.Now.Add(48 * time.Hour)
	w.Sealer = Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	var refused *pipeline.RefusedError
	if err := w.PlanAgain(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey {
		t.Errorf("err = %v", err)
	}
}

// TestAcceptedState: what the operator accepts is the right state from then on, and
// nothing older than that.
func TestAcceptedState(t *testing.T) {
	t.Parallel()
	w := NewApplied(t)
	in := w.Target(pipeline.Request{}, "staging")
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
	accept := func(lineage string, serial uint64) {
		t.Helper()
		if err := restorer.Accept(context.Background(), in, recovery.Acceptable{State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: lineage, Serial: serial}, Resources: 1}, Reason: "by hand"}); err != nil {
			t.Fatal(err)
		}
	}
	w.Engine.ChangePlanned = StateFound("other", 4, 1)
	accept("other", 4)
	if err := w.PlanAgain(); err != nil {
		t.Errorf("the accepted state: %v", err)
	}
	w.Engine.ChangePlanned = StateFound("other", 3, 1)
	if err := w.PlanAgain(); err == nil {
		t.Error("a state older than the accepted one is planned on")
	}
	w.Engine.ChangePlanned = StateFound("", 0, 0)
	accept("", 0)
	if err := w.PlanAgain(); err != nil {
		t.Errorf("no state, accepted: %v", err)
	}
	var usage *pipeline.UsageError
	before := Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/"))
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: "again"}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "nothing to accept") {
		t.Errorf("a state that is not lost: %v", err)
	}
	if after := Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/")); !slices.Equal(before, after) {
		t.Errorf("an accept that was refused has written %v", after)
	}
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: " "}); !errors.As(err, &usage) {
		t.Errorf("without a reason: %v", err)
	}
}

// TestFailedApplyIsRemembered: a first apply that failed halfway has left a state, too.
func TestFailedApplyIsRemembered(t *testing.T) {
	t.Parallel()
	w := New(t)
	chain := ledger.Ledger{Store: w.Store, Now: w.Tick}
	left := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 3}, Resources: 1}
	for _, e := range []ledger.Entry{{Event: ledger.Failed, State: &left}, {Event: ledger.Planned}, {Event: ledger.Planned}} {
		e.Customer, e.Environment = "acme", "staging"
		if _, err := chain.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	w.Engine.ChangePlanned = StateFound("", 0, 0)
	if err := w.PlanAgain(); err == nil || !strings.Contains(err.Error(), "apply that failed") {
		t.Errorf("err = %v", err)
	}
}
