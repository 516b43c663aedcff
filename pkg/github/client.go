// Package github asks GitHub's REST API what the pipeline needs to know, and
// writes statuses, comments, deployments and dispatches: bounded, counted,
// retried where it is safe, and with errors that say what to do.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
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

	mu       sync.Mutex
	login    string // Remembered answer of Login
	statuses statusCache
}

// New returns a client. It sends nothing. Unfit options are a
// *pipeline.UsageError.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.BaseURL, o.Token != "" || o.App != nil)
	if err != nil {
		return nil, err
	}
	token, err := checkToken(o.Token)
	if err != nil {
		return nil, err
	}
	t := newTransport(o, base)
	api := github.NewClient(&http.Client{Transport: t, CheckRedirect: t.checkRedirect})
	api.BaseURL = base
	api.UserAgent = o.UserAgent
	if api.UserAgent == "" {
		api.UserAgent = "metapipe"
	}
	c := &Client{api: api, transport: t}
	c.named.credential, c.named.needs = o.Credential, o.Needs
	t.auth = fixedToken(token)
	if o.App != nil {
		c.app = &appCredentials{app: o.App, client: c, onToken: o.OnToken, grants: maps.Clone(o.Grants)}
		t.auth = c.app
	}
	return c, nil
}

func parseBase(s string, token bool) (*url.URL, error) {
	if s == "" {
		s = DefaultBaseURL
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" {
		return nil, &pipeline.UsageError{
			Message: "the GitHub API address is not an absolute http(s) URL without user and query",
			Next:    "set GITHUB_API_URL to a value such as https://api.github.com or https://HOST/api/v3",
		}
	}
	if token && u.Scheme == "http" && !retry.Near(u.Hostname()) {
		return nil, &pipeline.UsageError{
			Message: fmt.Sprintf("the GitHub API address %s would send the token in clear text", u.Redacted()),
			Next:    "use https in GITHUB_API_URL",
		}
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// send performs one call; in and out are JSON values or nil. Errors are *Error.
func (c *Client) send(ctx context.Context, k call, in, out any) (*github.Response, error) {
	path, err := k.path()
	if err != nil {
		return nil, k.fail(err)
	}
	req, err := c.api.NewRequest(k.method, path, in)
	if err != nil {
		return nil, k.fail(err)
	}
	resp, err := c.api.Do(withCall(ctx, k), req, out)
	if err != nil {
		return resp, c.explain(k, resp, err)
	}
	return resp, nil
}

// maxPages stops a listing that never ends: 100 pages of 100 entries.
const maxPages = 100

// pages fetches every page of k and hands each to add, which decodes it and
// says whether it wants another one.
func (c *Client) pages(ctx context.Context, k call, add func(json.RawMessage) (more bool, err error)) error {
	if k.query == nil {
		k.query = url.Values{}
	}
	k.query.Set("per_page", "100")
	for page := 1; page <= maxPages; {
		k.query.Set("page", fmt.Sprint(page))
		var raw json.RawMessage
		resp, err := c.send(ctx, k, nil, &raw)
		if err != nil {
			return err
		}
		more, err := add(raw)
		if err != nil {
			return k.fail(fmt.Errorf("decode page %d of the answer: %w", page, err))
		}
		if !more || resp.NextPage == 0 {
			return nil
		}
		if resp.NextPage <= page {
			return k.fail(fmt.Errorf("page %d names page %d as the next one", page, resp.NextPage))
		}
		page = resp.NextPage
	}
	return k.fail(errors.New("the answer has more than 10,000 entries"))
}

// collect fetches every page of a plain JSON list.
func collect[T any](ctx context.Context, c *Client, k call) ([]T, error) {
	var all []T
	err := c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		var page []T
		err := json.Unmarshal(raw, &page)
		all = append(all, page...)
		return true, err
	})
	return all, err
}
