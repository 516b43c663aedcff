package deploy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestComparison: a plan knows whether nothing was applied, what was applied is not
// known, or it cannot be read; none of them passes for variables without an edit.
func TestComparison(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*pipelinetest.Setup, *deploy.Planner)
		want   pipeline.Comparison
		said   string // in the log
	}{
		"compared":           {func(*pipelinetest.Setup, *deploy.Planner) {}, pipeline.ComparedApplied, ""},
		"nothing applied":    {func(w *pipelinetest.Setup, _ *deploy.Planner) { w.DeleteAll("acme/staging/applied/") }, pipeline.ComparedNothing, ""},
		"variables are gone": {func(w *pipelinetest.Setup, _ *deploy.Planner) { w.Detach("acme/staging/applied/") }, pipeline.ComparedUnknown, "read the variables of the last apply of acme/staging"},
		"stricter rules": {func(_ *pipelinetest.Setup, p *deploy.Planner) {
			p.Parse = func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
				if strings.Contains(string(raw), "one") {
					return nil, pipeline.Problems{{Rule: "schema", Message: "one is no longer allowed"}}
				}
				return pipelinetest.ParseVariables(c, file, raw)
			}
		}, pipeline.ComparedUnreadable, "one is no longer allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			first := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(first, "staging"))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(first, "staging")))
			next := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
			w.Tick()
			p := w.Planner()
			c.change(w, p)
			var log strings.Builder
			in := w.Target(next, "staging")
			in.Log = &log
			var got pipeline.Job
			w.Engine.SeePlan = func(job pipeline.Job) { got = job }
			pipelinetest.Must[deploy.TargetResult](t)(p.Run(context.Background(), in))
			if got.Compared != c.want || (got.Applied != nil) != (c.want == pipeline.ComparedApplied) {
				t.Errorf("compared %q with %v, want %q", got.Compared, got.Applied, c.want)
			}
			if c.said == "" && strings.Contains(log.String(), "without the reasons") || !strings.Contains(log.String(), c.said) {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}
