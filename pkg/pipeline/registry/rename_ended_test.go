package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// emptying is an engine whose apply leaves a state without resources.
type emptying struct{ pipeline.Engine }

func (e emptying) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	applied, err := e.Engine.Apply(ctx, job, plan)
	applied.State.Resources = 0
	return applied, err
}

// ended is a setup whose staging was applied and destroyed.
func ended(t *testing.T) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.NewApplied(t)
	w.Tick()
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Hub.ApprovalList = []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}
	a := w.Applier()
	a.Engine = emptying{w.Engine}
	if _, err := a.Run(t.Context(), w.Target(request, "staging")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []pipeline.RequestID{request.ID, request.AppliedBy} {
		w.Report(pipeline.Request{ID: id}, true)
	}
	return w
}

// renameEmpty renames a customer whose states have no resources.
func renameEmpty(w *pipelinetest.Setup, old, name pipeline.CustomerName) {
	w.T.Helper()
	r := w.Renamer()
	r.Engine.(*pipelinetest.StateMover).Empty = true
	if _, err := r.Run(w.T.Context(), w.RenameInput(old, name), true); err != nil {
		w.T.Fatal(err)
	}
}

func isEnded(w *pipelinetest.Setup, c pipeline.CustomerName) bool {
	w.T.Helper()
	known, err := ledger.Remember(w.T.Context(), record.Records{Store: w.Store, Sealer: w.Sealer}, pipeline.Target{Customer: c, Environment: "staging"})
	if err != nil {
		w.T.Fatal(err)
	}
	_, shown, err := intake.LookForEnded(w.T.Context(), w.Store, pipeline.Target{Customer: c, Environment: "staging"})
	if err != nil || shown != known.Destroyed() {
		w.T.Errorf("%s/staging is shown as ended: %v, %v, and its records say %v", c, shown, err, known.Destroyed())
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
				delete(w.Engine.States, w.Backend(pipeline.Target{Customer: "acme", Environment: "staging"}).String())
			}
			for _, names := range [][2]pipeline.CustomerName{{"acme", "store"}, {"store", "shack"}, {"shack", "acme"}} {
				renameEmpty(w, names[0], names[1])
				if !isEnded(w, names[1]) {
					t.Errorf("%s/staging is not ended any more", names[1])
				}
				in := w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)
				in.Run.ID = 78 // the destroy had run 77
				in.Manual.Customer, in.Manual.Confirm = names[1], string(names[1])+"/staging"
				w.Tick()
				_, err := w.Fetcher().Run(t.Context(), in)
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonNoDestroy || !strings.Contains(refused.Operator, "there is nothing left to do") {
					t.Errorf("a second destroy: %v", err)
				}
			}
			if stateGone {
				return
			}
			w.Engine.ChangePlanned = pipelinetest.StateFound("l", 2, 0)
			w.WantNamed("acme")
			if isEnded(w, "acme") {
				t.Error("it was applied again, and counts as ended")
			}
		})
	}
}

// TestRenameOfWhatRunsIsNoEnd: a target that was applied, also after a destroy, is not
// ended by a rename.
func TestRenameOfWhatRunsIsNoEnd(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if isEnded(w, "store") {
		t.Error("a target that nobody destroyed counts as ended")
	}
	w = ended(t)
	w.Engine.ChangePlanned = pipelinetest.StateFound("l", 2, 0)
	w.WantNamed("acme")
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if isEnded(w, "store") {
		t.Error("a target that was applied after its end counts as ended")
	}
}
