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

// Fault lets one call of a command fail: before its effect, or after it, where the answer is
// lost.
type Fault struct {
	Left    int // calls before it
	Through bool
	Hit     bool
}

// ErrFault is the error of the call that a Fault lets fail.
var ErrFault = errors.New("the connection broke")

// Call plays one call.
func (n *Fault) Call(do func() error) error {
	n.Left--
	if n.Left != -1 {
		return do()
	}
	n.Hit = true
	if n.Through {
		_ = do()
	}
	return ErrFault
}

// answer is call for one with a result.
func answer[T any](n *Fault, do func() (T, error)) (result T, err error) {
	err = n.Call(func() error { result, err = do(); return err })
	if errors.Is(err, ErrFault) {
		var none T
		return none, err
	}
	return result, err
}

// FaultStore is a store with that fault.
type FaultStore struct {
	pipeline.Store
	*Fault
}

func (s FaultStore) Create(ctx context.Context, key string, body io.Reader) error {
	return s.Call(func() error { return s.Store.Create(ctx, key, body) })
}

func (s FaultStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return answer(s.Fault, func() (io.ReadCloser, error) { return s.Store.Open(ctx, key) })
}

func (s FaultStore) List(ctx context.Context, prefix string) ([]string, error) {
	return answer(s.Fault, func() ([]string, error) { return s.Store.List(ctx, prefix) })
}

func (s FaultStore) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	return answer(s.Fault, func() ([]string, error) { return s.Store.ListAfter(ctx, prefix, after) })
}

func (s FaultStore) Folders(ctx context.Context, prefix string) ([]string, error) {
	return answer(s.Fault, func() ([]string, error) { return s.Store.Folders(ctx, prefix) })
}

func (s FaultStore) Delete(ctx context.Context, key string) error {
	return s.Call(func() error { return s.Store.Delete(ctx, key) })
}

// FaultHub is GitHub with that fault.
type FaultHub struct {
	*Hub
	*Fault
}

func (h FaultHub) Login(ctx context.Context) (string, error) {
	return answer(h.Fault, func() (string, error) { return h.Hub.Login(ctx) })
}

func (h FaultHub) SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, s pipeline.Status) error {
	return h.Call(func() error { return h.Hub.SetStatus(ctx, repo, sha, s) })
}

func (h FaultHub) Comments(ctx context.Context, repo pipeline.Slug, number int) ([]pipeline.Comment, error) {
	return answer(h.Fault, func() ([]pipeline.Comment, error) { return h.Hub.Comments(ctx, repo, number) })
}

func (h FaultHub) CreateComment(ctx context.Context, repo pipeline.Slug, number int, body string) (pipeline.Comment, error) {
	return answer(h.Fault, func() (pipeline.Comment, error) { return h.Hub.CreateComment(ctx, repo, number, body) })
}

func (h FaultHub) EditComment(ctx context.Context, repo pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	return answer(h.Fault, func() (pipeline.Comment, error) { return h.Hub.EditComment(ctx, repo, id, body) })
}

func (h FaultHub) CreateDeployment(ctx context.Context, repo pipeline.Slug, d pipeline.Deployment) (int64, error) {
	return answer(h.Fault, func() (int64, error) { return h.Hub.CreateDeployment(ctx, repo, d) })
}

func (h FaultHub) Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	return answer(h.Fault, func() (pipeline.Repository, error) { return h.Hub.Repository(ctx, repo) })
}

func (h FaultHub) WorkflowRun(ctx context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	return answer(h.Fault, func() (pipeline.WorkflowRun, error) { return h.Hub.WorkflowRun(ctx, repo, id) })
}

