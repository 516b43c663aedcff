package pipeline_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// nth lets one call of a command fail: before its effect, or after it, where the answer is
// lost.
type nth struct {
	left    int // calls before it
	through bool
	hit     bool
}

var errNth = errors.New("the connection broke")

// call plays one call.
func (n *nth) call(do func() error) error {
	n.left--
	if n.left != -1 {
		return do()
	}
	n.hit = true
	if n.through {
		_ = do()
	}
	return errNth
}

// answer is call for one with a result.
func answer[T any](n *nth, do func() (T, error)) (result T, err error) {
	err = n.call(func() error { result, err = do(); return err })
	if errors.Is(err, errNth) {
		var none T
		return none, err
	}
	return result, err
}

// nthStore is a store with that fault.
type nthStore struct {
	pipeline.Store
	*nth
}

func (s nthStore) Create(ctx context.Context, key string, body io.Reader) error {
	return s.call(func() error { return s.Store.Create(ctx, key, body) })
}

func (s nthStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return answer(s.nth, func() (io.ReadCloser, error) { return s.Store.Open(ctx, key) })
}

func (s nthStore) List(ctx context.Context, prefix string) ([]string, error) {
	return answer(s.nth, func() ([]string, error) { return s.Store.List(ctx, prefix) })
}

func (s nthStore) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	return answer(s.nth, func() ([]string, error) { return s.Store.ListAfter(ctx, prefix, after) })
}

func (s nthStore) Folders(ctx context.Context, prefix string) ([]string, error) {
	return answer(s.nth, func() ([]string, error) { return s.Store.Folders(ctx, prefix) })
}

func (s nthStore) Delete(ctx context.Context, key string) error {
	return s.call(func() error { return s.Store.Delete(ctx, key) })
}

// nthHub is GitHub with that fault.
type nthHub struct {
	*hub
	*nth
}

func (h nthHub) Login(ctx context.Context) (string, error) {
	return answer(h.nth, func() (string, error) { return h.hub.Login(ctx) })
}

func (h nthHub) SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, s pipeline.Status) error {
	return h.call(func() error { return h.hub.SetStatus(ctx, repo, sha, s) })
}

func (h nthHub) Comments(ctx context.Context, repo pipeline.Slug, number int) ([]pipeline.Comment, error) {
	return answer(h.nth, func() ([]pipeline.Comment, error) { return h.hub.Comments(ctx, repo, number) })
}

func (h nthHub) CreateComment(ctx context.Context, repo pipeline.Slug, number int, body string) (pipeline.Comment, error) {
	return answer(h.nth, func() (pipeline.Comment, error) { return h.hub.CreateComment(ctx, repo, number, body) })
}

func (h nthHub) EditComment(ctx context.Context, repo pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	return answer(h.nth, func() (pipeline.Comment, error) { return h.hub.EditComment(ctx, repo, id, body) })
}

func (h nthHub) CreateDeployment(ctx context.Context, repo pipeline.Slug, d pipeline.Deployment) (int64, error) {
	return answer(h.nth, func() (int64, error) { return h.hub.CreateDeployment(ctx, repo, d) })
}

func (h nthHub) Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	return answer(h.nth, func() (pipeline.Repository, error) { return h.hub.Repository(ctx, repo) })
}

func (h nthHub) WorkflowRun(ctx context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	return answer(h.nth, func() (pipeline.WorkflowRun, error) { return h.hub.WorkflowRun(ctx, repo, id) })
}

// eachCall plays a command for each of its calls, which fails before its effect, and after
// it. It ends where the command has no such call.
func eachCall(t *testing.T, play func(t *testing.T, n *nth)) {
	t.Helper()
	for calls := 0; ; calls++ {
		hit := false
		for _, through := range []bool{false, true} {
			n := &nth{left: calls, through: through}
			play(t, n)
			hit = hit || n.hit
			if t.Failed() {
				t.Fatalf("call %d failed, after its effect: %v", calls, through)
			}
		}
		if !hit {
			if calls < 5 {
				t.Errorf("only %d calls were made to fail", calls)
			}
			return
		}
	}
}

