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

// applied is a world with one applied target: staging.
func applied(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\nproduction one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	return w
}

// planAgain plans staging for a new push.
func (w *world) planAgain() error {
	w.t.Helper()
	a := w.ask(w.hub.commit("staging two\nproduction one\n"), "push")
	if w.customer.SharedRepository {
		a.Customer = w.customer.Name
		a.ID = a.OwnID()
	}
	request := must[pipeline.Request](w.t)(w.send(a))
	_, err := w.plan(request, "staging")
	return err
}

func stateFound(lineage string, serial uint64, resources int) func(*pipeline.Planned) {
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
		"gone":            {stateFound("", 0, 0), "holds no state"},
		"another lineage": {stateFound("other", 9, 2), "another one"},
		"older":           {stateFound("l", 0, 2), "older one"},
		"emptied":         {stateFound("l", 7, 0), "is empty"},
		"the same":        {stateFound("l", 1, 2), ""},
		"newer":           {stateFound("l", 8, 1), ""},
		"encrypted":       {stateFound("l", 1, pipeline.UnknownResources), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := applied(t)
			w.engine.finds = c.finds
			err := w.planAgain()
			var refused *pipeline.RefusedError
			switch {
			case c.why == "" && err == nil:
			case c.why == "" || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost:
				t.Fatalf("err = %v", err)
			case !contains(err.Error(), c.why, "metapipe state restore --customer acme --environment staging"):
				t.Errorf("the operator reads: %v", err)
			case strings.Contains(refused.Message+refused.Next, "metapipe") || !contains(refused.Message, "nothing was changed") || !contains(refused.Next, "nothing to do"):
				t.Errorf("the customer reads: %s → %s", refused.Message, refused.Next)
			}
		})
	}
}

// TestLostStateByEachMemory: the sealed record and the ledger know the state each by
// itself, and a key that is not at hand is not taken for a target that was never applied.
func TestLostStateByEachMemory(t *testing.T) {
	t.Parallel()
	remove := func(w *world, prefix string) {
		for _, key := range must[[]string](w.t)(w.store.List(context.Background(), prefix)) {
			if err := w.store.Delete(context.Background(), key); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, forget := range map[string]func(*world){
		"record alone": func(w *world) { remove(w, "acme/staging/ledger/") },
		"ledger alone": func(w *world) { remove(w, "acme/staging/applied/") },
		"another key": func(w *world) {
			w.now = w.now.Add(48 * time.Hour) // no request of that time is open
			w.sealer = must[*store.Sealer](w.t)(store.NewSealer(store.NewKey()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := applied(t)
			forget(w)
			for _, finds := range []func(*pipeline.Planned){stateFound("", 0, 0), stateFound("other", 9, 2), stateFound("l", 0, 2), stateFound("l", 7, 0)} {
				w.engine.finds = finds
				var refused *pipeline.RefusedError
				if err := w.planAgain(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost {
					t.Errorf("err = %v", err)
				}
			}
			w.engine.finds = stateFound("l", 1, 2)
			if err := w.planAgain(); err != nil {
				t.Errorf("a state that fits: %v", err)
			}
		})
	}
}

// TestUnknownLastApply: a record that cannot be read, beside a ledger that says too
// little, is not fine.
func TestUnknownLastApply(t *testing.T) {
	t.Parallel()
	w := applied(t)
	for _, key := range must[[]string](t)(w.store.List(context.Background(), "acme/staging/ledger/")) {
		if err := w.store.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(48 * time.Hour)
	w.sealer = must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	var refused *pipeline.RefusedError
	if err := w.planAgain(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey {
		t.Errorf("err = %v", err)
	}
}

// TestAcceptedState: what the operator accepts is the right state from then on, and
// nothing older than that.
func TestAcceptedState(t *testing.T) {
	t.Parallel()
	w := applied(t)
	in := w.target(pipeline.Request{}, "staging")
	restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Now: w.tick}
	accept := func(lineage string, serial uint64) {
		t.Helper()
		if err := restorer.Accept(context.Background(), in, recovery.Acceptable{State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: lineage, Serial: serial}, Resources: 1}, Reason: "by hand"}); err != nil {
			t.Fatal(err)
		}
	}
	w.engine.finds = stateFound("other", 4, 1)
	accept("other", 4)
	if err := w.planAgain(); err != nil {
		t.Errorf("the accepted state: %v", err)
	}
	w.engine.finds = stateFound("other", 3, 1)
	if err := w.planAgain(); err == nil {
		t.Error("a state older than the accepted one is planned on")
	}
	w.engine.finds = stateFound("", 0, 0)
	accept("", 0)
	if err := w.planAgain(); err != nil {
		t.Errorf("no state, accepted: %v", err)
	}
	var usage *pipeline.UsageError
	before := must[[]string](t)(w.store.List(context.Background(), "acme/staging/"))
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: "again"}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "nothing to accept") {
		t.Errorf("a state that is not lost: %v", err)
	}
	if after := must[[]string](t)(w.store.List(context.Background(), "acme/staging/")); !slices.Equal(before, after) {
		t.Errorf("an accept that was refused has written %v", after)
	}
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: " "}); !errors.As(err, &usage) {
		t.Errorf("without a reason: %v", err)
	}
}

// TestFailedApplyIsRemembered: a first apply that failed halfway has left a state, too.
func TestFailedApplyIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chain := ledger.Ledger{Store: w.store, Now: w.tick}
	left := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 3}, Resources: 1}
	for _, e := range []ledger.Entry{{Event: ledger.Failed, State: &left}, {Event: ledger.Planned}, {Event: ledger.Planned}} {
		e.Customer, e.Environment = "acme", "staging"
		if _, err := chain.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	w.engine.finds = stateFound("", 0, 0)
	if err := w.planAgain(); err == nil || !strings.Contains(err.Error(), "apply that failed") {
		t.Errorf("err = %v", err)
	}
}
