package hub

import (
	"net/http"
	"sync"
	"time"
)

// Options configure a Server. The zero value is usable.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wrap, when set, is put around the handler by Start. Package hubtest uses it to
	// validate the traffic and to let requests fail.
	Wrap func(http.Handler) http.Handler
	// OnRun is called with each run that a dispatch has queued, after the reply was
	// decided and outside every lock. It must not block; see also NextRun.
	OnRun func(Queued)
	// OnCancel is called when someone asks to cancel a run that is in progress.
	OnCancel func(repo *Repo, runID int64)
	// LimitStatus is the status of an exhausted rate limit: GitHub answers 403 or
	// 429, see its page "Rate limits for the REST API". 0 means 403.
	LimitStatus int
	// Secondary are the limits on bursts; zero fields are not enforced.
	Secondary Secondary
}

// Server is the double. Make it with New.
type Server struct {
	opts Options
	now  func() time.Time

	mu     sync.Mutex
	url    string
	users  map[string]*User // by lower-case login
	repos  map[int64]*Repo
	names  map[string]int64 // lower-case owner/name → id, also names of the past
	tokens map[string]*Token
	apps   []*app
	owners map[string]bool // lower-case organization/login
	teams  []*Team
	// inclusions are the properties that are in ID tokens, by lower-case organization/name.
	inclusions map[string]bool
	defined    map[string][]*PropertyDefinition // by lower-case organization, in their order
	// shortDefinitions leaves out of definitions what has no value, or its default.
	shortDefinitions bool
	ids              map[string]int64
	buckets          map[string]*bucket
	calls            []Call
	jobs             map[string]*jobIdentity // by bearer
	keys             signingKeys
	queue            []Queued
	queueWake        chan struct{}

	lifecycle sync.Mutex
	serving   *serving // nil while it is not started
}

// Queued is a run that a dispatch has made.
type Queued struct {
	Repo *Repo
	Run  Run // with its event file as Payload
}

// Call is one line of the request log.
type Call struct {
	Method string    `json:"method"`
	Path   string    `json:"path"` // as sent, still escaped
	Query  string    `json:"query,omitempty"`
	Route  string    `json:"route"` // pattern of the API description; empty when unknown
	Status int       `json:"status"`
	Token  string    `json:"token,omitempty"` // name of the token
	At     time.Time `json:"at"`
}

// Write reports whether the call meant to change something.
func (c Call) Write() bool {
	return c.Method != http.MethodGet && c.Method != http.MethodHead && c.Route != graphQLPattern // there are no mutations
}
