package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

func (w *world) sweep(locks *lockStore, fix bool) sweep.Result {
	w.t.Helper()
	w.tick()
	s := &sweep.Sweeper{Store: w.store, Sealer: w.sealer, Runs: w.hub, Customers: w, Locks: locks, Now: func() time.Time { return w.now },
		Manager: w.manager, Departed: w.departed, Close: w.close,
		Unlock: func(_ context.Context, _ pipeline.Customer, _ pipeline.Environment, _ pipeline.RequestID, id string) error {
			return w.unlock(locks, func(in *sweep.UnlockInput) { in.LockID = id })
		}}
	result, err := s.Run(context.Background(), fix)
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

func kinds(r sweep.Result) string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, fmt.Sprintf("%s fixed=%v%s", f.Kind, f.Fixed, f.Error))
	}
	return strings.Join(list, ", ")
}

// setRun moves the manager's run of a request.
func (w *world) setRun(r pipeline.Request, status, conclusion string) {
	w.hub.runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: status, Conclusion: conclusion, UpdatedAt: w.now}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	none := func(*world, *lockStore) pipeline.Request { return pipeline.Request{} }
	for name, c := range map[string]struct {
		happens  func(w *world, locks *lockStore) pipeline.Request
		want     string // with fix
		status   pipeline.StatusState
		MarkOpen int // entries after the sweep
	}{
		"nothing": {happens: none},
		"a run that goes on": {MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *world, _ *lockStore) pipeline.Request {
			r := w.waitingRequest()
			w.setRun(r, "waiting", "")
			return r
		}},
		"a run that has just ended": {MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *world, _ *lockStore) pipeline.Request {
			r := w.waitingRequest()
			w.setRun(r, "completed", "failure")
			return r
		}},
		"a lost run": {want: "unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, _ *lockStore) pipeline.Request {
			r := must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
			w.setRun(r, "completed", "failure")
			w.now = w.now.Add(time.Hour)
			return r
		}},
		"a deleted run": {want: "unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, _ *lockStore) pipeline.Request {
			return must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "pull_request")))
		}},
		"a killed plan with its lock": {want: "lock fixed=true, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, l *lockStore) pipeline.Request {
			r, locks := w.killedPlan()
			l.lock = locks.lock
			w.setRun(r, "completed", "failure")
			w.now = w.now.Add(time.Hour)
			return r
		}},
		"a killed plan that the finalizer has closed": {want: "lock fixed=true, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, l *lockStore) pipeline.Request {
			r, locks := w.killedPlan()
			l.lock = locks.lock
			w.report(r, true)
			w.setRun(r, "completed", "failure")
			w.now = w.now.Add(time.Hour)
			return r
		}},
		"a lock of somebody's machine": {want: "foreign-lock fixed=false, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, l *lockStore) pipeline.Request {
			r, locks := w.killedPlan()
			l.lock = locks.lock
			l.lock.Who = "me@laptop"
			w.setRun(r, "completed", "failure")
			w.now = w.now.Add(time.Hour)
			return r
		}},
		"a lock that only the tool can see": {want: "unseen-lock fixed=false, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *world, l *lockStore) pipeline.Request {
			r, _ := w.killedPlan()
			l.unknown = true
			w.setRun(r, "completed", "failure")
			w.now = w.now.Add(time.Hour)
			return r
		}},
		"a plan past its time": {want: "expired fixed=true", MarkOpen: 1, status: pipeline.StatusError, happens: func(w *world, _ *lockStore) pipeline.Request {
			r := w.waitingRequest()
			w.setRun(r, "waiting", "")
			w.now = w.now.Add(2 * time.Hour)
			return r
		}},
		"a slow reviewer": {want: "waiting fixed=false", MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *world, _ *lockStore) pipeline.Request {
			w.customer.Manager.Limits.PlanTTL = 72 * time.Hour
			r := w.waitingRequest()
			w.setRun(r, "waiting", "")
			w.now = w.now.Add(25 * time.Hour)
			return r
		}},
		"a fetch-vars that died": {want: "orphan fixed=true", happens: func(w *world, _ *lockStore) pipeline.Request {
			r := must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
			if err := w.store.Delete(context.Background(), "acme/requests/"+string(r.ID)+".json"); err != nil {
				w.t.Fatal(err)
			}
			w.now = w.now.Add(2 * time.Hour)
			return pipeline.Request{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, locks := newWorld(t), &lockStore{}
			request := c.happens(w, locks)
			writes, open := w.hub.writes, len(w.openKeys())
			if dry := kinds(w.sweep(locks, false)); strings.ReplaceAll(c.want, "fixed=true", "fixed=false") != dry || w.hub.writes != writes || len(w.openKeys()) != open {
				t.Fatalf("without fix: %q, %d writes, open %v", dry, w.hub.writes-writes, w.openKeys())
			}
			if got := kinds(w.sweep(locks, true)); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if s := w.hub.status(request.Commit, "infra/terraform-deploy"); s.State != c.status {
				t.Errorf("overall status: %+v, want %s", s, c.status)
			}
			if keys := w.openKeys(); len(keys) != c.MarkOpen {
				t.Errorf("open: %v", keys)
			}
			if strings.Contains(c.want, "lock fixed=true") && locks.lock != nil {
				t.Error("the lock is still there")
			}
			if again := kinds(w.sweep(locks, true)); c.MarkOpen == 0 && again != "" {
				t.Errorf("a second sweep finds %q", again)
			}
		})
	}
}

