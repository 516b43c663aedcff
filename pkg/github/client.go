// Package github asks GitHub's REST and GraphQL APIs what the pipeline needs to know, and
// writes statuses, comments, deployments and dispatches: bounded, counted,
// retried where it is safe, and with errors that say what to do.
package github

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// DefaultBaseURL is the API of the public GitHub.
const DefaultBaseURL = "https://api.github.com/"

// Options configure a Client. The zero value reads public data of github.com.
type Options struct {
	// BaseURL is the root of the REST API, in Actions the value of
	// GITHUB_API_URL; empty means DefaultBaseURL. A token is sent only over
	// https, or over http to this very machine.
	BaseURL string
	// Token is sent as a bearer token, to the host of BaseURL only.
	Token string
	// App is used instead of Token when it is set.
	App *App
	// Grants are the permissions that a token of the App gets, such as "statuses" →
	// "write"; reading metadata is always among them. Nil: all that the App has.
	Grants map[string]string
	// OnToken is called with each token that was made for the App, before it is used:
	// it has to be masked.
	OnToken func(token string) error
	// Credential is what errors call the token: the name of the secret that holds
	// it. Needs is who needs what it lacks, such as "metapipe report". Both may be
	// empty.
	Credential, Needs string
	// UserAgent names the program; empty means "metapipe".
	UserAgent string
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout bounds one attempt with its answer; 0 means 30 s.
	Timeout time.Duration
	// MaxWait bounds what one call may wait for rate limits and retries
	// altogether; 0 means 3 minutes.
	MaxWait time.Duration
	// WriteGap is the time between two writes when there are many; the first few
	// follow each other at once. They are sent one after the other in any case.
	// GitHub asks for one second; 0 means none.
	WriteGap time.Duration
	// Now and Sleep are the clock; nil means the real one. Sleep returns early
	// with ctx.Err() when ctx ends.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client talks to one GitHub server with one token. It is safe for concurrent
// use.
type Client struct {
	api       *github.Client
	transport *transport
	app       *appCredentials // nil when there is a token
	named     struct{ credential, needs string }

	mu          sync.Mutex
	login       string // Remembered answer of Login
	deployments deploymentPage
}

// deploymentPage is the newest deployments that metapipe made in one repository.
type deploymentPage struct {
	slug pipeline.Slug
	at   time.Time // when they were asked for
	list []pipeline.Deployment
	all  bool // there are no more
}

// appCredentials keep one token for each repository.
type appCredentials struct {
	app     *App
	client  *Client
	onToken func(token string) error // of each new one; nil: no one
	grants  map[string]string        // of each token; nil: all that the App has

	mu     sync.Mutex
	tokens map[string]*appToken // by lower-case owner/name
}

type appToken struct {
	refreshLock  chan struct{} // holds one element; the caller that took it out has the rest
	installation int64
	grants       map[string]string // of this token; nil: those of all tokens
	token        string
	expires      time.Time
}

// transport adds the token, bounds and counts each attempt, and repeats what
// may be repeated.
type transport struct {
	base     http.RoundTripper
	host     *url.URL
	auth     credentials
	secrets  secrets
	timeout  time.Duration
	maxWait  time.Duration
	writeGap time.Duration
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	calls    counter
	seen     seenCredential
	pages    pageCache
	blocked  rateLimitPause
	// blockedQueries holds for the GraphQL API alone, which has an allowance of its own.
	blockedQueries rateLimitPause

	// writeLock holds the pace of the writes; the caller that took it out may write.
	writeLock chan writeThrottle
}
