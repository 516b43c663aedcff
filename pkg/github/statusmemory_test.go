package github_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// statusServer keeps the newest status of each context, as GitHub does.
type statusServer struct {
	*server
	mu     sync.Mutex
	latest map[string]map[string]any
	fail   bool // the next write is lost after it was done
}

func serveStatuses(t *testing.T) *statusServer {
	t.Helper()
	s := &statusServer{latest: map[string]map[string]any{}}
	s.server = serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/commits/{sha}/status": func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			list := []map[string]any{}
			for key, status := range s.latest {
				if strings.HasPrefix(key, r.PathValue("sha")) {
					list = append(list, status)
				}
			}
			if err := json.NewEncoder(w).Encode(map[string]any{"statuses": list}); err != nil {
				t.Error(err)
			}
		},
		"POST /repos/acme/shop/statuses/{sha}": func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			s.write(pipeline.SHA(r.PathValue("sha")), body)
			s.mu.Lock()
			fail := s.fail
			s.fail = false
			s.mu.Unlock()
			if fail {
				answer(422, `{"message":"lost"}`)(w, r)
				return
			}
			answer(201, `{}`)(w, r)
		},
	})
	return s
}

func (s *statusServer) write(sha pipeline.SHA, body map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest[string(sha)+" "+strings.ToLower(body["context"].(string))] = body
}

// counts returns how many reads and writes there were since the last call.
func (s *statusServer) counts() (reads, writes int) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	for _, line := range s.seen {
		if strings.HasPrefix(line, "GET ") {
			reads++
		} else {
			writes++
		}
	}
	s.seen = nil
	return reads, writes
}

func (s *statusServer) pass(d time.Duration) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.now = s.now.Add(d)
}

func TestStatusesAreReadOnceForAReport(t *testing.T) {
	t.Parallel()
	s := serveStatuses(t)
	c := s.client(t)
	set := func(sha pipeline.SHA, name string, state pipeline.StatusState) error {
		return c.SetStatus(t.Context(), acme, sha, pipeline.Status{Context: name, State: state, Description: "d"})
	}
	for _, step := range []struct {
		name          string
		before        func()
		sha           pipeline.SHA
		contexts      []string
		state         pipeline.StatusState
		reads, writes int
		fails         bool
	}{
		{name: "first report", sha: shaA, contexts: []string{"a", "b", "c"}, state: "pending", reads: 1, writes: 3},
		{name: "the same again", sha: shaA, contexts: []string{"A", "b", "c"}, state: "pending"},
		{name: "the same, later", before: func() { s.pass(time.Minute) }, sha: shaA, contexts: []string{"a", "b", "c"}, state: "pending", reads: 1},
		{name: "another job has written meanwhile", before: func() {
			s.pass(2 * time.Second)
			s.write(shaA, map[string]any{"context": "a", "state": "failure", "description": "d"})
		}, sha: shaA, contexts: []string{"a"}, state: "pending", reads: 1, writes: 1},
		{name: "news need no reading", before: func() { s.pass(time.Hour) }, sha: shaA, contexts: []string{"a", "b"}, state: "success", writes: 2},
		{name: "another commit", sha: shaB, contexts: []string{"a"}, state: "success", reads: 1, writes: 1},
		{name: "a write of unknown fate", before: func() { s.mu.Lock(); s.fail = true; s.mu.Unlock() }, sha: shaB, contexts: []string{"a"}, state: "pending", writes: 1, fails: true},
		{name: "and after it", sha: shaB, contexts: []string{"a"}, state: "pending", reads: 1},
	} {
		if step.before != nil {
			step.before()
		}
		for _, name := range step.contexts {
			if err := set(step.sha, name, step.state); (err != nil) != step.fails {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		if reads, writes := s.counts(); reads != step.reads || writes != step.writes {
			t.Errorf("%s: %d reads and %d writes, want %d and %d", step.name, reads, writes, step.reads, step.writes)
		}
	}
}

func TestStatusesAreNeverRemembered(t *testing.T) {
	t.Parallel()
	s := serveStatuses(t)
	c := s.client(t)
	if err := c.SetStatus(t.Context(), acme, shaA, pipeline.Status{Context: "a", State: "pending"}); err != nil {
		t.Fatal(err)
	}
	s.write(shaA, map[string]any{"context": "a", "state": "success"})
	got, err := c.Statuses(t.Context(), acme, shaA)
	if err != nil || len(got) != 1 || got[0].State != pipeline.StatusSuccess {
		t.Errorf("who waits for a status saw %+v, %v", got, err)
	}
}