// A run that does not end when it is asked to is ended by force.
func TestSweepEndsStuckRun(t *testing.T) {
	t.Parallel()
	w, locks := newWorld(t), &lockStore{}
	r := w.waitingRequest()
	w.setRun(r, "waiting", "")
	w.now = w.now.Add(2 * time.Hour)
	w.sweep(locks, true)
	if got := kinds(w.sweep(locks, true)); got != "" {
		t.Fatalf("a run that was just asked to end: %q", got)
	}
	w.now = w.now.Add(time.Hour)
	if got := kinds(w.sweep(locks, true)); got != "stuck fixed=true" || len(w.hub.forced) != 1 {
		t.Fatalf("got %q, forced %v", got, w.hub.forced)
	}
}

// The work of a sweep grows with what is open, not with what ever was.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	w, locks := newWorld(t), &lockStore{}
	for range 30 {
		r := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "pull_request")))
		for _, env := range r.Targets {
			must[deploy.TargetResult](t)(w.plan(r, env))
		}
		w.report(r, true)
	}
	r := w.waitingRequest()
	w.setRun(r, "waiting", "")
	w.hub.reads = 0
	if got := w.sweep(locks, true); got.Open != 1 || w.hub.reads != 1 {
		t.Errorf("%d open requests, %d questions to GitHub", got.Open, w.hub.reads)
	}
}

// A sweep that is stopped tells what it has seen until then, and the next one ends
// what it was at.
func TestSweepStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		r := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "pull_request")))
		w.setRun(r, "completed", "failure")
	}
	w.now = w.now.Add(time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &sweep.Sweeper{Store: w.store, Sealer: w.sealer, Runs: w.hub, Customers: w, Locks: &lockStore{}, Now: func() time.Time { return w.now },
		Close: func(_ context.Context, closing sweep.CloseRequest) error {
			request := closing.Request
			cancel()
			w.report(request, true)
			return nil
		}}
	result, err := s.Run(ctx, true)
	if !errors.Is(err, context.Canceled) || len(result.Findings) != 1 {
		t.Fatalf("%+v %v", result, err)
	}
	w.sweep(&lockStore{}, true)
	if keys := w.openKeys(); len(keys) != 0 {
		t.Errorf("open: %v", keys)
	}
}