// wantReported wants an apply that is known everywhere, once.
func (w *world) wantReported(request pipeline.Request) {
	w.t.Helper()
	if s := w.hub.status(request.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusSuccess {
		w.t.Errorf("the status is %s: %s", s.State, s.Description)
	}
	if s := w.hub.status(request.Commit, "infra/terraform-deploy/staging"); s.State != pipeline.StatusSuccess {
		w.t.Errorf("the status of staging is %s: %s", s.State, s.Description)
	}
	if len(w.hub.deployments) == 0 {
		w.t.Error("there is no deployment")
	}
	if events := w.events("acme", "staging"); !strings.HasSuffix(events, "applying, applied") || strings.Count(events, "applied") != 1 {
		w.t.Errorf("the ledger has %s", events)
	}
}

// TestFaultsOfReport: a report of an apply whose job could not record its end, with each
// call broken in turn, does not say that it is done before it is, and the next one ends it.
func TestFaultsOfReport(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, n *nth) {
		t.Helper()
		w := newWorld(t)
		request := w.unrecordedApply()
		before := w.keys("")
		r := &publish.Reporter{GitHub: nthHub{w.hub, n}, Store: nthStore{w.store, n}, Sealer: w.sealer, Renderer: plain{}, Now: func() time.Time { return w.now }, Logf: func(string, ...any) {}}
		in := publish.ReportInput{Manager: managerSlug, Customer: w.customer, Request: request.ID, Final: true}
		_, _, err := r.Run(context.Background(), in)
		open := len(w.keys("acme/open/")) + len(w.keys("_metapipe/open/"))
		if err == nil || len(w.keys("_metapipe/closed/")) > 0 || open == 0 {
			w.wantReported(request)
		}
		w.report(request, true)
		w.wantReported(request)
		if len(w.hub.deployments) > 2 {
			t.Errorf("%d deployments", len(w.hub.deployments))
		}
		for _, key := range before {
			if strings.Contains(key, "ledger/") && len(w.keys(key)) == 0 {
				t.Errorf("%s is lost", key)
			}
		}
	})
}

// TestFaultsOfUnlock: an unlock with each call broken in turn succeeds only where the lock is
// gone and the ledger says so. Afterwards the next one releases a lock that is still there,
// and records that.
func TestFaultsOfUnlock(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, n *nth) {
		t.Helper()
		w := newWorld(t)
		request, locks := w.killedPlan()
		run := w.hub.runs[request.ManagerRun.ID]
		run.Status, run.UpdatedAt = "completed", w.now.Add(-5*time.Minute)
		w.hub.runs[request.ManagerRun.ID] = run
		l := nthLocks{locks, n}
		in := sweep.UnlockInput{TargetInput: w.target(pipeline.Request{}, "staging"), LockID: "l-1"}
		u := &sweep.Unlocker{Store: nthStore{w.store, n}, Locks: l, Engine: l, Runs: nthHub{w.hub, n}, Now: func() time.Time { return w.now }}
		_, err := u.Run(context.Background(), in)
		if err == nil && locks.lock != nil {
			t.Error("it says that the lock is released, and it is there")
		}
		if locks.lock == nil && !strings.Contains(w.events("acme", "staging"), "unlocking") {
			t.Errorf("the release is not in the ledger: %s", w.events("acme", "staging"))
		}
		left := locks.lock != nil
		again := w.unlock(locks, nil)
		if locks.lock != nil || left && (again != nil || !strings.Contains(w.events("acme", "staging"), "unlocked")) {
			t.Errorf("the next one: %v, and the ledger has %s", again, w.events("acme", "staging"))
		}
	})
}

// nthLocks are the locks with that fault.
type nthLocks struct {
	*lockStore
	*nth
}

func (l nthLocks) Lock(ctx context.Context, c pipeline.Customer, env pipeline.Environment) (lock *pipeline.Lock, known bool, err error) {
	err = l.call(func() error { lock, known, err = l.lockStore.Lock(ctx, c, env); return err })
	if err != nil {
		return nil, false, err
	}
	return lock, known, nil
}

func (l nthLocks) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	return l.call(func() error { return l.lockStore.ReleaseLock(ctx, job, id) })
}
