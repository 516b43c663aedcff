//go:build unix

package stop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// lockServer keeps states and their locks as the http backend asks for it: a state
// that is locked takes only what names its lock, and only its id releases it, or
// the wish of someone who names none: force-unlock sends no id.
// https://developer.hashicorp.com/terraform/language/backend/http
type lockServer struct {
	mu            sync.Mutex
	states, locks map[string][]byte
}

func (s *lockServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, held := r.URL.Path, s.locks[r.URL.Path]
	switch {
	case r.Method == "LOCK" && held == nil && fixture.LockID(body) != "":
		s.locks[path] = body
	case r.Method == "UNLOCK" && held != nil && (len(body) == 0 || fixture.LockID(body) == fixture.LockID(held)):
		delete(s.locks, path)
	case r.Method == "LOCK" || r.Method == "UNLOCK":
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(held)
	case r.Method == http.MethodPost && (held == nil || r.URL.Query().Get("ID") == fixture.LockID(held)):
		s.states[path] = body
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusLocked)
	case s.states[path] == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(s.states[path])
	}
}

func (s *lockServer) held(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fixture.LockID(s.locks[path])
}

// TestUnlockOfABackend leaves a lock in a backend that metapipe knows nothing of:
// it says so, and leaves it to the tool to compare and release the lock.
func TestUnlockOfABackend(t *testing.T) {
	t.Parallel()
	states := &lockServer{states: map[string][]byte{}, locks: map[string][]byte{}}
	server := httptest.NewServer(states)
	t.Cleanup(server.Close)
	address := server.URL + "/{{ customer }}/{{ environment }}"
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "state:\n  directory: " + t.TempDir() + "\n  backend:\n    type: http\n    config:\n      address: " + address +
		"\n      lock_address: " + address + "\n      unlock_address: " + address + "\n"})
	w.Setenv("METAPIPE_STORE=")
	begun := filepath.Join(t.TempDir(), "begun")
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"})
	r := w.Accept(run)
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	fixture.AwaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := states.held("/shop/staging")
	if id == "" {
		t.Fatal("the state is not locked")
	}
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).Do(exit, append(args, target...)...)
	}
	do(0, "state", "list").Says(t, "not visible here (in the backend http)")
	do(4, "unlock", "--lock-id", id).Says(t, "may hold the lock of shop/staging: the run is in_progress")
	do(4, "unlock", "--lock-id", id, "--no-run").Says(t, "may hold the lock of shop/staging")
	fixture.Check(t, p.Kill())
	p.Wait()
	fixture.KillTool(t, begun)
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	next := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	next.Do(1, "plan", "staging").Says(t, "--lock-id "+id)
	do(4, "unlock", "--lock-id", id).Says(t, "--no-run")
	do(4, "unlock", "--lock-id", "3f1c9f0e-0000-4000-8000-000000000000", "--no-run")
	if states.held("/shop/staging") != id {
		t.Fatal("another id released the lock")
	}
	do(0, "unlock", "--lock-id", id, "--no-run").Says(t, "the lock of shop/staging is released")
	if held := states.held("/shop/staging"); held != "" {
		t.Fatalf("lock %s is still there", held)
	}
	next.Do(0, "plan", "staging")
}
