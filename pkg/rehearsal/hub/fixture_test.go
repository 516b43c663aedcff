package hub_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

func TestTrafficIsValidated(t *testing.T) {
	t.Parallel()
	hubtest.Require(t)
}

// clock is a settable clock.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fixture is a customer's and a manager's repository with people and tokens:
// "admin" (classic, full), "job" (the customer's GITHUB_TOKEN), "metapipe" (an
// App on both repositories), "mallory" (classic, of someone without a role) and
// "thin" (fine-grained, contents: read of the customer). The repositories have no
// custom properties, since go-github cannot read the lists among them.
type fixture struct {
	t        testing.TB
	hub      *hubtest.Server
	clock    *clock
	customer *hub.Repo // private, of the organization acme
	manager  *hub.Repo // public, of the person ops
	first    string    // first commit of the customer's main
	secrets  map[string]string
}

func newFixture(t testing.TB, o hub.Options) *fixture {
	t.Helper()
	s := &fixture{t: t, clock: &clock{at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}, secrets: map[string]string{}}
	o.Now = s.clock.now
	s.hub = hubtest.Start(t, o)
	for _, u := range []hub.User{
		{Login: "acme", Type: hub.Organization}, {Login: "ops", Email: "ops@example.com"},
		{Login: "alice", Email: "alice@example.com"}, {Login: "mallory"}, {Login: "metapipe[bot]", Type: hub.Bot},
	} {
		got(s.hub.AddUser(u))(t)
	}
	s.customer = got(s.hub.AddRepo("acme", "shop", hub.RepoOptions{ID: 4711, Private: true, Properties: hub.Properties{}}))(t)
	s.manager = got(s.hub.AddRepo("ops", "manager", hub.RepoOptions{ID: 815, Properties: hub.Properties{}}))(t)
	good(t, s.customer.Grant("alice", hub.Write))
	good(t, s.customer.Grant("ops", hub.Admin))
	all := map[string]string{
		"contents": "write", "statuses": "write", "issues": "write", "pull_requests": "write", "deployments": "write", "actions": "write",
	}
	both := []string{"acme/shop", "ops/manager"}
	for _, tok := range []hub.Token{
		{Name: "admin", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "user"}},
		{Name: "job", Kind: hub.Actions, Repositories: both[:1], Permissions: all},
		{Name: "metapipe", Kind: hub.App, User: "metapipe[bot]", Repositories: both, Permissions: all},
		{Name: "mallory", Kind: hub.Classic, User: "mallory", Scopes: []string{"repo"}},
		{Name: "thin", Kind: hub.FineGrained, User: "alice", Repositories: both[:1], Permissions: map[string]string{"contents": "read"}},
	} {
		s.secrets[tok.Name] = got(s.hub.AddToken(tok))(t).Secret
	}
	s.first = s.commit(s.customer, "main", map[string]string{"infra/variables.yml": "environments: {}\n", "README.md": "shop\n"})
	s.commit(s.manager, "main", map[string]string{"metapipe.yml": "{}\n"})
	return s
}

// commit adds files to a branch, a minute after the last commit.
func (s *fixture) commit(r *hub.Repo, branch string, files map[string]string) string {
	s.t.Helper()
	s.clock.pass(time.Minute)
	ch := hub.Change{Files: map[string]hub.File{}, Message: "Change " + branch, Author: "ops"}
	for p, c := range files {
		ch.Files[p] = hub.File{Content: []byte(c)}
	}
	return got(r.Commit(branch, ch))(s.t)
}

// client is a go-github client with the named token; "" is anonymous.
func (s *fixture) client(token string) *github.Client {
	s.t.Helper()
	c := github.NewClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	if token != "" {
		c = c.WithAuthToken(s.secrets[token])
	}
	c.BaseURL = got(url.Parse(s.hub.URL() + "/"))(s.t)
	return c
}

// answer is what a raw request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	good(t, json.Unmarshal([]byte(a.body), &v))
	return v
}

// send makes a raw request; extra are headers as name, value, name, value …
func (s *fixture) send(token, method, path, body string, extra ...string) answer {
	s.t.Helper()
	req := got(http.NewRequestWithContext(s.t.Context(), method, s.hub.URL()+path, strings.NewReader(body)))(s.t)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+s.secrets[token])
	}
	for i := 0; i+1 < len(extra); i += 2 {
		req.Header.Set(extra[i], extra[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp := got(client.Do(req))(s.t)
	defer func() { good(s.t, resp.Body.Close()) }()
	return answer{resp.StatusCode, resp.Header, string(got(io.ReadAll(resp.Body))(s.t))}
}

// got turns a pair of value and error into the value: got(f())(t).
func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		good(t, err)
		return v
	}
}

func good(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// status is the HTTP status of a go-github error; 0 without one.
func status(err error) int {
	var e *github.ErrorResponse
	if errors.As(err, &e) {
		return e.Response.StatusCode
	}
	var limit *github.RateLimitError
	if errors.As(err, &limit) {
		return limit.Response.StatusCode
	}
	return 0
}

func equal[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: got %v, want %v", what, have, want)
	}
}
