package sweep_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	none := func(*pipelinetest.Setup, *pipelinetest.StateLocks) pipeline.Request { return pipeline.Request{} }
	for name, c := range map[string]struct {
		happens  func(w *pipelinetest.Setup, locks *pipelinetest.StateLocks) pipeline.Request
		want     string // with fix
		status   pipeline.StatusState
		MarkOpen int // entries after the sweep
	}{
		"nothing": {happens: none},
		"a run that goes on": {MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			r := w.WaitingRequest()
			w.SetRun(r, "waiting", "")
			return r
		}},
		"a run that has just ended": {MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			r := w.WaitingRequest()
			w.SetRun(r, "completed", "failure")
			return r
		}},
		"a lost run": {want: "unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			r := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			return r
		}},
		"a deleted run": {want: "unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			return pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
		}},
		"a killed plan with its lock": {want: "lock fixed=true, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, l *pipelinetest.StateLocks) pipeline.Request {
			r, locks := w.KilledPlan()
			l.Held = locks.Held
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			return r
		}},
		"a killed plan that the finalizer has closed": {want: "lock fixed=true, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, l *pipelinetest.StateLocks) pipeline.Request {
			r, locks := w.KilledPlan()
			l.Held = locks.Held
			w.Report(r, true)
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			return r
		}},
		"a lock of somebody's machine": {want: "foreign-lock fixed=false, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, l *pipelinetest.StateLocks) pipeline.Request {
			r, locks := w.KilledPlan()
			l.Held = locks.Held
			l.Held.Who = "me@laptop"
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			return r
		}},
		"a lock that only the tool can see": {want: "unseen-lock fixed=false, unfinished fixed=true", status: pipeline.StatusFailure, happens: func(w *pipelinetest.Setup, l *pipelinetest.StateLocks) pipeline.Request {
			r, _ := w.KilledPlan()
			l.Unknown = true
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			return r
		}},
		"a plan past its time": {want: "expired fixed=true", MarkOpen: 1, status: pipeline.StatusError, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			r := w.WaitingRequest()
			w.SetRun(r, "waiting", "")
			w.Now = w.Now.Add(2 * time.Hour)
			return r
		}},
		"a slow reviewer": {want: "waiting fixed=false", MarkOpen: 1, status: pipeline.StatusPending, happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			w.Current.Manager.Limits.PlanTTL = 72 * time.Hour
			r := w.WaitingRequest()
			w.SetRun(r, "waiting", "")
			w.Now = w.Now.Add(25 * time.Hour)
			return r
		}},
		"a fetch-vars that died": {want: "orphan fixed=true", happens: func(w *pipelinetest.Setup, _ *pipelinetest.StateLocks) pipeline.Request {
			r := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			if err := w.Store.Delete(context.Background(), "acme/requests/"+string(r.ID)+".json"); err != nil {
				w.T.Fatal(err)
			}
			w.Now = w.Now.Add(2 * time.Hour)
			return pipeline.Request{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
			request := c.happens(w, locks)
			writes, open := w.Hub.Writes, len(w.OpenKeys())
			if dry := pipelinetest.FindingKinds(w.Sweep(locks, false)); strings.ReplaceAll(c.want, "fixed=true", "fixed=false") != dry || w.Hub.Writes != writes || len(w.OpenKeys()) != open {
				t.Fatalf("without fix: %q, %d writes, open %v", dry, w.Hub.Writes-writes, w.OpenKeys())
			}
			if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if s := w.Hub.Status(request.Commit, "infra/terraform-deploy"); s.State != c.status {
				t.Errorf("overall status: %+v, want %s", s, c.status)
			}
			if keys := w.OpenKeys(); len(keys) != c.MarkOpen {
				t.Errorf("open: %v", keys)
			}
			if strings.Contains(c.want, "lock fixed=true") && locks.Held != nil {
				t.Error("the lock is still there")
			}
			if again := pipelinetest.FindingKinds(w.Sweep(locks, true)); c.MarkOpen == 0 && again != "" {
				t.Errorf("a second sweep finds %q", again)
			}
		})
	}
}

// A run that does not end when it is asked to is ended by force.
func TestSweepEndsStuckRun(t *testing.T) {
	t.Parallel()
	w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
	r := w.WaitingRequest()
	w.SetRun(r, "waiting", "")
	w.Now = w.Now.Add(2 * time.Hour)
	w.Sweep(locks, true)
	if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "" {
		t.Fatalf("a run that was just asked to end: %q", got)
	}
	w.Now = w.Now.Add(time.Hour)
	if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "stuck fixed=true" || len(w.Hub.Forced) != 1 {
		t.Fatalf("got %q, forced %v", got, w.Hub.Forced)
	}
}

// The work of a sweep grows with what is open, not with what ever was.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
	for range 30 {
		r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
		for _, target := range r.Targets {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, target.Environment))
		}
		w.Report(r, true)
	}
	r := w.WaitingRequest()
	w.SetRun(r, "waiting", "")
	w.Hub.Reads = 0
	if got := w.Sweep(locks, true); got.Open != 1 || w.Hub.Reads != 1 {
		t.Errorf("%d open requests, %d questions to GitHub", got.Open, w.Hub.Reads)
	}
}

// A sweep that is stopped tells what it has seen until then, and the next one ends
// what it was at.
func TestSweepStopped(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	for range 2 {
		r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
		w.SetRun(r, "completed", "failure")
	}
	w.Now = w.Now.Add(time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &sweep.Sweeper{Store: w.Store, Sealer: w.Sealer, Runs: w.Hub, Customers: w, Locks: &pipelinetest.StateLocks{}, Now: func() time.Time { return w.Now },
		Close: func(_ context.Context, closing sweep.CloseRequest) error {
			request := closing.Request
			cancel()
			w.Report(request, true)
			return nil
		}}
	result, err := s.Run(ctx, true)
	if !errors.Is(err, context.Canceled) || len(result.Findings) != 1 {
		t.Fatalf("%+v %v", result, err)
	}
	w.Sweep(&pipelinetest.StateLocks{}, true)
	if keys := w.OpenKeys(); len(keys) != 0 {
		t.Errorf("open: %v", keys)
	}
}

// TestDamagedLock: a record of a lock that cannot be read keeps the request of its run open,
// and hides neither that request nor another one.
func TestDamagedLock(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	r, locks := w.KilledPlan()
	locks.Held, locks.Err = nil, &pipeline.DamagedLock{Place: "s3://b/acme/staging/k.tflock", Why: "it is empty"}
	w.SetRun(r, "completed", "failure")
	w.Now = w.Now.Add(time.Hour)
	found := w.Sweep(locks, true)
	if got := pipelinetest.FindingKinds(found); got != "damaged-lock fixed=false, unfinished fixed=true" || len(w.OpenKeys()) != 1 {
		t.Fatalf("%q, open %v", got, w.OpenKeys())
	}
	if f := found.Findings[0]; !pipelinetest.ContainsAll(f.Message+f.Next, "it is empty", "remove s3://b/acme/staging/k.tflock") {
		t.Errorf("%+v", f)
	}
	locks.Err = nil
	if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "unfinished fixed=true" || len(w.OpenKeys()) != 0 {
		t.Errorf("without the lock: %q, open %v", got, w.OpenKeys())
	}
}
