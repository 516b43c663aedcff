package deploy_test

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// A plan that meets the lock of another run says whose it is.
func TestLockedPlanNamesTheRun(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	_, locks := w.KilledPlan()
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	for account, want := range map[string]string{"runner@fv-1": "https://hub/run", "me@laptop": "--no-run"} {
		lock := *locks.Held
		lock.Who = account
		w.Engine.PlanErr = &pipeline.FailedError{Message: "locked", Lock: &lock}
		_, err := w.Plan(request, "staging")
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !pipelinetest.ContainsAll(failed.Operator, want, "metapipe unlock --customer acme --environment staging --lock-id l-1") {
			t.Errorf("%s: %v", account, err)
		}
	}
}
