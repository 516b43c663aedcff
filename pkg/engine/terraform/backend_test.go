package terraform

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stateServer speaks the protocol of the http backend, with locks.
type stateServer struct {
	mutex sync.Mutex
	state map[string]string
	locks map[string]string
}

func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	body, err := io.ReadAll(r.Body)
	lock := s.locks[r.URL.Path]
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == "LOCK" && lock != "":
		w.WriteHeader(http.StatusLocked)
		_, _ = io.WriteString(w, lock)
	case r.Method == "LOCK":
		s.locks[r.URL.Path] = string(body)
	case r.Method == "UNLOCK":
		delete(s.locks, r.URL.Path)
	case r.Method == http.MethodPost:
		s.state[r.URL.Path] = string(body)
	case s.state[r.URL.Path] == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, s.state[r.URL.Path])
	}
}

// TestTemplateBackend keeps states in a backend that metapipe knows nothing of.
func TestTemplateBackend(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		states := &stateServer{state: map[string]string{}, locks: map[string]string{}}
		server := httptest.NewServer(states)
		t.Cleanup(server.Close)
		address := server.URL + "/{{ customer }}/{{ environment }}"
		state := pipeline.State{Backend: pipeline.Backend{Type: "http", Config: map[string]string{"address": address, "lock_address": address, "unlock_address": address}}}
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "terraform {\n  backend \"http\" {}\n}\n" + bareRoot})
		job.Backend = state.Target(job.Target(), "")
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(job.Dir, "workspace", "tree", "terraform", module.BackendOverride)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the block of the root was replaced: %v", err)
		}
		if info, err := os.Stat(filepath.Join(job.Dir, "workspace", backendFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file of arguments: %v %v", info, err)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		if got := states.state["/acme/staging"]; !strings.Contains(got, "terraform_data") || len(states.state) != 1 || len(states.locks) != 0 {
			t.Errorf("states %v, locks %v", states.state, states.locks)
		}
		_, err = engine.Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleState {
			t.Errorf("the same plan again: %v", err)
		}
		version, size, err := engine.State(t.Context(), again(t, job))
		if err != nil || version.Lineage == "" || size == 0 {
			t.Errorf("%+v of %d bytes: %v", version, size, err)
		}
	})
}
