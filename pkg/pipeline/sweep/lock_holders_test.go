package sweep_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// race is two requests whose steps ran on one machine. The apply of the first took the
// lock and goes on, or was killed; the plan of the second met the lock and ended.
type race struct {
	*pipelinetest.Setup
	locks  *pipelinetest.StateLocks
	a, b   pipeline.Request
	metErr error // what the plan of b said
}

// newRace plays it: the plan of b begins some time after the lock was taken, negative
// before.
func newRace(t *testing.T, after time.Duration) *race {
	t.Helper()
	n := newApplyWithLock(t)
	in := n.planOfB(after)
	p, waited := n.Planner(), time.Duration(0)
	p.Now = func() time.Time { // it waits for the lock until it gives up
		at := n.Now.Add(waited)
		waited = max(15*time.Second, -after+5*time.Second)
		return at
	}
	lock := *n.locks.Held
	n.Engine.PlanErr = &pipeline.FailedError{Message: "Error acquiring the state lock", Lock: &lock}
	_, n.metErr = p.Run(context.Background(), in)
	n.Engine.PlanErr = nil
	return n
}

// newFatalRace is a night in which the plan of b is killed as well.
func newFatalRace(t *testing.T, after time.Duration) *race {
	t.Helper()
	n := newApplyWithLock(t)
	in := n.planOfB(after)
	n.Engine.DuringPlan = runtime.Goexit
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := n.Planner().Run(context.Background(), in)
		n.T.Errorf("the plan was not killed: %v", err)
	}()
	<-gone
	n.Engine.DuringPlan = nil
	return n
}

// planOfB accepts the second request, and moves the clock to the begin of its plan.
func (n *race) planOfB(after time.Duration) pipeline.TargetInput {
	n.b = pipelinetest.Must[pipeline.Request](n.T)(n.Send(n.Dispatch(n.Hub.Commit("staging two\n"), "push")))
	n.SetRun(n.b, "in_progress", "")
	n.Now = n.locks.Held.Created.Add(after)
	in := n.Target(n.b, "staging")
	in.Host, in.Run = "host-1", n.b.ManagerRun
	return in
}

// newApplyWithLock is the apply of the first request, which has the lock.
func newApplyWithLock(t *testing.T) *race {
	t.Helper()
	n := &race{Setup: pipelinetest.New(t), locks: &pipelinetest.StateLocks{}}
	n.Current.Manager.Environments = n.Current.Manager.Environments[:1]
	n.Current.Manager.Environments[0].Gated = false
	n.a = pipelinetest.Must[pipeline.Request](t)(n.Send(n.Dispatch(n.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(n.Plan(n.a, "staging"))
	n.SetRun(n.a, "in_progress", "")
	n.locks.Held = &pipeline.Lock{ID: "l-1", Operation: "OperationTypeApply", Who: "runner@host-1"}
	n.Engine.DuringApply = func() {
		n.locks.Held.Created = n.Now.Add(10 * time.Second)
		runtime.Goexit() // it goes on, or is gone: no one hears of it
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := n.Target(n.a, "staging")
		in.Host, in.Run = "host-1", n.a.ManagerRun
		_, err := n.Applier().Run(context.Background(), in)
		n.T.Errorf("the apply has ended: %v", err)
	}()
	<-gone
	n.Engine.DuringApply = nil
	return n
}

// later ends runs and lets half an hour pass.
func (n *race) later(ended ...pipeline.Request) {
	n.Now = n.Now.Add(time.Minute)
	for _, r := range ended {
		n.SetRun(r, "completed", "failure")
	}
	n.Now = n.Now.Add(30 * time.Minute)
	if len(ended) == 1 && ended[0].ID == n.b.ID {
		n.SetRun(n.a, "in_progress", "")
	}
}

// TestLockOfARunningApply: the apply of A holds the lock, the plan of B began within two
// seconds of it on the same machine, met it and ended. Nothing that is done after B's run
// is over takes the lock from A.
func TestLockOfARunningApply(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"a second later": time.Second, "in the same second": 0, "two seconds later": 2 * time.Second, "a second before": -time.Second, "eight seconds before": -8 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newRace(t, after)
			var failed *pipeline.FailedError
			if !errors.As(n.metErr, &failed) || !strings.Contains(failed.Operator, "the apply of request "+n.a.ID.Short()) || strings.Contains(failed.Operator, "the plan of request "+n.b.ID.Short()) {
				t.Errorf("the plan of B says %v", n.metErr)
			}
			n.later(n.b)
			if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); strings.Contains(got, "lock fixed=true") || n.locks.Held == nil {
				t.Errorf("the lock of the running apply is gone; the sweep finds %q", got)
			}
			err := n.Unlock(n.locks, nil)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || n.locks.Held == nil || !strings.Contains(refused.Message, "the apply of request "+n.a.ID.Short()) {
				t.Errorf("unlock: %v", err)
			}
			if err := n.Unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true }); !errors.As(err, &refused) || n.locks.Held == nil {
				t.Errorf("unlock --no-run while A goes on: %v", err)
			}
		})
	}
}