// EachCall plays a command for each of its calls, which fails before its effect, and after
// it. It ends where the command has no such call.
func EachCall(t *testing.T, play func(t *testing.T, n *Fault)) {
	t.Helper()
	for calls := 0; ; calls++ {
		hit := false
		for _, through := range []bool{false, true} {
			n := &Fault{Left: calls, Through: through}
			play(t, n)
			hit = hit || n.Hit
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
func wantReported(w *Setup, request pipeline.Request) {
	w.T.Helper()
	if s := w.Hub.Status(request.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusSuccess {
		w.T.Errorf("the status is %s: %s", s.State, s.Description)
	}
	if s := w.Hub.Status(request.Commit, "infra/terraform-deploy/staging"); s.State != pipeline.StatusSuccess {
		w.T.Errorf("the status of staging is %s: %s", s.State, s.Description)
	}
	if len(w.Hub.DeploymentList) == 0 {
		w.T.Error("there is no deployment")
	}
	if events := w.Events("acme", "staging"); !strings.HasSuffix(events, "applying, applied") || strings.Count(events, "applied") != 1 {
		w.T.Errorf("the ledger has %s", events)
	}
}

// TestFaultsOfReport: a report of an apply whose job could not record its end, with each
// call broken in turn, does not say that it is done before it is, and the next one ends it.
func TestFaultsOfReport(t *testing.T) {
	t.Parallel()
	EachCall(t, func(t *testing.T, n *Fault) {
		t.Helper()
		w := New(t)
		request := unrecordedApply(w)
		before := w.Keys("")
		r := &publish.Reporter{GitHub: FaultHub{Hub: w.Hub, Fault: n}, Store: FaultStore{Store: w.Store, Fault: n}, Sealer: w.Sealer, Renderer: PlainRenderer{}, Now: func() time.Time { return w.Now }, Logf: func(string, ...any) {}}
		in := publish.ReportInput{Manager: ManagerSlug, Customer: w.Current, Request: request.ID, Final: true}
		_, _, err := r.Run(context.Background(), in)
		open := len(w.Keys("acme/open/")) + len(w.Keys("_metapipe/open/"))
		if err == nil || len(w.Keys("_metapipe/closed/")) > 0 || open == 0 {
			wantReported(w, request)
		}
		w.Report(request, true)
		wantReported(w, request)
		if len(w.Hub.DeploymentList) > 2 {
			t.Errorf("%d deployments", len(w.Hub.DeploymentList))
		}
		for _, key := range before {
			if strings.Contains(key, "ledger/") && len(w.Keys(key)) == 0 {
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
	EachCall(t, func(t *testing.T, n *Fault) {
		t.Helper()
		w := New(t)
		request, locks := w.KilledPlan()
		run := w.Hub.Runs[request.ManagerRun.ID]
		run.Status, run.UpdatedAt = "completed", w.Now.Add(-5*time.Minute)
		w.Hub.Runs[request.ManagerRun.ID] = run
		l := faultLocks{locks, n}
		in := sweep.UnlockInput{TargetInput: w.Target(pipeline.Request{}, "staging"), LockID: "l-1"}
		u := &sweep.Unlocker{Store: FaultStore{Store: w.Store, Fault: n}, Locks: l, Engine: l, Runs: FaultHub{Hub: w.Hub, Fault: n}, Now: func() time.Time { return w.Now }}
		_, err := u.Run(context.Background(), in)
		if err == nil && locks.Held != nil {
			t.Error("it says that the lock is released, and it is there")
		}
		if locks.Held == nil && !strings.Contains(w.Events("acme", "staging"), "unlocking") {
			t.Errorf("the release is not in the ledger: %s", w.Events("acme", "staging"))
		}
		left := locks.Held != nil
		again := w.Unlock(locks, nil)
		if locks.Held != nil || left && (again != nil || !strings.Contains(w.Events("acme", "staging"), "unlocked")) {
			t.Errorf("the next one: %v, and the ledger has %s", again, w.Events("acme", "staging"))
		}
	})
}

// faultLocks are the locks with that fault.
type faultLocks struct {
	*StateLocks
	*Fault
}

func (l faultLocks) Lock(ctx context.Context, c pipeline.Customer, env pipeline.Environment) (lock *pipeline.Lock, known bool, err error) {
	err = l.Call(func() error { lock, known, err = l.StateLocks.Lock(ctx, c, env); return err })
	if err != nil {
		return nil, false, err
	}
	return lock, known, nil
}

func (l faultLocks) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	return l.Call(func() error { return l.StateLocks.ReleaseLock(ctx, job, id) })
}
