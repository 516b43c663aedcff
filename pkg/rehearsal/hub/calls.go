package hub

import (
	"net/http"
)

// Calls is the log so far, oldest first.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// ResetCalls empties the log.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Describe returns the line that the log would have for a request, without a
// status. It is for handlers around this one (Options.Wrap) that answer by
// themselves; the log does not change.
func (s *Server) Describe(r *http.Request) Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, r: r, header: http.Header{}}
	c.route, c.params = match(r.Method, r.URL.EscapedPath())
	_, _ = s.authenticate(c)
	return s.line(c, 0)
}

func (s *Server) log(c *call, status int) { s.calls = append(s.calls, s.line(c, status)) }

// line is the line of the log for a call. The caller holds the lock.
func (s *Server) line(c *call, status int) Call {
	line := Call{
		Method: c.r.Method, Path: c.r.URL.EscapedPath(), Query: c.r.URL.RawQuery,
		Status: status, At: s.now().UTC(),
	}
	if c.route != nil {
		line.Route = plainPattern(c.route.pattern)
	}
	if c.token != nil {
		line.Token = c.token.Name
	}
	return line
}