// TestLockOfADeadApply: with A's run over as well, the lock is A's when B began after
// it; where both were there before the lock, no one can say, and nothing is released but
// by hand.
func TestLockOfADeadApply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after  time.Duration
		shared bool
	}{"B began after the lock": {after: time.Second}, "both before the lock": {after: -time.Second, shared: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newFatalRace(t, c.after)
			n.later(n.a, n.b)
			got := pipelinetest.FindingKinds(n.Sweep(n.locks, true))
			if c.shared != (n.locks.Held != nil) || c.shared != strings.Contains(got, "shared-lock fixed=false") {
				t.Fatalf("the lock is %v; the sweep finds %q", n.locks.Held, got)
			}
			if !c.shared {
				return
			}
			if len(n.OpenKeys()) == 0 {
				t.Error("no request is left that the lock leads to")
			}
			err := n.Unlock(n.locks, nil)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !pipelinetest.ContainsAll(refused.Message, n.a.ID.Short(), n.b.ID.Short(), "cannot be seen") || n.locks.Held == nil {
				t.Fatalf("unlock: %v", err)
			}
			if err := n.Unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true }); err != nil || n.locks.Held != nil {
				t.Fatalf("unlock --no-run: %v", err)
			}
		})
	}
}

// TestLockAfterADeadRun: a step whose run had ended before the lock was taken is no
// suspect, though its record has no end.
func TestLockAfterADeadRun(t *testing.T) {
	t.Parallel()
	n := newFatalRace(t, time.Minute)
	n.SetRun(n.a, "completed", "failure")
	n.Now = n.Now.Add(time.Minute)
	n.locks.Held = &pipeline.Lock{ID: "l-1", Operation: "OperationTypePlan", Who: "runner@host-1", Created: n.Now}
	n.Now = n.Now.Add(time.Minute)
	n.SetRun(n.b, "in_progress", "")
	if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); n.locks.Held == nil {
		t.Fatalf("the lock of a plan that goes on is gone: %q", got)
	}
	n.SetRun(n.b, "completed", "failure")
	n.Now = n.Now.Add(30 * time.Minute)
	if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); n.locks.Held != nil {
		t.Fatalf("the lock of the dead plan is still there: %q", got)
	}
}

// TestLockOfAPossibleHolder: the likely holder is dead, and another step that may be the
// one goes on: nothing is released before that has ended too.
func TestLockOfAPossibleHolder(t *testing.T) {
	t.Parallel()
	n := newRace(t, time.Second)
	n.later(n.a)
	n.SetRun(n.b, "in_progress", "")
	if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); n.locks.Held == nil {
		t.Fatalf("the lock is gone; the sweep finds %q", got)
	}
}

// TestLockThatOnlyTheToolSees: an older step that goes on counts as well as the newest.
func TestLockThatOnlyTheToolSees(t *testing.T) {
	t.Parallel()
	n := newRace(t, time.Minute)
	n.later(n.b)
	n.locks.Unknown = true
	err := n.Unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true })
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || n.locks.Held == nil || !strings.Contains(refused.Message, n.a.ID.Short()) {
		t.Fatalf("unlock: %v", err)
	}
}

// TestLockOfAnEarlierAttempt: a job that is run again leads to the lock that its first
// attempt has left.
func TestLockOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request, locks := w.KilledPlan()
	in := w.Target(request, "staging")
	in.Host, in.Run = "fv-2", request.ManagerRun
	in.Run.Attempt = 2
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(context.Background(), in))
	holders, err := ledger.LockHolders(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), pipeline.Target{Customer: "acme", Environment: "staging"}, *locks.Held)
	if err != nil || len(holders) != 1 || holders[0].Run.Attempt != 1 || holders[0].Command != "plan" {
		t.Errorf("%v %v", holders, err)
	}
}

// TestOperationThatGoesOn: a run that is over has left something that goes on without it. Its request is not closed before
// that has ended, and nothing is released.
func TestOperationThatGoesOn(t *testing.T) {
	t.Parallel()
	n := newApplyWithLock(t)
	n.locks.Held.Ends, n.locks.Held.Who = true, "CloudFormation"
	n.later(n.a)
	for range 2 {
		if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); got != "busy fixed=false" || n.locks.Held == nil {
			t.Fatalf("the sweep finds %q", got)
		}
	}
	n.locks.Held = nil
	if got := pipelinetest.FindingKinds(n.Sweep(n.locks, true)); got != "unfinished fixed=true" {
		t.Errorf("when it has ended, the sweep finds %q", got)
	}
}
