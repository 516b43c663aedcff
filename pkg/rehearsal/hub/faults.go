package hub

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Matcher picks requests. Zero fields match everything.
type Matcher struct {
	Method string
	// Route is a pattern of GitHub's API description such as
	// "/repos/{owner}/{repo}/statuses/{sha}".
	Route string
	Token string // name of the token
	// Request, when set, has to agree too. It may read the body, and must not ask
	// the server for anything.
	Request func(*http.Request) bool
}

// Fault is a way in which a reply goes wrong. Delay combines with the others.
type Fault struct {
	Status  int           // answer this status instead
	Message string        // of the answer's body
	Header  http.Header   // of the answer
	Reset   bool          // cut the connection without an answer
	Delay   time.Duration // answer late, in real time
	// HalfBody announces the whole body and sends the first half of it.
	HalfBody bool
	// AfterEffect lets the request do its work first: the reply is lost, the
	// effect is not.
	AfterEffect bool
}

type armedFault struct {
	Matcher
	*Fault
	left int
}

// Fail makes the next n matching requests go wrong. Faults are tried in the
// order in which they were added.
func (s *Server) Fail(m Matcher, f Fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A late or half answer needs the real one.
	if f.Status == 0 && !f.Reset {
		f.AfterEffect = true
	}
	s.faults = append(s.faults, &armedFault{Matcher: m, Fault: &f, left: n})
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) fault(c *call) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.faults {
		if a.left > 0 && a.hits(s, c) {
			a.left--
			return a.Fault
		}
	}
	return nil
}

func (a *armedFault) hits(s *Server, c *call) bool {
	if a.Method != "" && a.Method != c.r.Method {
		return false
	}
	if a.Route != "" && (c.route == nil || plainPattern(c.route.pattern) != plainPattern(a.Route)) {
		return false
	}
	if a.Token != "" {
		probe := &call{s: s, r: c.r, header: http.Header{}}
		if _, good := s.authenticate(probe); !good || probe.token == nil || probe.token.Name != a.Token {
			return false
		}
	}
	if a.Request == nil {
		return true
	}
	probe := c.r.Clone(c.r.Context())
	probe.Body = io.NopCloser(bytes.NewReader(c.body))
	return a.Request(probe)
}

// name is how the log calls the fault.
func (f *Fault) name() string {
	switch {
	case f == nil:
		return ""
	case f.Reset && f.AfterEffect:
		return "lost reply"
	case f.Reset:
		return "reset"
	case f.HalfBody:
		return "half body"
	case f.Status != 0:
		return "status " + strconv.Itoa(f.Status)
	}
	return "slow"
}

// inflict answers in the way of the fault; out is the true reply, if any.
func (f *Fault) inflict(w http.ResponseWriter, r *http.Request, out rendered) {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case f.Reset:
		cut(w)
	case f.Status != 0:
		rep := problem(f.Status, f.Message)
		body, err := rep.bytes()
		if err != nil {
			body = nil
		}
		h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
		for k, v := range f.Header {
			h[http.CanonicalHeaderKey(k)] = v
		}
		rendered{status: f.Status, header: h, body: body}.write(w, r)
	case f.HalfBody:
		// Content-Length stays that of the whole: the server then closes the
		// connection and the client sees an unexpected end.
		out.body = out.body[:len(out.body)/2]
		out.write(w, r)
	default:
		out.write(w, r)
	}
}

// cut drops the connection; a linger of zero makes it a reset on TCP.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, fmt.Sprintf("cut the connection: %v", err), http.StatusBadGateway)
		return
	}
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0) // without it the peer sees an end instead of a reset
	}
	_ = conn.Close()
}
