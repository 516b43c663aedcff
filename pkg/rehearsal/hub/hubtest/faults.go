package hubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// Matcher picks requests. Zero fields match everything.
type Matcher struct {
	Method string
	// Route is a pattern of GitHub's API description such as
	// "/repos/{owner}/{repo}/statuses/{sha}".
	Route string
	Token string // name of the token
	// Request, when set, has to agree too. It may read the body.
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

// String names the fault as Server.Struck lists it.
func (f Fault) String() string {
	switch {
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

// faults is a handler around a hub that lets chosen requests go wrong.
type faults struct {
	hub   *hub.Server
	inner http.Handler

	mu     sync.Mutex
	armed  []*armedFault
	struck []string
	refused
}

type armedFault struct {
	Matcher
	Fault
	left int
}

func (f *faults) arm(m Matcher, fault Fault, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A late or half answer needs the real one.
	if fault.Status == 0 && !fault.Reset {
		fault.AfterEffect = true
	}
	f.armed = append(f.armed, &armedFault{Matcher: m, Fault: fault, left: n})
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = nil
}

// ServeHTTP implements http.Handler.
func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, err := f.next(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case fault == nil:
		f.inner.ServeHTTP(w, r)
	case fault.AfterEffect:
		answer := httptest.NewRecorder()
		f.inner.ServeHTTP(answer, r)
		fault.inflict(w, r, answer)
	default:
		fault.inflict(w, r, nil)
	}
}

// next takes the fault of a request, if there is one, and leaves its body to be read again.
func (f *faults) next(r *http.Request) (*Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.armed) == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	line := f.hub.Describe(r)
	for _, a := range f.armed {
		if a.left == 0 || !a.hits(line, r, body) {
			continue
		}
		a.left--
		f.struck = append(f.struck, a.String())
		if !a.AfterEffect {
			line.Status = a.Status
			f.add(len(f.hub.Calls()), line)
		}
		return &a.Fault, nil
	}
	return nil, nil
}

func (m Matcher) hits(line hub.Call, r *http.Request, body []byte) bool {
	if m.Method != "" && m.Method != line.Method || m.Route != "" && m.Route != line.Route || m.Token != "" && m.Token != line.Token {
		return false
	}
	if m.Request == nil {
		return true
	}
	probe := r.Clone(r.Context())
	probe.Body = io.NopCloser(bytes.NewReader(body))
	return m.Request(probe)
}

// inflict answers in the way of the fault; answer is the true reply, if any.
func (f *Fault) inflict(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) {
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
		h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
		for k, v := range f.Header {
			h[http.CanonicalHeaderKey(k)] = v
		}
		maps.Copy(w.Header(), h)
		w.WriteHeader(f.Status)
		if r.Method != http.MethodHead {
			_ = json.NewEncoder(w).Encode(map[string]string{
				"message": f.Message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(f.Status),
			})
		}
	default:
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		body := answer.Body.Bytes()
		if f.HalfBody {
			// Content-Length stays that of the whole: the server then closes the
			// connection and the client sees an unexpected end.
			body = body[:len(body)/2]
		}
		_, _ = w.Write(body) // a client that has gone away is no error of the server
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
