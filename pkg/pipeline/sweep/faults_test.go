package sweep_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// TestFaultsOfUnlock: an unlock with each call broken in turn succeeds only where the lock is
// gone and the ledger says so. Afterwards the next one releases a lock that is still there,
// and records that.
func TestFaultsOfUnlock(t *testing.T) {
	t.Parallel()
	pipelinetest.EachCall(t, func(t *testing.T, n *pipelinetest.Fault) {
		t.Helper()
		w := pipelinetest.New(t)
		request, locks := w.KilledPlan()
		run := w.Hub.Runs[request.ManagerRun.ID]
		run.Status, run.UpdatedAt = "completed", w.Now.Add(-5*time.Minute)
		w.Hub.Runs[request.ManagerRun.ID] = run
		l := faultLocks{locks, n}
		in := sweep.UnlockInput{TargetInput: w.Target(pipeline.Request{}, "staging"), LockID: "l-1"}
		u := &sweep.Unlocker{Store: pipelinetest.FaultStore{Store: w.Store, Fault: n}, Locks: l, Engine: l, Runs: pipelinetest.FaultHub{Hub: w.Hub, Fault: n}, Now: func() time.Time { return w.Now }}
		_, err := u.Run(context.Background(), in)
		if err == nil && locks.Held != nil {
			t.Error("it says that the lock is released, and it is there")
		}
		if locks.Held == nil && !strings.Contains(w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}), "unlocking") {
			t.Errorf("the release is not in the ledger: %s", w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}))
		}
		left := locks.Held != nil
		again := w.Unlock(locks, nil)
		if locks.Held != nil || left && (again != nil || !strings.Contains(w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}), "unlocked")) {
			t.Errorf("the next one: %v, and the ledger has %s", again, w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}))
		}
	})
}

// faultLocks are the locks with that fault.
type faultLocks struct {
	*pipelinetest.StateLocks
	*pipelinetest.Fault
}

func (l faultLocks) Lock(ctx context.Context, c pipeline.Customer, t pipeline.Target) (lock *pipeline.Lock, known bool, err error) {
	err = l.Call(func() error { lock, known, err = l.StateLocks.Lock(ctx, c, t); return err })
	if err != nil {
		return nil, false, err
	}
	return lock, known, nil
}

func (l faultLocks) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	return l.Call(func() error { return l.StateLocks.ReleaseLock(ctx, job, id) })
}
