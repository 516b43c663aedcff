package deploy_test

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestApplyThatWaits: what is not ready in time is applied all the same. The job says that it
// still waits, and goes on when it runs again.
func TestApplyThatWaits(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Engine.ApplyErr = &pipeline.WaitingError{Stage: "ready", Message: "still waiting: 1 object is not ready"}
	result, err := w.Apply(w.Target(request, "staging"))
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || result.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("applied %+v: %v", result, err)
	}
	if got := w.Report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeApplied || got.Message != waiting.Message {
		t.Errorf("it is reported as %+v", got)
	}
	w.Engine.ApplyErr = nil
	in := w.Target(request, "staging")
	in.Run.Attempt = 2
	if again, err := w.Apply(in); err != nil || again.Outcome != pipeline.OutcomeApplied || w.Engine.Applies != 1 {
		t.Errorf("when the job runs again: %+v %v, %d applies", again, err, w.Engine.Applies)
	}
}
