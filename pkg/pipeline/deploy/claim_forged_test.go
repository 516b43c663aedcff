package deploy_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

var stagingTarget = pipeline.Target{Customer: "acme", Environment: "staging"}

// forgeUnsigned appends an entry without a seal, as someone without the key can.
func forgeUnsigned(w *pipelinetest.Setup, e ledger.Entry) {
	w.T.Helper()
	tip, err := ledger.Ledger{Records: record.Records{Store: w.Store}}.Tip(w.T.Context(), stagingTarget)
	if err != nil {
		w.T.Fatal(err)
	}
	e.Version, e.Sequence, e.Previous, e.Target = 1, tip.Sequence+1, tip.SHA256, stagingTarget
	if e.At.IsZero() {
		e.At = w.Now.UTC()
	}
	key := record.LedgerKey(stagingTarget, e.Sequence)
	b := pipelinetest.Must[[]byte](w.T)(record.Unsigned(key, e))
	if err := w.Store.Create(w.T.Context(), key, bytes.NewReader(b)); err != nil {
		w.T.Fatal(err)
	}
}

// TestForgedUnlockSaysNothingOfAPlan: someone without the key makes a plan that was refused for ever look applied.
func TestForgedUnlockSaysNothingOfAPlan(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"free", "closed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			n := 0
			if how == "free" {
				w.Engine.NotStarted = &pipeline.FailedError{Message: "locked"}
				wantNotApplied(w, w.Target(request, "staging"))
				p, _ := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), stagingTarget)).Fold.Plan(request.ID)
				n = p.Attempt
			} else {
				in := w.Target(request, "staging")
				in.ManagerCommit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
				wantNotApplied(w, in)
				n = pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), stagingTarget)).Sequence
			}
			w.Delete(w.Folder(request, "staging") + record.ApplyResultObject(n))
			forgeUnsigned(w, ledger.Entry{Event: ledger.Unlocked, Request: request.ID, Attempt: n, Plan: ledger.PlanFree, Outcome: pipeline.OutcomeApplied})
			report, err := w.ReportAs(reportInput(w, request, true))
			t.Logf("%+v %v", report.Targets, err)
			tip, tipErr := w.Ledger().Tip(t.Context(), stagingTarget)
			if w.Engine.Applies != 0 {
				t.Fatal("applied")
			}
			if err == nil && report.Targets[0].Outcome == pipeline.OutcomeApplied || len(w.Hub.DeploymentList) > 0 || tip.Fold.Apply != nil {
				t.Errorf("nothing was applied: %s %v, %d deployments, signed fold %+v %v", report.Targets[0].Outcome, err, len(w.Hub.DeploymentList), tip.Fold.Apply, tipErr)
			}
		})
	}
}

// TestForgedUnlockEndsNoApply: someone without the key makes an apply that goes on look ended: its lock is no one's.
func TestForgedUnlockEndsNoApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := w.WaitingRequest()
	in := w.Target(request, "staging")
	in.Host = "runner-1"
	w.Engine.DuringApply = func() {
		p, _ := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), stagingTarget)).Fold.Plan(request.ID)
		forgeUnsigned(w, ledger.Entry{Event: ledger.Unlocked, Request: request.ID, Attempt: p.Attempt})
		lock := pipeline.Lock{ID: "1", Who: "runner@runner-1", Created: w.Now.Add(30 * time.Second)}
		holders, err := ledger.LockHolders(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), stagingTarget, lock)
		if err == nil && len(holders) != 1 { // to say that the ledger is not whole is right, too
			t.Errorf("an apply goes on, and holds no lock: %v", holders)
		}
	}
	if _, err := w.Apply(in); !errors.Is(err, ledger.ErrBroken) { // its end cannot be recorded behind such an entry
		t.Errorf("%v", err)
	}
}

// TestForgedTimeHidesNoApply: someone without the key hides what came before by the time of an entry without a seal.
func TestForgedTimeHidesNoApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := w.WaitingRequest()
	in := w.Target(request, "staging")
	in.Host = "runner-1"
	w.Engine.DuringApply = func() {
		forgeUnsigned(w, ledger.Entry{Event: ledger.Unlocked, At: w.Now.Add(-24 * time.Hour)})
		lock := pipeline.Lock{ID: "1", Who: "runner@runner-1", Created: w.Now.Add(30 * time.Second)}
		holders, err := ledger.LockHolders(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), stagingTarget, lock)
		if err != nil || len(holders) != 1 || holders[0].Command != "apply" {
			t.Errorf("an apply goes on, and holds no lock: %v %v", holders, err)
		}
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
}

// TestLockOfASlowClock: a runner whose clock is slow: its apply is not found behind its lock.
func TestLockOfASlowClock(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := w.WaitingRequest()
	in := w.Target(request, "staging")
	in.Host = "runner-1"
	w.Now = w.Now.Add(-15 * time.Minute)
	w.Engine.DuringApply = func() {
		lock := pipeline.Lock{ID: "1", Who: "runner@runner-1", Created: w.Now.Add(30 * time.Second)}
		holders, err := ledger.LockHolders(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), stagingTarget, lock)
		if err != nil || len(holders) != 1 || holders[0].Command != "apply" {
			t.Errorf("an apply goes on, and holds no lock: %v %v", holders, err)
		}
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
}
