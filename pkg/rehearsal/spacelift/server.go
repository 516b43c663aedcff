package spacelift

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

const rootSpace = "root"

// New returns a server without any stack, whose only space is "root". now is its clock; nil
// means time.Now.
func New(now func() time.Time) *Server {
	if now == nil {
		now = time.Now
	}
	s := &Server{
		now: now, url: "http://127.0.0.1", signing: make([]byte, 32),
		keys: map[string]*apiKey{}, tokens: map[string]*token{},
		spaces:   map[string]*space{rootSpace: {id: rootSpace, name: rootSpace}},
		policies: map[string]*policy{}, contexts: map[string]*sharedContext{},
		pools: map[string]*entity{}, integrations: map[string]*entity{},
		stacks: map[string]*Stack{}, heads: map[string]string{}, ids: map[string]int{},
	}
	rand.Read(s.signing)
	return s
}

// Start listens on a free port of 127.0.0.1 and serves until Close.
func (s *Server) Start() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.http != nil {
		return errors.New("start the Spacelift double: it runs already")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the Spacelift double: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	server, served := &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second}, make(chan error, 1)
	s.http, s.served = server, served
	go func() { served <- server.Serve(l) }()
	return nil
}

// URL is the base URL without a slash at the end; the API is at its path /graphql.
func (s *Server) URL() string {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	return s.url
}

// Close stops serving. The state stays readable.
func (s *Server) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.http == nil {
		return nil
	}
	server := s.http
	s.http = nil
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := server.Shutdown(ctx) // waits for requests in flight
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // connections that are open and idle
	}
	if e := <-s.served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("stop the Spacelift double: %w", err)
	}
	return nil
}

// AddKey adds an API key with a secret.
func (s *Server) AddKey(id, secret string, rights Rights) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = &apiKey{id: id, secret: secret, rights: rights}
}

// AddOIDCKey adds an API key whose secret is an ID token that verify accepts.
func (s *Server) AddOIDCKey(id string, verify func(token string) error, rights Rights) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = &apiKey{id: id, verify: verify, rights: rights}
}

// AddSpace adds a space that inherits what its parent has; without a parent it is below
// "root".
func (s *Server) AddSpace(id, name, parent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if parent == "" {
		parent = rootSpace
	}
	s.spaces[id] = &space{id: id, name: name, parent: parent, inherit: true}
}

// AddPolicy adds a policy of a kind, such as "APPROVAL". An APPROVAL policy asks for the
// approval of UNCONFIRMED runs, a PLAN policy warns of each plan with changes.
func (s *Server) AddPolicy(id, name, kind, space string, labels ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policies[id] = &policy{entity: entity{id: id, name: name, space: space}, kind: kind, engine: "REGO_V1", labels: labels, created: s.now(), updated: s.now()}
}

// AddContext adds a context without configuration.
func (s *Server) AddContext(id, name, space string, labels ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contexts[id] = &sharedContext{entity: entity{id: id, name: name, space: space}, labels: labels, created: s.now(), updated: s.now()}
}

// AddWorkerPool adds a pool of private workers.
func (s *Server) AddWorkerPool(id, name, space string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[id] = &entity{id: id, name: name, space: space}
}

// AddIntegration adds a VCS integration of a provider, such as "GITHUB_ENTERPRISE".
func (s *Server) AddIntegration(id, name, provider, space string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.integrations[id] = &entity{id: id, name: name, space: space, provider: provider}
}

// AddDefaultIntegration adds the VCS integration that the stacks of a provider have that
// name none.
func (s *Server) AddDefaultIntegration(id, name, provider string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.integrations[id] = &entity{id: id, name: name, space: rootSpace, provider: provider, standard: true}
}

// integrationOf is the integration of a stack, by its id or as the default of its provider;
// nil without one.
func (s *Server) integrationOf(st *Stack) *entity {
	if st.Integration != "" {
		return s.integrations[st.Integration]
	}
	for _, id := range slices.Sorted(maps.Keys(s.integrations)) {
		if one := s.integrations[id]; one.standard && one.provider == st.Provider {
			return one
		}
	}
	return nil
}

// Stack is a copy of the state of a stack, with what its labels attach to it.
func (s *Server) Stack(id string) (Stack, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stacks[id]
	if st == nil {
		return Stack{}, false
	}
	return s.copyOf(st), true
}

// copyOf shares nothing with the state that a later request can change.
func (s *Server) copyOf(st *Stack) Stack {
	out := *st
	out.Policies, out.Contexts = s.policiesOf(st), s.contextsOf(st)
	out.Config = slices.Clone(st.Config)
	out.Outputs = slices.Clone(st.Outputs)
	out.Dependencies = slices.Clone(st.Dependencies)
	for i := range out.Dependencies {
		out.Dependencies[i].References = slices.Clone(out.Dependencies[i].References)
	}
	if st.Drift != nil {
		drift := *st.Drift
		out.Drift = &drift
	}
	out.Runs = nil
	for _, r := range st.Runs {
		out.Runs = append(out.Runs, r.clone())
	}
	return out
}

func (r Run) clone() Run {
	r.Reviews, r.History, r.Config = slices.Clone(r.Reviews), slices.Clone(r.History), slices.Clone(r.Config)
	if r.Delta != nil {
		delta := *r.Delta
		r.Delta = &delta
	}
	return r
}

// Stacks are the ids of all stacks, sorted.
func (s *Server) Stacks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stackIDs()
}

func (s *Server) stackIDs() []string {
	ids := make([]string, 0, len(s.stacks))
	for id := range s.stacks {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// Requests is the log so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests empties the log.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Fault makes the next request that it matches fail. Faults are used up in the order in
// which they were added.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// SetOutputs sets what the stack has as outputs from now on. It is false without the stack.
func (s *Server) SetOutputs(stack string, outputs ...Output) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stacks[stack]
	if st != nil {
		st.Outputs = slices.Clone(outputs)
	}
	return st != nil
}

// id is the next id of a kind, in the form of a ULID. The caller holds the lock.
func (s *Server) id(kind string) string {
	s.ids[kind]++
	return "01" + fmt.Sprintf("%08X%016d", kindNumber(kind), s.ids[kind])
}

// kindNumber keeps ids of different kinds apart.
func kindNumber(kind string) uint32 {
	var sum uint32
	for _, b := range []byte(strings.ToUpper(kind)) {
		sum = sum*31 + uint32(b)
	}
	return sum
}
