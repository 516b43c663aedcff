package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// emptying is an engine whose apply leaves a state without resources.
type emptying struct{ pipeline.Engine }

func (e emptying) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	applied, err := e.Engine.Apply(ctx, job, plan)
	applied.State.Resources = 0
	return applied, err
}

// ended is a world whose staging was applied and destroyed.
func ended(t *testing.T) *world {
	t.Helper()
	w := applied(t)
	w.tick()
	request := must[pipeline.Request](t)(w.fetcher().Run(t.Context(), w.byHand("workflow_dispatch", toDestroy)))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	w.hub.approvals = []deploy.Approval{approved(robin, "staging-apply")}
	a := w.applier()
	a.Engine = emptying{w.engine}
	if _, err := a.Run(t.Context(), w.target(request, "staging")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []pipeline.RequestID{request.ID, request.AppliedBy} {
		w.report(pipeline.Request{ID: id}, true)
	}
	return w
}

// renameEmpty renames a customer whose states have no resources.
func (w *world) renameEmpty(old, name pipeline.CustomerName) {
	w.t.Helper()
	r := w.renamer()
	r.Engine.(*mover).empty = true
	if _, err := r.Run(w.t.Context(), w.renameInput(old, name), true); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) isEnded(c pipeline.CustomerName) bool {
	w.t.Helper()
	known, err := ledger.Remember(w.t.Context(), record.Records{Store: w.store, Sealer: w.sealer}, c, "staging")
	if err != nil {
		w.t.Fatal(err)
	}
	_, shown, err := intake.LookForEnded(w.t.Context(), w.store, c, "staging")
	if err != nil || shown != known.Destroyed() {
		w.t.Errorf("%s/staging is shown as ended: %v, %v, and its records say %v", c, shown, err, known.Destroyed())
	}
	return known.Destroyed()
}

// TestRenameKeepsTheEnd: a target that was destroyed is still destroyed under each later
// name, a second destroy has nothing to do, and the next apply is the end of that.
func TestRenameKeepsTheEnd(t *testing.T) {
	t.Parallel()
	for name, stateGone := range map[string]bool{"state without resources": false, "no state": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ended(t)
			if stateGone {
				delete(w.engine.states, w.backend("acme", "staging").String())
			}
			for _, names := range [][2]pipeline.CustomerName{{"acme", "store"}, {"store", "shack"}, {"shack", "acme"}} {
				w.renameEmpty(names[0], names[1])
				if !w.isEnded(names[1]) {
					t.Errorf("%s/staging is not ended any more", names[1])
				}
				in := w.byHand("workflow_dispatch", toDestroy)
				in.Run.ID = 78 // the destroy had run 77
				in.Manual.Customer, in.Manual.Confirm = names[1], string(names[1])+"/staging"
				w.tick()
				_, err := w.fetcher().Run(t.Context(), in)
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonNoDestroy || !strings.Contains(refused.Operator, "there is nothing left to do") {
					t.Errorf("a second destroy: %v", err)
				}
			}
			if stateGone {
				return
			}
			w.engine.finds = stateFound("l", 2, 0)
			w.wantNamed("acme")
			if w.isEnded("acme") {
				t.Error("it was applied again, and counts as ended")
			}
		})
	}
}

// TestRenameOfWhatRunsIsNoEnd: a target that was applied, also after a destroy, is not
// ended by a rename.
func TestRenameOfWhatRunsIsNoEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	if err := w.rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if w.isEnded("store") {
		t.Error("a target that nobody destroyed counts as ended")
	}
	w = ended(t)
	w.engine.finds = stateFound("l", 2, 0)
	w.wantNamed("acme")
	if err := w.rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if w.isEnded("store") {
		t.Error("a target that was applied after its end counts as ended")
	}
}
