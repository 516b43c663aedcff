package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// StateLocks is the one lock of a target, and the tool that can release it.
type StateLocks struct {
	Held    *pipeline.Lock
	Unknown bool
}

func (l *StateLocks) Lock(_ context.Context, _ pipeline.Customer, env pipeline.Environment) (*pipeline.Lock, bool, error) {
	if l.Unknown {
		return nil, false, nil
	}
	if env != "staging" {
		return nil, true, nil
	}
	return l.Held, true, nil
}

func (l *StateLocks) ReleaseLock(_ context.Context, _ pipeline.Job, id string) error {
	if l.Held == nil || l.Held.ID != id {
		return errors.New("another lock")
	}
	l.Held = nil
	return nil
}

// KilledPlan is a request whose plan took the lock and was killed: it has begun and
// nothing more.
func (w *Setup) KilledPlan() (pipeline.Request, *StateLocks) {
	w.T.Helper()
	request := Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	w.Hub.Runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
	locks := &StateLocks{}
	w.Engine.DuringPlan = func() {
		locks.Held = &pipeline.Lock{ID: "l-1", Operation: "plan", Who: "runner@fv-1", Created: w.Now.Add(time.Second)}
		runtime.Goexit() // the process is gone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := w.Target(request, "staging")
		in.Host, in.Run = "fv-1", request.ManagerRun
		_, err := w.Planner().Run(context.Background(), in)
		w.T.Errorf("the plan was not killed: %v", err)
	}()
	<-gone
	w.Engine.DuringPlan = nil
	w.Now = w.Now.Add(10 * time.Minute)
	return request, locks
}

// Unlock releases the lock of staging. change may edit the input.
func (w *Setup) Unlock(locks *StateLocks, change func(in *sweep.UnlockInput)) error {
	in := sweep.UnlockInput{TargetInput: w.Target(pipeline.Request{}, "staging"), LockID: "l-1"}
	if change != nil {
		change(&in)
	}
	u := &sweep.Unlocker{Store: w.Store, Locks: locks, Engine: locks, Runs: w.Hub, Now: func() time.Time { return w.Now }}
	_, err := u.Run(context.Background(), in)
	return err
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(w *Setup, request pipeline.Request, locks *StateLocks)
		change  func(in *sweep.UnlockInput)
		refused bool
	}{
		"its run is over": {},
		"its run goes on": {refused: true, happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
			w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
		}},
		"its run was started again": {happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
			w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 2, Status: "in_progress"}
		}},
		"its run was deleted":                               {happens: func(w *Setup, r pipeline.Request, _ *StateLocks) { delete(w.Hub.Runs, r.ManagerRun.ID) }},
		"the token sees neither the run nor its repository": {refused: true, happens: func(w *Setup, _ pipeline.Request, _ *StateLocks) { w.Hub.ManagerError = NotVisible() }},
		"the token sees the repository and not its runs": {refused: true, happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ListError = errors.New("HTTP 403: Resource not accessible by integration")
		}},
		"the name belongs to another repository": {refused: true, happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ManagerID++
		}},
		"the run is one of another repository": {refused: true, happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
			run := w.Hub.Runs[r.ManagerRun.ID]
			run.RepoID = ManagerID + 1
			w.Hub.Runs[r.ManagerRun.ID] = run
		}},
		"another lock":       {refused: true, change: func(in *sweep.UnlockInput) { in.LockID = "l-2" }},
		"a young lock":       {refused: true, happens: func(w *Setup, _ pipeline.Request, l *StateLocks) { l.Held.Created = w.Now.Add(-time.Minute) }},
		"no lock":            {refused: true, happens: func(_ *Setup, _ pipeline.Request, l *StateLocks) { l.Held = nil }},
		"of another machine": {refused: true, happens: func(_ *Setup, _ pipeline.Request, l *StateLocks) { l.Held.Who = "me@laptop" }},
		"older than its run": {refused: true, happens: func(w *Setup, _ pipeline.Request, l *StateLocks) { l.Held.Created = w.Now.Add(-time.Hour) }},
		"of another machine, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *Setup, _ pipeline.Request, l *StateLocks) { l.Held.Who = "me@laptop" }},
		"its run goes on, and somebody vouches for it": {refused: true, change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(w *Setup, r pipeline.Request, _ *StateLocks) {
				w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
			}},
		"where only the tool sees locks": {refused: true, happens: func(_ *Setup, _ pipeline.Request, l *StateLocks) { l.Unknown = true }},
		"where only the tool sees locks, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *Setup, _ pipeline.Request, l *StateLocks) { l.Unknown = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := New(t)
			request, locks := w.KilledPlan()
			w.Hub.Runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "completed", Conclusion: "failure"}
			if c.happens != nil {
				c.happens(w, request, locks)
			}
			had := locks.Held
			err := w.Unlock(locks, c.change)
			var refused *pipeline.RefusedError
			if errors.As(err, &refused) != c.refused || !c.refused && err != nil {
				t.Fatalf("got %v, want a refusal: %v", err, c.refused)
			}
			if c.refused && locks.Held != had {
				t.Error("the lock was released")
			}
			if !c.refused && locks.Held != nil {
				t.Error("the lock was not released")
			}
		})
	}
}

// A plan that meets the lock of another run says whose it is.
func TestLockedPlanNamesTheRun(t *testing.T) {
	t.Parallel()
	w := New(t)
	_, locks := w.KilledPlan()
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	for account, want := range map[string]string{"runner@fv-1": "https://hub/run", "me@laptop": "--no-run"} {
		lock := *locks.Held
		lock.Who = account
		w.Engine.PlanErr = &pipeline.FailedError{Message: "locked", Lock: &lock}
		_, err := w.Plan(request, "staging")
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !ContainsAll(failed.Operator, want, "metapipe unlock --customer acme --environment staging --lock-id l-1") {
			t.Errorf("%s: %v", account, err)
		}
	}
}
