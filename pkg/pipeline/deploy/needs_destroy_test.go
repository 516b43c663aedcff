package deploy_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// TestDestroyOfANeededStack: a stack stays as long as one that needs its outputs is there.
func TestDestroyOfANeededStack(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		r.mustPlan(stack)
		r.mustApply(stack)
	}
	destroy := func(stack pipeline.StackName) error {
		r.w.Tick()
		ask := intake.ManualRequest{Environment: "staging", Stack: stack, Mode: pipeline.ModeDestroy, Confirm: "acme/staging/" + string(stack)}
		_, err := r.w.Fetcher().Run(t.Context(), r.w.ManualInput("workflow_dispatch", ask))
		return err
	}
	wantRefused(t, destroy("network"), pipeline.ReasonNoDestroy, "staging/hosts needs its outputs, and is not destroyed")
	if err := destroy("hosts"); err != nil {
		t.Errorf("hosts is needed by none: %v", err)
	}
}
