package hub_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{LimitStatus: 429})
	path := "/repos/ops/manager"
	first := s.send("metapipe", "GET", path, "")
	equal(t, "limit", first.header.Get("X-RateLimit-Limit"), "5000")
	equal(t, "remaining", first.header.Get("X-RateLimit-Remaining"), "4999")
	tag := first.header.Get("ETag")
	again := s.send("metapipe", "GET", path, "", "If-None-Match", tag)
	equal(t, "not modified", again.status, 304)
	equal(t, "304 is free", again.header.Get("X-RateLimit-Remaining"), "4999")
	equal(t, "304 has no body", again.body, "")
	equal(t, "another tag", s.send("metapipe", "GET", path, "", "If-None-Match", `W/"x", "y"`).status, 200)
	equal(t, "job", s.send("job", "GET", path, "").header.Get("X-RateLimit-Limit"), "1000")
	equal(t, "anonymous", s.send("", "GET", path, "").header.Get("X-RateLimit-Limit"), "60")

	good(t, s.hub.SetRemaining("metapipe", 1))
	equal(t, "the last one", s.send("metapipe", "GET", path, "").status, 200)
	a := s.send("metapipe", "GET", path, "")
	equal(t, "exhausted", a.status, 429)
	equal(t, "remaining", a.header.Get("X-RateLimit-Remaining"), "0")
	limits, _, err := s.client("metapipe").RateLimit.Get(t.Context())
	good(t, err)
	equal(t, "rate_limit", limits.GetCore().Remaining, 0)
	equal(t, "others", s.send("job", "GET", path, "").status, 200)
	s.clock.pass(61 * time.Minute)
	equal(t, "next hour", s.send("metapipe", "GET", path, "").status, 200)
	if err := s.hub.SetRemaining("nobody", 1); err == nil {
		t.Error("an unknown token has a limit")
	}
}

func TestRateLimitError(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.hub.SetRemaining("metapipe", 0))
	_, _, err := s.client("metapipe").Repositories.Get(t.Context(), "acme", "shop")
	var limit *github.RateLimitError
	if !errors.As(err, &limit) {
		t.Fatalf("got %v", err)
	}
	equal(t, "reset", limit.Rate.Reset.After(s.clock.now()), true)
}

func TestSecondaryLimit(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{Secondary: hub.Secondary{ContentPerMinute: 3, PointsPerMinute: 100}})
	post := func() answer {
		return s.send("job", "POST", "/repos/acme/shop/statuses/"+s.first, `{"state":"success"}`)
	}
	for range 3 {
		equal(t, "within", post().status, 201)
	}
	s.clock.pass(20 * time.Second)
	a := post()
	equal(t, "beyond", a.status, 403)
	equal(t, "retry", a.header.Get("Retry-After"), "40")
	if !strings.Contains(a.body, "secondary rate limit") {
		t.Error(a.body)
	}
	_, _, err := s.client("job").Repositories.CreateStatus(t.Context(), "acme", "shop", s.first, &github.RepoStatus{State: github.String("success")})
	var abuse *github.AbuseRateLimitError
	if !errors.As(err, &abuse) || abuse.GetRetryAfter() != 40*time.Second {
		t.Errorf("go-github does not see it: %v", err)
	}
	s.clock.pass(40 * time.Second)
	equal(t, "after the wait", post().status, 201)
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.listen()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := s.client("admin")
			_, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "shop", s.first, &github.RepoStatus{State: github.String("success")})
			if err != nil {
				t.Error(err)
			}
			if _, err := s.customer.Commit("main", hub.Change{Message: "c"}); err != nil {
				t.Error(err)
			}
			if _, _, err := c.Repositories.Dispatch(t.Context(), "ops", "manager", github.DispatchRequestOptions{EventType: "infra-deploy"}); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				s.hub.Snapshot()
			}
			if _, err := s.hub.NextRun(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "statuses", len(s.customer.Snapshot().Statuses[s.first]), 8)
}
