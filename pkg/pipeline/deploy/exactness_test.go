package deploy_test

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestExactness: a plan that is less exact than the environment demands never waits for
// an approval, and one that does not say how exact it is makes no plan at all.
func TestExactness(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		is, demanded pipeline.Exactness
		event        string
		want         pipeline.Reason
	}{
		"nothing demanded":      {pipeline.ExactnessPredicted, "", "push", ""},
		"exact enough":          {pipeline.ExactnessBound, pipeline.ExactnessBound, "push", ""},
		"predicted for bound":   {pipeline.ExactnessPredicted, pipeline.ExactnessBound, "push", pipeline.ReasonInexact},
		"bound for exact":       {pipeline.ExactnessBound, pipeline.ExactnessExact, "push", pipeline.ReasonInexact},
		"in a pull request too": {pipeline.ExactnessPredicted, pipeline.ExactnessExact, "pull_request", pipeline.ReasonInexact},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Environments[0].Exactness = c.demanded
			w.Engine.ChangePlanned = func(p *pipeline.Planned) { p.Plan.Exactness = c.is }
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), c.event)))
			_, err := w.Plan(request, "staging")
			var refused *pipeline.RefusedError
			if errors.As(err, &refused) != (c.want != "") || refused != nil && refused.Reason != c.want {
				t.Fatalf("the plan: %v, want %q", err, c.want)
			}
			if c.want == "" {
				pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
				return
			}
			if _, err := w.Apply(w.Target(request, "staging")); err == nil || w.Engine.Applies > 0 {
				t.Errorf("it was applied: %v", err)
			}
		})
	}
	w := pipelinetest.New(t)
	w.Engine.ChangePlanned = func(p *pipeline.Planned) { p.Plan.Exactness = "" }
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if result, err := w.Plan(request, "staging"); err == nil || result.Receipt != "" {
		t.Errorf("a plan of unknown exactness: %+v %v", result, err)
	}
}
