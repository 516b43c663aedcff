package pipelinetest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
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

func (s FaultStore) First(ctx context.Context, prefix string) (string, error) {
	return answer(s.Fault, func() (string, error) { return s.Store.First(ctx, prefix) })
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

func (h FaultHub) SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, s pipeline.Status, known []pipeline.Status) error {
	return h.Call(func() error { return h.Hub.SetStatus(ctx, repo, sha, s, known) })
}

func (h FaultHub) CommitStatuses(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) (pipeline.CommitStatuses, error) {
	return answer(h.Fault, func() (pipeline.CommitStatuses, error) { return h.Hub.CommitStatuses(ctx, repo, sha) })
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

func (h FaultHub) RepositoryProperties(ctx context.Context, repo pipeline.Slug) (found pipeline.Repository, properties pipeline.Properties, err error) {
	err = h.Fault.Call(func() error { found, properties, err = h.Hub.RepositoryProperties(ctx, repo); return err })
	return found, properties, err
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

// RemoveState is a call of the store, too.
func (s FaultStore) RemoveState(ctx context.Context, key string) error {
	return s.Call(func() error { return s.Store.(*store.Directory).RemoveState(ctx, key) })
}

// PutBack is one, too.
func (s FaultStore) PutBack(ctx context.Context, key string, body io.Reader) error {
	return s.Call(func() error { return s.Store.(*store.Directory).PutBack(ctx, key, body) })
}
