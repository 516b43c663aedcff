package publish_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestFinalReportsDiscardPlans: what no apply will take is deleted, what one may
// still take stays.
func TestFinalReportsDiscardPlans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event   string
		happens func(w *pipelinetest.Setup, r pipeline.Request)
		final   bool
		stays   bool
	}{
		"a pull request": {event: "pull_request", final: true},
		"a pull request, closed by the report of its plan": {event: "pull_request"},
		"waiting for its approval":                         {event: "push", stays: true},
		"declined, or never started":                       {event: "push", final: true, stays: true},
		"expired":                                          {event: "push", final: true, happens: func(w *pipelinetest.Setup, _ pipeline.Request) { w.Now = w.Now.Add(40 * 24 * time.Hour) }},
		"superseded by another commit": {event: "push", final: true, happens: func(w *pipelinetest.Setup, _ pipeline.Request) {
			w.Tick()
			pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging 2\n"), "push")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging 1\n"), c.event)))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			if c.happens != nil {
				c.happens(w, request)
			}
			w.Report(request, c.final)
			keys, err := w.Store.List(t.Context(), string(request.Customer)+"/staging/plans/")
			if err != nil {
				t.Fatal(err)
			}
			has := func(object string) bool {
				return slices.ContainsFunc(keys, func(key string) bool { return strings.HasSuffix(key, "/"+object) })
			}
			for _, object := range []string{"artifacts.sealed"} {
				if has(object) != c.stays {
					t.Errorf("%s is there: %v, want %v", object, has(object), c.stays)
				}
			}
			if !has("planned.json") {
				t.Errorf("more than the secret parts is gone: %v", keys)
			}
			w.Report(request, true) // again, which finds nothing to delete
		})
	}
}
