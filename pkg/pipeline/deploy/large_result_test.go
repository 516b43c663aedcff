package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// sizes notes how large the results of applies are.
type sizes struct {
	pipeline.Store
	of map[string]int
}

func (s sizes) Create(ctx context.Context, key string, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if strings.Contains(key, "/apply-") && strings.HasSuffix(key, ".json") {
		s.of[key] = len(b)
	}
	return s.Store.Create(ctx, key, bytes.NewReader(b))
}

// TestResultOfALargePlan: the end of an apply is written in a moment, however large its plan is. Its report reads the
// plan then.
func TestResultOfALargePlan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	seen := sizes{w.Store, map[string]int{}}
	w.Store = seen
	w.Engine.ChangePlanned = func(p *pipeline.Planned) {
		for i := range 9000 {
			p.Plan.Changes = append(p.Plan.Changes, pipeline.ResourceChange{Address: fmt.Sprintf("module.some.thing[%d]", i), Type: "thing", Action: pipeline.ActionUpdate})
		}
	}
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	if len(seen.of) != 1 {
		t.Fatalf("results: %v", seen.of)
	}
	for key, size := range seen.of {
		if size > 64<<10 {
			t.Errorf("%s has %d bytes", key, size)
		}
	}
	if got := w.Report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeApplied || len(got.Plan.Changes) < 9000 {
		t.Errorf("the report says %s with %d changes", got.Outcome, len(got.Plan.Changes))
	}
}
