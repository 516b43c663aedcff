package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

var acme = pipeline.Slug{Owner: "acme", Name: "shop"}

const (
	shaA  = pipeline.SHA("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	shaB  = pipeline.SHA("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	token = "ghp_0123456789abcdefSECRET"
)

// server is a loopback API with routes of its own and a clock that only moves
// when someone sleeps.
type server struct {
	*httptest.Server
	mux *http.ServeMux

	mu    sync.Mutex
	seen  []string // "GET /repos/acme/shop?page=1"
	slept []time.Duration
	now   time.Time
}

func serve(t *testing.T, routes map[string]http.HandlerFunc) *server {
	t.Helper()
	s := &server{mux: http.NewServeMux(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for pattern, handler := range routes {
		s.mux.HandleFunc(pattern, handler)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.RequestURI)
		s.mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) client(t *testing.T, edit ...func(*github.Options)) *github.Client {
	t.Helper()
	o := github.Options{
		BaseURL: s.URL, Token: token, UserAgent: "test",
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.slept, s.now = append(s.slept, d), s.now.Add(d)
			return ctx.Err()
		},
	}
	for _, e := range edit {
		e(&o)
	}
	c, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// serialized answers each request with the next handler, the last one for ever.
func serialized(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	var n int
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}

const repoRoute, repoBody = "GET /repos/acme/shop", `{"id":7,"full_name":"Acme/shop","default_branch":"main"}`

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]github.Options{
		"relative address":   {BaseURL: "api.github.com"},
		"other scheme":       {BaseURL: "ftp://api.github.com"},
		"user in address":    {BaseURL: "https://user:pw@api.github.com"},
		"token in clear":     {BaseURL: "http://github.example.com", Token: "x"},
		"token with newline": {Token: "abc\ndef"},
	} {
		_, err := github.New(o)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || usage.Next == "" {
			t.Errorf("%s: got %v, want a usage error with a next step", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "pw@") || strings.Contains(err.Error(), "def")) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

func TestRequestsCarryTokenAndAreCounted(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{repoRoute: func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("Authorization is %q", got)
		}
		if got := r.Header.Get("User-Agent"); got != "test" {
			t.Errorf("User-Agent is %q", got)
		}
		answer(200, repoBody)(w, r)
	}})
	c := s.client(t)
	for range 2 {
		repo, err := c.Repository(t.Context(), acme)
		if err != nil || repo.ID != 7 || repo.Owner != "Acme" || repo.DefaultBranch != "main" {
			t.Fatalf("got %+v, %v", repo, err)
		}
	}
	want := github.Calls{Method: "GET", Route: "/repos/{owner}/{repo}", Count: 2}
	if got := c.Calls(); len(got) != 1 || got[0] != want {
		t.Errorf("calls are %+v, want %+v", got, want)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler  http.HandlerFunc
		want     []string
		notFound bool
	}{
		"401": {answer(401, `{"message":"Bad credentials"}`), []string{"read the repository of acme/shop", "HTTP 401", "Bad credentials", "create a new one"}, false},
		"403 app": {answer(403, `{"message":"Resource not accessible by integration"}`, "X-Accepted-GitHub-Permissions", "contents=read"),
			[]string{"HTTP 403", "the permission contents=read"}, false},
		"403 classic": {answer(403, `{"message":"no"}`, "X-Accepted-OAuth-Scopes", "repo"), []string{"one of the scopes repo"}, false},
		"403 sso":     {answer(403, `{"message":"no"}`, "X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso"), []string{"single sign-on: https://github.com/orgs/acme/sso"}, false},
		"404":         {answer(404, `{"message":"Not Found"}`), []string{"HTTP 404", "does not exist, or the token cannot see it"}, true},
		"422 details": {answer(422, `{"message":"Validation Failed","errors":[{"resource":"Status","field":"state","code":"invalid"}]}`), []string{"Validation Failed; Status state: invalid"}, false},
		"echo":        {answer(400, `{"message":"bad token `+token+`"}`), []string{"bad token ***"}, false},
		"html":        {answer(404, `<html>`), []string{"HTTP 404: Not Found"}, true},
		"no id":       {answer(200, `{"full_name":"acme/shop"}`), []string{"lacks the id"}, false},
		"bad name":    {answer(200, `{"id":7,"full_name":"../.."}`), []string{"want owner/name"}, false},
		"not json":    {answer(200, `<html>`), []string{"invalid character"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{repoRoute: tc.handler})
			_, err := s.client(t).Repository(t.Context(), acme)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error tells the token: %v", err)
			}
			if absent(err) != tc.notFound {
				t.Errorf("not found is %v: %v", !tc.notFound, err)
			}
			var typed *github.Error
			if !errors.As(err, &typed) || typed.Repo != "acme/shop" {
				t.Errorf("not an *Error about the repository: %#v", err)
			}
		})
	}
}

func TestDotSegmentsStayOut(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	if _, err := c.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: ".."}); err == nil {
		t.Error("a repository called .. was asked for")
	}
	if _, err := c.BranchHead(t.Context(), acme, "../../../../user"); err == nil {
		t.Error("a branch with .. was asked for")
	}
	if _, _, _, err := c.EnvironmentProtection(t.Context(), acme, ".."); err == nil {
		t.Error("an environment called .. was asked for")
	}
	if len(s.seen) != 0 {
		t.Errorf("requests were sent: %v", s.seen)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	other := serve(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another server was asked, with %q", r.Header.Get("Authorization"))
	}})
	s := serve(t, map[string]http.HandlerFunc{
		repoRoute:                       answer(301, `{}`, "Location", "/repositories/7"),
		"GET /repositories/7":           answer(200, repoBody),
		"GET /repos/acme/moved":         answer(301, `{}`, "Location", other.URL+"/x"),
		"POST /repos/acme/old/statuses": answer(301, `{}`, "Location", "/x"),
	})
	c := s.client(t)
	if repo, err := c.Repository(t.Context(), acme); err != nil || repo.ID != 7 {
		t.Errorf("renamed repository: %+v, %v", repo, err)
	}
	if _, err := c.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: "moved"}); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("foreign redirect: %v", err)
	}
	for _, status := range []int{301, 302, 307, 308} {
		moved := serve(t, map[string]http.HandlerFunc{
			"POST /repos/acme/shop/dispatches": answer(status, `{}`, "Location", "/repositories/7/dispatches"),
			"POST /repositories/7/dispatches": func(_ http.ResponseWriter, _ *http.Request) {
				t.Errorf("a write followed status %d", status)
			},
		})
		err := moved.client(t).Dispatch(t.Context(), acme, "deploy", []byte(`{}`))
		var failed *github.Error
		if err == nil || !strings.Contains(err.Error(), "has moved") || !strings.Contains(err.Error(), "new owner") || strings.Contains(err.Error(), "can be reached") ||
			!errors.As(err, &failed) || failed.Cause() != "repository" {
			t.Errorf("write redirected with %d: %v", status, err)
		}
	}
}

// absent reports whether GitHub has said that there is nothing to be seen.
func absent(err error) bool { return pipeline.NotVisible(err) || pipeline.Gone(err) }
