package hub

import (
	"net/http"
	"time"
)

// Call is one line of the request log.
type Call struct {
	Method string    `json:"method"`
	Path   string    `json:"path"` // as sent, still escaped
	Query  string    `json:"query,omitempty"`
	Route  string    `json:"route"` // pattern of the API description; empty when unknown
	Status int       `json:"status"`
	Token  string    `json:"token,omitempty"` // name of the token
	Fault  string    `json:"fault,omitempty"`
	At     time.Time `json:"at"`
}

// Write reports whether the call meant to change something.
func (c Call) Write() bool { return c.Method != http.MethodGet && c.Method != http.MethodHead }

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

func (s *Server) record(c *call, status int, fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.token == nil {
		// Faults strike before the credentials are looked at.
		_, _ = s.authenticate(c)
	}
	s.log(c, status, fault)
}

func (s *Server) log(c *call, status int, fault string) {
	line := Call{
		Method: c.r.Method, Path: c.r.URL.EscapedPath(), Query: c.r.URL.RawQuery,
		Status: status, Fault: fault, At: s.now().UTC(),
	}
	if c.route != nil {
		line.Route = plainPattern(c.route.pattern)
	}
	if c.token != nil {
		line.Token = c.token.Name
	}
	s.calls = append(s.calls, line)
}
