package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/store"
)

func TestPlanRefusesALostState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		finds func(*pipeline.Planned)
		why   string // empty: the plan is fine
	}{
		"gone":            {pipelinetest.StateFound("", 0, 0), "holds no state"},
		"another lineage": {pipelinetest.StateFound("other", 9, 2), "another one"},
		"older":           {pipelinetest.StateFound("l", 0, 2), "older one"},
		"emptied":         {pipelinetest.StateFound("l", 7, 0), "is empty"},
		"one taken out":   {pipelinetest.StateFound("l", 1, 1), "2 resources, and"},
		"one put in":      {pipelinetest.StateFound("l", 1, 3), "holds 3 resources under that serial"},
		"the same":        {pipelinetest.StateFound("l", 1, 2), ""},
		"newer":           {pipelinetest.StateFound("l", 8, 1), ""},
		"encrypted":       {pipelinetest.StateFound("l", 1, pipeline.UnknownResources), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			w.Engine.ChangePlanned = c.finds
			err := w.PlanAgain()
			var refused *pipeline.RefusedError
			switch {
			case c.why == "" && err == nil:
			case c.why == "" || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost:
				t.Fatalf("err = %v", err)
			case !pipelinetest.ContainsAll(err.Error(), c.why, "metapipe state restore --customer acme --environment staging"):
				t.Errorf("the operator reads: %v", err)
			case strings.Contains(refused.Message+refused.Next, "metapipe") || !pipelinetest.ContainsAll(refused.Message, "nothing was changed") || !pipelinetest.ContainsAll(refused.Next, "nothing to do"):
				t.Errorf("the customer reads: %s → %s", refused.Message, refused.Next)
			}
		})
	}
}

// TestLostStateByEachMemory: the sealed record and the ledger know the state each by
// itself.
func TestLostStateByEachMemory(t *testing.T) {
	t.Parallel()
	remove := func(w *pipelinetest.Setup, prefix string) {
		for _, key := range pipelinetest.Must[[]string](w.T)(w.Store.List(context.Background(), prefix)) {
			if err := w.Store.Delete(context.Background(), key); err != nil {
				w.T.Fatal(err)
			}
		}
	}
	for name, forget := range map[string]func(*pipelinetest.Setup){
		"record alone": func(w *pipelinetest.Setup) { remove(w, "acme/staging/ledger/") },
		"ledger alone": func(w *pipelinetest.Setup) { remove(w, "acme/staging/applied/") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			forget(w)
			for _, finds := range []func(*pipeline.Planned){pipelinetest.StateFound("", 0, 0), pipelinetest.StateFound("other", 9, 2), pipelinetest.StateFound("l", 0, 2), pipelinetest.StateFound("l", 7, 0), pipelinetest.StateFound("l", 1, 1)} {
				w.Engine.ChangePlanned = finds
				var refused *pipeline.RefusedError
				if err := w.PlanAgain(); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost {
					t.Errorf("err = %v", err)
				}
			}
			w.Engine.ChangePlanned = pipelinetest.StateFound("l", 1, 2)
			if err := w.PlanAgain(); err != nil {
				t.Errorf("a state that fits: %v", err)
			}
		})
	}
}

// TestUnknownLastApply: a key that is not at hand is not taken for a target that was never
// applied, where the ledger is under it, and where the record alone is.
func TestUnknownLastApply(t *testing.T) {
	t.Parallel()
	for name, alone := range map[string]bool{"record and ledger": false, "record alone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			for _, key := range pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/")) {
				if alone && strings.Contains(key, "/ledger/") {
					if err := w.Store.Delete(context.Background(), key); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.Now = w.Now.Add(48 * time.Hour) // no request of that time is open
			w.Sealer = pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
			var refused *pipeline.RefusedError
			request, err := w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push"))
			if (err == nil) != alone {
				t.Fatalf("fetch-vars: %v", err)
			}
			if err == nil {
				_, err = w.Plan(request, "staging")
			}
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// TestFailedApplyIsRemembered: a first apply that failed halfway has left a state, too.
func TestFailedApplyIsRemembered(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	chain := ledger.Ledger{Records: pipelinetest.RecordsOf(w.Store, w.Sealer), Now: w.Tick}
	left := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 3}, Resources: 1}
	for _, e := range []ledger.Entry{{Event: ledger.Failed, State: &left}, {Event: ledger.Planned}, {Event: ledger.Planned}} {
		e.Customer, e.Environment = "acme", "staging"
		if _, err := chain.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	w.Engine.ChangePlanned = pipelinetest.StateFound("", 0, 0)
	if err := w.PlanAgain(); err == nil || !strings.Contains(err.Error(), "apply that failed") {
		t.Errorf("err = %v", err)
	}
}
