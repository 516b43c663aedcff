package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestDestroyNeedsAnApproval in every environment, and none can be on record where there
// is no run that someone could approve.
func TestDestroyNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvals []deploy.Approval
		laptop    bool
		says      string // empty: it is applied
	}{
		"approved":                        {approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}},
		"not approved":                    {says: "no approval for environment staging-apply is on record"},
		"approved for another":            {approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-apply")}, says: "no approval"},
		"outside of Actions":              {laptop: true, says: "outside of GitHub Actions none can be on record"},
		"outside of Actions, and claimed": {laptop: true, approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}, says: "outside of GitHub Actions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			w.Current.Manager.Environments[0].Gated = false
			w.Tick()
			request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)))
			if request.Mode != pipeline.ModeDestroy || !request.Applies(request.Customer.In("staging")) || request.AppliedBy == "" {
				t.Fatalf("%+v", request)
			}
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			if got := w.Report(request, false).Targets[0]; !got.Gated {
				t.Error("the report says that no one has to approve it")
			}
			w.Hub.ApprovalList = c.approvals
			a := w.Applier()
			if c.laptop {
				a.Gate = nil
			}
			before := w.Engine.Applies
			_, err := a.Run(t.Context(), w.Target(request, "staging"))
			if c.says == "" {
				if got := w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}); err != nil || !strings.HasSuffix(got, "applying, destroyed") {
					t.Errorf("%v, ledger: %s", err, got)
				}
				return
			}
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonMissingProtection || !strings.Contains(refused.Message, c.says) || w.Engine.Applies != before {
				t.Errorf("%v, %d applies", err, w.Engine.Applies-before)
			}
		})
	}
}

// emptied is an engine whose apply deletes everything, and fails all the same.
type emptied struct{ pipeline.Engine }

func (e emptied) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	applied, err := e.Engine.Apply(ctx, job, plan)
	if err == nil {
		applied.State.Resources, err = 0, errors.New("the tool was stopped")
	}
	return applied, err
}

// TestDestroyFailsAtItsEnd: a state that a failed destroy has emptied is no lost one, so
// that the destroy can be repeated and the end recorded.
func TestDestroyFailsAtItsEnd(t *testing.T) {
	t.Parallel()
	w := pipelinetest.NewApplied(t)
	w.Hub.ApprovalList = []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}
	again := func(run int64) (pipeline.Request, deploy.TargetResult) {
		t.Helper()
		w.Tick()
		in := w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)
		in.Run.ID = run
		request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
		return request, pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	}
	request, _ := again(77)
	a := w.Applier()
	a.Engine = emptied{w.Engine}
	if _, err := a.Run(t.Context(), w.Target(request, "staging")); err == nil {
		t.Fatal("the apply did not fail")
	}
	w.Engine.ChangePlanned = pipelinetest.StateFound("l", 2, 0)
	request, planned := again(78)
	if planned.Outcome != pipeline.OutcomeWaiting {
		t.Errorf("%+v", planned)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	if got := w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}); !strings.HasSuffix(got, "destroyed") {
		t.Errorf("ledger: %s", got)
	}
}
