package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
		"first page":    {3, 1, 1, false},
		"third page":    {4, 3, 3, false},
		"none":          {2, 0, 2, false},
		"behind others": {9, 8, 6, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/deployments": func(w http.ResponseWriter, r *http.Request) {
				calls++
				if calls < c.pages {
					w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, calls+1))
				}
				list := []string{deployment(calls, "2026-03-01T10:00:00Z", `{}`)}
				if calls == c.at {
					list = append(list, deployment(100+calls, "2026-03-01T10:00:00Z", `{"request":"`+string(request1)+`"}`))
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
