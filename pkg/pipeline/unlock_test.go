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

// lockStore is the one lock of a target, and the tool that can release it.
type lockStore struct {
	lock    *pipeline.Lock
	unknown bool
}

func (l *lockStore) Lock(_ context.Context, _ pipeline.Customer, env pipeline.Environment) (*pipeline.Lock, bool, error) {
	if l.unknown {
		return nil, false, nil
	}
	if env != "staging" {
		return nil, true, nil
	}
	return l.lock, true, nil
}

func (l *lockStore) ReleaseLock(_ context.Context, _ pipeline.Job, id string) error {
	if l.lock == nil || l.lock.ID != id {
		return errors.New("another lock")
	}
	l.lock = nil
	return nil
}

// killedPlan is a request whose plan took the lock and was killed: it has begun and
// nothing more.
func (w *world) killedPlan() (pipeline.Request, *lockStore) {
	w.t.Helper()
	request := must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	w.hub.runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
	locks := &lockStore{}
	w.engine.duringPlan = func() {
		locks.lock = &pipeline.Lock{ID: "l-1", Operation: "plan", Who: "runner@fv-1", Created: w.now.Add(time.Second)}
		runtime.Goexit() // the process is gone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := w.target(request, "staging")
		in.Host, in.Run = "fv-1", request.ManagerRun
		_, err := w.planner().Run(context.Background(), in)
		w.t.Errorf("the plan was not killed: %v", err)
	}()
	<-gone
	w.engine.duringPlan = nil
	w.now = w.now.Add(10 * time.Minute)
	return request, locks
}

func (w *world) unlock(locks *lockStore, change func(in *sweep.UnlockInput)) error {
	in := sweep.UnlockInput{TargetInput: w.target(pipeline.Request{}, "staging"), LockID: "l-1"}
	if change != nil {
		change(&in)
	}
	u := &sweep.Unlocker{Store: w.store, Locks: locks, Engine: locks, Runs: w.hub, Now: func() time.Time { return w.now }}
	_, err := u.Run(context.Background(), in)
	return err
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(w *world, request pipeline.Request, locks *lockStore)
		change  func(in *sweep.UnlockInput)
		refused bool
	}{
		"its run is over": {},
		"its run goes on": {refused: true, happens: func(w *world, r pipeline.Request, _ *lockStore) {
			w.hub.runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
		}},
		"its run was started again": {happens: func(w *world, r pipeline.Request, _ *lockStore) {
			w.hub.runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 2, Status: "in_progress"}
		}},
		"its run was deleted":                               {happens: func(w *world, r pipeline.Request, _ *lockStore) { delete(w.hub.runs, r.ManagerRun.ID) }},
		"the token sees neither the run nor its repository": {refused: true, happens: func(w *world, _ pipeline.Request, _ *lockStore) { w.hub.blind = unseen() }},
		"the token sees the repository and not its runs": {refused: true, happens: func(w *world, r pipeline.Request, _ *lockStore) {
			delete(w.hub.runs, r.ManagerRun.ID)
			w.hub.unlisted = errors.New("HTTP 403: Resource not accessible by integration")
		}},
		"the name belongs to another repository": {refused: true, happens: func(w *world, r pipeline.Request, _ *lockStore) {
			delete(w.hub.runs, r.ManagerRun.ID)
			w.hub.managerID++
		}},
		"the run is one of another repository": {refused: true, happens: func(w *world, r pipeline.Request, _ *lockStore) {
			run := w.hub.runs[r.ManagerRun.ID]
			run.RepoID = managerID + 1
			w.hub.runs[r.ManagerRun.ID] = run
		}},
		"another lock":       {refused: true, change: func(in *sweep.UnlockInput) { in.LockID = "l-2" }},
		"a young lock":       {refused: true, happens: func(w *world, _ pipeline.Request, l *lockStore) { l.lock.Created = w.now.Add(-time.Minute) }},
		"no lock":            {refused: true, happens: func(_ *world, _ pipeline.Request, l *lockStore) { l.lock = nil }},
		"of another machine": {refused: true, happens: func(_ *world, _ pipeline.Request, l *lockStore) { l.lock.Who = "me@laptop" }},
		"older than its run": {refused: true, happens: func(w *world, _ pipeline.Request, l *lockStore) { l.lock.Created = w.now.Add(-time.Hour) }},
		"of another machine, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *world, _ pipeline.Request, l *lockStore) { l.lock.Who = "me@laptop" }},
		"its run goes on, and somebody vouches for it": {refused: true, change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(w *world, r pipeline.Request, _ *lockStore) {
				w.hub.runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
			}},
		"where only the tool sees locks": {refused: true, happens: func(_ *world, _ pipeline.Request, l *lockStore) { l.unknown = true }},
		"where only the tool sees locks, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *world, _ pipeline.Request, l *lockStore) { l.unknown = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			request, locks := w.killedPlan()
			w.hub.runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "completed", Conclusion: "failure"}
			if c.happens != nil {
				c.happens(w, request, locks)
			}
			had := locks.lock
			err := w.unlock(locks, c.change)
			var refused *pipeline.RefusedError
			if errors.As(err, &refused) != c.refused || !c.refused && err != nil {
				t.Fatalf("got %v, want a refusal: %v", err, c.refused)
			}
			if c.refused && locks.lock != had {
				t.Error("the lock was released")
			}
			if !c.refused && locks.lock != nil {
				t.Error("the lock was not released")
			}
		})
	}
}

// A plan that meets the lock of another run says whose it is.
func TestLockedPlanNamesTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, locks := w.killedPlan()
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	for account, want := range map[string]string{"runner@fv-1": "https://hub/run", "me@laptop": "--no-run"} {
		lock := *locks.lock
		lock.Who = account
		w.engine.planErr = &pipeline.FailedError{Message: "locked", Lock: &lock}
		_, err := w.plan(request, "staging")
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !contains(failed.Operator, want, "metapipe unlock --customer acme --environment staging --lock-id l-1") {
			t.Errorf("%s: %v", account, err)
		}
	}
}
