package intake_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestOtherRunner: a request works on the stacks that Actions runs. Where another runner has all of them, it is rejected
// and says so; a request that was accepted before is neither planned nor applied.
func TestOtherRunner(t *testing.T) {
	t.Parallel()
	w := withStacks(t)
	w.Current.Manager.Stacks[0].Runner = pipeline.RunnerSpacelift
	w.Tick()
	ask := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.FetchInput(ask, w.Claims(ask))))
	if got := request.TargetNames(); got != "staging/hosts" {
		t.Errorf("the request works on %s", got)
	}
	w.Current.Runners = map[pipeline.StackName]pipeline.Runner{"network": pipeline.RunnerSpacelift, "hosts": pipeline.RunnerSpacelift}
	in := w.Target(request, "staging")
	in.Stack = "hosts"
	_, err := w.Planner().Run(t.Context(), in)
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "run by another runner: spacelift") || err.Error() != refused.Error() {
		t.Errorf("a plan for Spacelift's target: %v", err)
	}
	w.Tick()
	ask = w.Dispatch(w.Hub.Commit("staging two\n"), "push")
	rejected, err := w.Fetcher().Run(t.Context(), w.FetchInput(ask, w.Claims(ask)))
	if err == nil || !strings.Contains(err.Error()+rejected.Problems.Error(), "Spacelift runs all stacks of this customer") {
		t.Errorf("nothing is left to Actions: %v %v", err, rejected.Problems)
	}
}
