package hub

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// New returns a server without any user or repository.
func New(o Options) *Server {
	s := &Server{
		opts: o, now: o.Now, url: "http://127.0.0.1",
		users: map[string]*User{}, repos: map[int64]*Repo{}, names: map[string]int64{},
		tokens: map[string]*Token{}, ids: map[string]int64{}, buckets: map[string]*bucket{},
		owners: map[string]bool{}, defined: map[string][]*PropertyDefinition{}, inclusions: map[string]bool{},
		jobs: map[string]*jobIdentity{}, queueWake: make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	// The identities that GitHub itself acts under; their ids are the real ones.
	s.users["github-actions[bot]"] = &User{Login: "github-actions[bot]", ID: 41898282, Type: Bot}
	s.users[ghostLogin] = &User{Login: ghostLogin, ID: 10137, Type: Person, Name: "Deleted user"}
	s.users["web-flow"] = &User{Login: "web-flow", ID: 19864447, Type: Person, Name: "GitHub", Email: "noreply@github.com"}
	return s
}

// Start listens on a free port of 127.0.0.1 and serves until Close.
func (s *Server) Start() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.serving != nil {
		return errors.New("start the GitHub double: it runs already")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the GitHub double: %w", err)
	}
	var h http.Handler = s
	if s.opts.Wrap != nil {
		h = s.opts.Wrap(h)
	}
	s.SetURL("http://" + l.Addr().String())
	s.serving = serve(l, h)
	return nil
}

// URL is the base URL without a slash at the end.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// SetURL sets the URL under which its handler is served, when that is
// not done by Start.
func (s *Server) SetURL(u string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = strings.TrimRight(u, "/")
}

// Close stops serving and returns when no request is in flight any more. The state
// stays readable. Answers that a handler around this one delays are not waited for.
func (s *Server) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.serving == nil {
		return nil
	}
	err := s.serving.close()
	s.serving = nil
	if err != nil {
		return fmt.Errorf("stop the GitHub double: %w", err)
	}
	return nil
}

// firstIDs are where the numbering of each kind of thing begins: far apart, so
// that an id of one kind is never taken for one of another.
var firstIDs = map[string]int64{
	"user": 1001, "repo": 700001, "pull": 2100001, "issue": 2200001, "comment": 2300001,
	"status": 2400001, "deployment": 2500001, "deployment-status": 2600001, "environment": 2700001,
	"rule": 2750001, "label": 2800001, "run": 9000000001, "job": 9500000001, "workflow": 2900001,
	"app": 1900001, "installation": 1950001, "token": 1, "request": 1, "jti": 1, "suite": 9700000001, "team": 3100001, "ruleset": 3200001, "branch-policy": 3300001,
}

// id hands out the next number of a kind. The caller holds the lock.
func (s *Server) id(kind string) int64 {
	if _, used := s.ids[kind]; !used {
		s.ids[kind] = firstIDs[kind]
	}
	n := s.ids[kind]
	s.ids[kind]++
	return n
}

// clock is the present in UTC, cut to seconds as GitHub shows it.
func (s *Server) clock() time.Time { return s.now().UTC().Truncate(time.Second) }

func randomHex(n int) string {
	b := make([]byte, n)
	// crypto/rand.Read never fails; it ends the process instead.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
