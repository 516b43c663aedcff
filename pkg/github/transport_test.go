package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
)

func TestReadsAreRetried(t *testing.T) {
	t.Parallel()
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	secondary := `{"message":"You have exceeded a secondary rate limit."}`
	for name, tc := range map[string]struct {
		first    http.HandlerFunc
		min, max time.Duration
	}{
		"network":             {hangUp, time.Second / 40, 3 * time.Second / 40},
		"500":                 {answer(500, `{}`), time.Second / 40, 3 * time.Second / 40},
		"502":                 {answer(502, `<html>`), time.Second / 40, 3 * time.Second / 40},
		"503 with advice":     {answer(503, `{}`, "Retry-After", "9"), 10 * time.Second, 10 * time.Second},
		"429":                 {answer(429, `{}`, "Retry-After", "20"), 20 * time.Second, 22 * time.Second},
		"429 without advice":  {answer(429, `{}`), time.Minute, time.Minute},
		"403 primary":         {answer(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1772366490"), 90 * time.Second, 92 * time.Second},
		"403 secondary":       {answer(403, secondary, "Retry-After", "5"), 5 * time.Second, 7 * time.Second},
		"403 secondary, page": {answer(403, `{"message":"slow down","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`), time.Minute, time.Minute},
		"403 secondary, mute": {answer(403, secondary), time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{repoRoute: serialized(tc.first, answer(200, repoBody))})
			if _, err := s.client(t).Repository(t.Context(), acme); err != nil {
				t.Fatal(err)
			}
			if len(s.slept) != 1 || s.slept[0] < tc.min || s.slept[0] > tc.max {
				t.Errorf("slept %v, want %s to %s", s.slept, tc.min, tc.max)
			}
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler  http.HandlerFunc
		requests int
		want     string
	}{
		"always 500":       {answer(500, `{"message":"oops"}`), retry.Attempts, "githubstatus.com"},
		"long limit":       {answer(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1772369000"), 1, "run this again after 12:43:20 UTC"},
		"plain 403":        {answer(403, `{"message":"no"}`), 1, "lacks a permission"},
		"hostile advice":   {answer(429, `{}`, "Retry-After", "99999999999999999999"), 3, "some minutes"},
		"endless body":     {endless, 1, "larger than 32 MiB"},
		"404 is an answer": {answer(404, `{}`), 1, "HTTP 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{repoRoute: tc.handler})
			_, err := s.client(t).Repository(t.Context(), acme)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if len(s.seen) != tc.requests {
				t.Errorf("%d requests, want %d; slept %v", len(s.seen), tc.requests, s.slept)
			}
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	chunk := strings.Repeat(" ", 1<<20)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

func TestWritesAreRepeatedOnlyWhereSafe(t *testing.T) {
	t.Parallel()
	body := func(w http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(text), "hello") {
			t.Errorf("the repeated request has the body %q, %v", text, err)
		}
		answer(201, `{"id":5,"body":"hello"}`)(w, r)
	}
	const create, edit = "POST /repos/acme/shop/issues/3/comments", "PATCH /repos/acme/shop/issues/comments/5"
	t.Run("create whose fate cannot be known", func(t *testing.T) {
		t.Parallel()
		s := serve(t, map[string]http.HandlerFunc{create: serialized(answer(500, `{}`), body)})
		_, err := s.client(t).CreateComment(t.Context(), acme, 3, "hello")
		if err == nil || !strings.Contains(err.Error(), "look whether it was done") || strings.Count(strings.Join(s.seen, " "), "POST") != 1 {
			t.Errorf("sent %v, %v", s.seen, err)
		}
	})
	t.Run("create after limit", func(t *testing.T) {
		t.Parallel()
		s := serve(t, map[string]http.HandlerFunc{create: serialized(answer(429, `{}`, "Retry-After", "1"), body)})
		got, err := s.client(t).CreateComment(t.Context(), acme, 3, "hello")
		if err != nil || got.ID != 5 || len(s.seen) != 2 {
			t.Errorf("%+v, sent %d times, %v", got, len(s.seen), err)
		}
	})
	t.Run("edit after 500", func(t *testing.T) {
		t.Parallel()
		s := serve(t, map[string]http.HandlerFunc{edit: serialized(answer(500, `{}`), body)})
		if _, err := s.client(t).EditComment(t.Context(), acme, 5, "hello"); err != nil || len(s.seen) != 2 {
			t.Errorf("sent %d times, %v", len(s.seen), err)
		}
	})
}

func TestExhaustedLimitDoesNotBlockTheNextCall(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		repoRoute: answer(200, repoBody, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix())),
	})
	c := s.client(t)
	for range 2 {
		if _, err := c.Repository(t.Context(), acme); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTimeoutPerAttempt(t *testing.T) {
	t.Parallel()
	stuck := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	s := serve(t, map[string]http.HandlerFunc{repoRoute: serialized(stuck, answer(200, repoBody))})
	c := s.client(t, func(o *github.Options) { o.Timeout = 50 * time.Millisecond })
	if _, err := c.Repository(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	s = serve(t, map[string]http.HandlerFunc{repoRoute: stuck})
	c = s.client(t, func(o *github.Options) { o.Timeout = 20 * time.Millisecond })
	_, err := c.Repository(t.Context(), acme)
	if err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("got %v", err)
	}
}

func TestCancelStopsRetries(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, map[string]http.HandlerFunc{repoRoute: func(w http.ResponseWriter, r *http.Request) {
		cancel()
		answer(500, `{}`)(w, r)
	}})
	_, err := s.client(t).Repository(ctx, acme)
	if !errors.Is(err, context.Canceled) || len(s.seen) != 1 {
		t.Errorf("%d requests, %v", len(s.seen), err)
	}
}

func TestServerGone(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := s.client(t)
	s.Close()
	_, err := c.CreateComment(t.Context(), acme, 1, "x")
	if err == nil || !strings.Contains(err.Error(), "can be reached from here") {
		t.Errorf("got %v", err)
	}
	if len(s.slept) != retry.Attempts-1 {
		t.Errorf("a write that never left was tried %d times again, want %d", len(s.slept), retry.Attempts-1)
	}
}

func TestWritesGoOneByOneAndManyWithGaps(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	inside := 0
	s := serve(t, map[string]http.HandlerFunc{"DELETE /repos/acme/shop/issues/comments/{id}": func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		inside++
		if inside > 1 {
			t.Error("two writes at once")
		}
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		inside--
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}})
	c := s.client(t, func(o *github.Options) { o.WriteGap = time.Second })
	var wg sync.WaitGroup
	for id := range int64(10) {
		wg.Go(func() {
			if err := c.DeleteComment(t.Context(), pipeline.Slug{Owner: "acme", Name: "shop"}, id+1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The clock stands still but for the gaps: four at once, then one each second.
	if len(s.slept) != 6 || slices.Max(s.slept) != time.Second || slices.Min(s.slept) != time.Second {
		t.Errorf("slept %v, want six gaps of a second", s.slept)
	}
	if got := c.Budget(); got.Writes != 10 || got.Waited != 6*time.Second || got.Reads != 0 || got.Retries != 0 {
		t.Errorf("the budget is %+v", got)
	}
}

// A limit that one request has met holds for those after it too.
func TestLimitHoldsForAll(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		repoRoute:               answer(429, `{}`, "Retry-After", "100"),
		"GET /repos/acme/other": answer(200, repoBody),
	})
	c := s.client(t)
	if _, err := c.Repository(t.Context(), acme); err == nil {
		t.Fatal("no error")
	}
	begin := len(s.slept)
	if _, err := c.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: "other"}); err != nil {
		t.Fatal(err)
	}
	if got := s.slept[begin:]; len(got) != 1 || got[0] < 90*time.Second || got[0] > 102*time.Second {
		t.Errorf("the next request came after %v, want what is left of the limit", got)
	}
}

func TestClassicTokenWithoutScopeIsTold(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		repoRoute:               answer(404, `{"message":"Not Found"}`, "X-OAuth-Scopes", "gist, read:org", "X-Accepted-OAuth-Scopes", "repo"),
		"GET /repos/acme/other": answer(404, `{"message":"Not Found"}`, "X-OAuth-Scopes", "repo", "X-Accepted-OAuth-Scopes", "repo"),
	})
	c := s.client(t, func(o *github.Options) { o.Credential, o.Needs = "SOURCE_REPOS_PAT", "metapipe report" })
	_, err := c.Repository(t.Context(), acme)
	want := "give SOURCE_REPOS_PAT one of the scopes repo (classic token), which `metapipe report` needs; it has the scopes [gist, read:org]"
	if err == nil || !strings.Contains(err.Error(), want) || !absent(err) {
		t.Errorf("got %v, want %q", err, want)
	}
	_, err = c.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: "other"})
	if err == nil || !strings.Contains(err.Error(), "SOURCE_REPOS_PAT cannot see it") {
		t.Errorf("got %v", err)
	}
}
