package github_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestFindDeployment: the newest one that fits, in as few pages as it takes. Where not
// all were looked at, none is an error.
func TestFindDeployment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages, at int // number of pages; the one that holds the deployment, 0: none does
		calls     int
		fails     bool
	}{
		"on the only page":   {1, 1, 1, false},
		"not there":          {1, 0, 1, false},
		"on the first page":  {3, 1, 1, false},
		"on the third page":  {4, 3, 4, false},
		"on none of several": {2, 0, 3, false},
		"behind others":      {9, 8, 7, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/deployments": func(w http.ResponseWriter, r *http.Request) {
				calls++
				page := max(1, atoi(r.URL.Query().Get("page")))
				if page < c.pages {
					w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, page+1))
				}
				if task := r.URL.Query().Get("task"); task != "deploy:infra" {
					t.Errorf("asked for task %q", task)
				}
				list := []string{deployment(page, "2026-03-01T10:00:00Z", `{}`)}
				if page == c.at {
					list = append(list, deployment(100+page, "2026-03-01T10:00:00Z", `{"request":"`+string(request1)+`"}`))
				}
				answer(200, "["+strings.Join(list, ",")+"]")(w, r)
			}})
			d, found, err := s.client(t).FindDeployment(t.Context(), acme, "infra/staging", func(d pipeline.Deployment) bool { return d.Payload.Request == request1 })
			if (err != nil) != c.fails || calls != c.calls || found != (c.at > 0 && !c.fails) || found && d.ID != int64(100+c.at) {
				t.Errorf("%+v %v %v after %d calls", d, found, err, calls)
			}
		})
	}
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// TestDeploymentsAreListedOnce: one list serves all environments of a command, for some
// seconds, and only those of its repository. What the list does not hold is asked for.
func TestDeploymentsAreListedOnce(t *testing.T) {
	t.Parallel()
	calls, more := 0, false
	list := func(w http.ResponseWriter, r *http.Request) {
		calls++
		if more {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, r.Host, r.URL.Path))
			more = false
		}
		answer(200, "["+deployment(1, "2026-03-01T10:00:00Z", `{"request":"`+string(request1)+`"}`)+"]")(w, r)
	}
	s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/deployments": list, "GET /repos/acme/other/deployments": list})
	c := s.client(t)
	find := func(slug pipeline.Slug, environment string) bool {
		_, found, err := c.FindDeployment(t.Context(), slug, environment, func(d pipeline.Deployment) bool { return d.Payload.Request == request1 })
		if err != nil {
			t.Error(err)
		}
		return found
	}
	want := func(n int, found ...bool) {
		t.Helper()
		if calls != n || slices.Contains(found, false) {
			t.Errorf("%d calls, want %d; found %v", calls, n, found)
		}
		calls = 0
	}
	want(1, find(acme, "infra/staging"), !find(acme, "infra/production"), find(acme, ""))
	want(1, find(pipeline.Slug{Owner: "acme", Name: "other"}, "infra/staging"))
	want(1, find(acme, "infra/staging"))
	s.mu.Lock()
	s.now = s.now.Add(time.Minute)
	s.mu.Unlock()
	more = true
	want(2, find(acme, "infra/staging"), !find(acme, "infra/production"))
}
