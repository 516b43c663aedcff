package publish_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// TestPayloadThatGitHubDoesNotTake: what was applied stays applied, the small outputs
// arrive, and the report names those that do not.
func TestPayloadThatGitHubDoesNotTake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		room int
		kept []string
		Left []string
	}{
		"all fit":      {0, []string{"large", "medium", "url"}, nil},
		"some fit":     {20_000, []string{"medium", "url"}, []string{"large"}},
		"none do":      {5_000, nil, []string{"large", "medium", "url"}},
		"no room ever": {10, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Engine.Outputs = []pipeline.Output{{Name: "large", Value: `"` + strings.Repeat("x", 70_000) + `"`}, {Name: "medium", Value: `"` + strings.Repeat("x", 10_000) + `"`}}
			w.Hub.PayloadRoom = c.room
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
			report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Final: true})
			if err != nil || report.Overall() != pipeline.StatusSuccess {
				t.Fatalf("%s: %v", report.Overall(), err)
			}
			if (len(c.Left) > 0 || c.room == 10) != (len(report.Unreported) == 1 && report.Unreported[0].Cause == pipeline.CauseTooLarge) {
				t.Errorf("unreported: %+v", report.Unreported)
			}
			if c.room == 10 {
				return
			}
			d := w.Hub.DeploymentList[0].Payload
			if kept := slices.Sorted(maps.Keys(d.Outputs)); !slices.Equal(kept, c.kept) || !slices.Equal(d.LeftOut, c.Left) || d.Ledger == nil {
				t.Errorf("kept %v, left out %v", kept, d.LeftOut)
			}
		})
	}
}
