package registry_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// killedApply is an apply of the customer under its old name that has changed the state, and
// whose process was killed then, with the lock. Its run is over. ok is false where the old name
// is refused already.
func killedApply(w *pipelinetest.Setup, old pipeline.CustomerName) (locks *pipelinetest.StateLocks, request pipeline.Request, ok bool) {
	w.T.Helper()
	now := w.Current.Name
	w.Current.Name = old
	defer func() { w.Current.Name = now }()
	request, err := w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push"))
	if err != nil {
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed {
			w.T.Errorf("a request of the old name: %v", err)
		}
		return &pipelinetest.StateLocks{}, request, false
	}
	pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
	locks = &pipelinetest.StateLocks{}
	w.Engine.DuringApply = func() {
		locks.Held = &pipeline.Lock{ID: "l-1", Operation: "apply", Who: "runner@fv-1", Created: w.Now.Add(time.Second)}
		w.Engine.States[w.Backend(pipeline.Target{Customer: old, Environment: "staging"}).String()]++
		runtime.Goexit() // the process is gone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := w.Target(request, "staging")
		in.Host, in.Run = "fv-1", request.ManagerRun
		_, _ = w.Apply(in) // it does not come back
	}()
	<-gone
	w.Engine.DuringApply = nil
	w.Now = w.Now.Add(30 * time.Minute)
	w.Hub.Runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "completed", Conclusion: "cancelled", UpdatedAt: w.Now.Add(-20 * time.Minute)}
	return locks, request, true
}

// TestSweepDuringARename: an apply of the old name begins between two writes of a rename and
// is killed, and a sweep repairs what it has left. Done again, the rename has copied the state
// that the apply has left, the request is closed, and both ledgers are whole.
func TestSweepDuringARename(t *testing.T) {
	t.Parallel()
	swept := 0
	for n := 1; ; n++ {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		r, writes, began := w.Renamer(), 0, false
		r.Store = hooked{Store: w.Store, create: func(string) error {
			if writes++; writes != n {
				return nil
			}
			locks, _, ok := killedApply(w, "acme")
			began = ok
			found := pipelinetest.FindingKinds(w.Sweep(locks, true))
			if ok && locks.Held != nil {
				t.Errorf("write %d: the lock is still held: %s", n, found)
			}
			return nil
		}}
		_, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true)
		if writes < n {
			break
		}
		if began {
			swept++
		}
		if err != nil { // it says what is in its way, and goes on when run again
			t.Logf("write %d: %v", n, err)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("write %d: %v", n, err)
			}
			w.Sweep(&pipelinetest.StateLocks{}, true)
			if err := w.Rename("acme", "store"); err != nil {
				t.Errorf("write %d: run again: %v", n, err)
				continue
			}
		}
		if open := w.OpenKeys(); len(open) > 0 {
			t.Errorf("write %d: open: %v", n, open)
		}
		if old, now := stateSerial(w, "acme"), stateSerial(w, "store"); old != now {
			t.Errorf("write %d: serial %d under the old name, %d under the new one", n, old, now)
		}
		for _, name := range []pipeline.CustomerName{"acme", "store"} {
			for _, env := range []pipeline.Environment{"", "staging"} {
				if _, _, err := w.Ledger().Read(context.Background(), pipeline.Target{Customer: name, Environment: env}); err != nil {
					t.Errorf("write %d: the ledger of %s/%s: %v", n, name, env, err)
				}
			}
		}
		if err := registry.CheckOwner(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), w.Current, w.Current.Name.In("staging")); err != nil {
			t.Errorf("write %d: %v", n, err)
		}
		w.WantNamed("store", "acme")
	}
	if swept < 3 {
		t.Errorf("a sweep repaired something in %d cases", swept)
	}
}
