package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// race is two requests whose steps ran on one machine. The apply of the first took the
// lock and goes on, or was killed; the plan of the second met the lock and ended.
type race struct {
	*world
	locks  *lockStore
	a, b   pipeline.Request
	metErr error // what the plan of b said
}

// newRace plays it: the plan of b begins some time after the lock was taken, negative
// before.
func newRace(t *testing.T, after time.Duration) *race {
	t.Helper()
	n := newApplyWithLock(t)
	in := n.planOfB(after)
	p, waited := n.planner(), time.Duration(0)
	p.Now = func() time.Time { // it waits for the lock until it gives up
		at := n.now.Add(waited)
		waited = max(15*time.Second, -after+5*time.Second)
		return at
	}
	lock := *n.locks.lock
	n.engine.planErr = &pipeline.FailedError{Message: "Error acquiring the state lock", Lock: &lock}
	_, n.metErr = p.Run(context.Background(), in)
	n.engine.planErr = nil
	return n
}

// newFatalRace is a night in which the plan of b is killed as well.
func newFatalRace(t *testing.T, after time.Duration) *race {
	t.Helper()
	n := newApplyWithLock(t)
	in := n.planOfB(after)
	n.engine.duringPlan = runtime.Goexit
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := n.planner().Run(context.Background(), in)
		n.t.Errorf("the plan was not killed: %v", err)
	}()
	<-gone
	n.engine.duringPlan = nil
	return n
}

// planOfB accepts the second request, and moves the clock to the begin of its plan.
func (n *race) planOfB(after time.Duration) pipeline.TargetInput {
	n.b = must[pipeline.Request](n.t)(n.send(n.ask(n.hub.commit("staging two\n"), "push")))
	n.setRun(n.b, "in_progress", "")
	n.now = n.locks.lock.Created.Add(after)
	in := n.target(n.b, "staging")
	in.Host, in.Run = "host-1", n.b.ManagerRun
	return in
}

// newApplyWithLock is the apply of the first request, which has the lock.
func newApplyWithLock(t *testing.T) *race {
	t.Helper()
	n := &race{world: newWorld(t), locks: &lockStore{}}
	n.customer.Manager.Environments = n.customer.Manager.Environments[:1]
	n.customer.Manager.Environments[0].Gated = false
	n.a = must[pipeline.Request](t)(n.send(n.ask(n.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(n.plan(n.a, "staging"))
	n.setRun(n.a, "in_progress", "")
	n.locks.lock = &pipeline.Lock{ID: "l-1", Operation: "OperationTypeApply", Who: "runner@host-1"}
	n.engine.duringApply = func() {
		n.locks.lock.Created = n.now.Add(10 * time.Second)
		runtime.Goexit() // it goes on, or is gone: nobody hears of it
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := n.target(n.a, "staging")
		in.Host, in.Run = "host-1", n.a.ManagerRun
		_, err := n.applier().Run(context.Background(), in)
		n.t.Errorf("the apply has ended: %v", err)
	}()
	<-gone
	n.engine.duringApply = nil
	return n
}

// later ends runs and lets half an hour pass.
func (n *race) later(ended ...pipeline.Request) {
	n.now = n.now.Add(time.Minute)
	for _, r := range ended {
		n.setRun(r, "completed", "failure")
	}
	n.now = n.now.Add(30 * time.Minute)
	if len(ended) == 1 && ended[0].ID == n.b.ID {
		n.setRun(n.a, "in_progress", "")
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
			if got := kinds(n.sweep(n.locks, true)); strings.Contains(got, "lock fixed=true") || n.locks.lock == nil {
				t.Errorf("the lock of the running apply is gone; the sweep finds %q", got)
			}
			err := n.unlock(n.locks, nil)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || n.locks.lock == nil || !strings.Contains(refused.Message, "the apply of request "+n.a.ID.Short()) {
				t.Errorf("unlock: %v", err)
			}
			if err := n.unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true }); !errors.As(err, &refused) || n.locks.lock == nil {
				t.Errorf("unlock --no-run while A goes on: %v", err)
			}
		})
	}
}

// TestLockOfADeadApply: with A's run over as well, the lock is A's when B began after
// it; where both were there before the lock, nobody can say, and nothing is released but
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
			got := kinds(n.sweep(n.locks, true))
			if c.shared != (n.locks.lock != nil) || c.shared != strings.Contains(got, "shared-lock fixed=false") {
				t.Fatalf("the lock is %v; the sweep finds %q", n.locks.lock, got)
			}
			if !c.shared {
				return
			}
			if len(n.openKeys()) == 0 {
				t.Error("no request is left that the lock leads to")
			}
			err := n.unlock(n.locks, nil)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !contains(refused.Message, n.a.ID.Short(), n.b.ID.Short(), "cannot be seen") || n.locks.lock == nil {
				t.Fatalf("unlock: %v", err)
			}
			if err := n.unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true }); err != nil || n.locks.lock != nil {
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
	n.setRun(n.a, "completed", "failure")
	n.now = n.now.Add(time.Minute)
	n.locks.lock = &pipeline.Lock{ID: "l-1", Operation: "OperationTypePlan", Who: "runner@host-1", Created: n.now}
	n.now = n.now.Add(time.Minute)
	n.setRun(n.b, "in_progress", "")
	if got := kinds(n.sweep(n.locks, true)); n.locks.lock == nil {
		t.Fatalf("the lock of a plan that goes on is gone: %q", got)
	}
	n.setRun(n.b, "completed", "failure")
	n.now = n.now.Add(30 * time.Minute)
	if got := kinds(n.sweep(n.locks, true)); n.locks.lock != nil {
		t.Fatalf("the lock of the dead plan is still there: %q", got)
	}
}

// TestLockOfAPossibleHolder: the likely holder is dead, and another step that may be the
// one goes on: nothing is released before that has ended too.
func TestLockOfAPossibleHolder(t *testing.T) {
	t.Parallel()
	n := newRace(t, time.Second)
	n.later(n.a)
	n.setRun(n.b, "in_progress", "")
	if got := kinds(n.sweep(n.locks, true)); n.locks.lock == nil {
		t.Fatalf("the lock is gone; the sweep finds %q", got)
	}
}

// TestLockThatOnlyTheToolSees: an older step that goes on counts as well as the newest.
func TestLockThatOnlyTheToolSees(t *testing.T) {
	t.Parallel()
	n := newRace(t, time.Minute)
	n.later(n.b)
	n.locks.unknown = true
	err := n.unlock(n.locks, func(in *sweep.UnlockInput) { in.NoRun = true })
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || n.locks.lock == nil || !strings.Contains(refused.Message, n.a.ID.Short()) {
		t.Fatalf("unlock: %v", err)
	}
}

// TestLockOfAnEarlierAttempt: a job that is run again leads to the lock that its first
// attempt has left.
func TestLockOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request, locks := w.killedPlan()
	in := w.target(request, "staging")
	in.Host, in.Run = "fv-2", request.ManagerRun
	in.Run.Attempt = 2
	must[deploy.TargetResult](t)(w.planner().Run(context.Background(), in))
	holders, err := record.LockHolders(t.Context(), recordsOf(w.store, w.sealer), "acme", "staging", *locks.lock)
	if err != nil || len(holders) != 1 || holders[0].Run.Attempt != 1 || holders[0].Command != "plan" {
		t.Errorf("%v %v", holders, err)
	}
}
