package hubtest

import (
	"net/http"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// Server is a hub whose requests can be made to fail. Make it with Start.
type Server struct {
	*hub.Server
	faults *faults
}

// Start runs a server whose every request and response is validated. It is
// closed when the test ends.
func Start(t testing.TB, o hub.Options) *Server {
	t.Helper()
	s := &Server{}
	outer := o.Wrap
	o.Wrap = func(h http.Handler) http.Handler {
		s.faults = &faults{hub: s.Server, inner: h}
		h = s.faults
		if outer != nil {
			h = outer(h)
		}
		return Validate(t, h)
	}
	s.Server = hub.New(o)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Fail makes the next n matching requests go wrong. Faults are tried in the
// order in which they were added.
func (s *Server) Fail(m Matcher, f Fault, n int) { s.faults.arm(m, f, n) }

// ClearFaults ends all faults.
func (s *Server) ClearFaults() { s.faults.clear() }

// Struck names the faults that requests have met, in order.
func (s *Server) Struck() []string {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return append([]string(nil), s.faults.struck...)
}

// Calls is the log of the hub, with the requests that a fault kept from it.
func (s *Server) Calls() []hub.Call {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.merge(s.Server.Calls())
}

// ResetCalls empties the log.
func (s *Server) ResetCalls() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.Server.ResetCalls()
	s.faults.refused = refused{}
}

// refused are the requests that never reached the hub, each with the number of
// calls in the hub's log before it.
type refused struct {
	calls  []hub.Call
	before []int
}

func (r *refused) add(before int, c hub.Call) {
	r.calls = append(r.calls, c)
	r.before = append(r.before, before)
}

// merge puts the requests into the log where they belong.
func (r *refused) merge(log []hub.Call) []hub.Call {
	var out []hub.Call
	done := 0
	for i, c := range r.calls {
		out = append(append(out, log[done:r.before[i]]...), c)
		done = r.before[i]
	}
	return append(out, log[done:]...)
}
