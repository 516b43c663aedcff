package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// ManualInput is a request that somebody of the manager makes in a run started by an event.
func (w *Setup) ManualInput(event string, ask intake.ManualRequest) intake.FetchInput {
	ask.Customer, ask.Actor = "acme", "robin"
	in := intake.FetchInput{Manager: ManagerSlug, ManagerCommit: ManagerCommit, Manual: &ask, Requesters: []pipeline.Account{Robin},
		Run: pipeline.Run{Repository: ManagerSlug, ID: 77, Attempt: 1, URL: "https://hub/run", CreatedAt: w.Now}}
	in.Event.Name, in.Event.Ref, in.Event.Repository.DefaultBranch = event, "refs/heads/main", "main"
	return in
}

// DestroyStaging is the manual request to destroy staging.
var DestroyStaging = intake.ManualRequest{Environment: "staging", Mode: pipeline.ModeDestroy, Confirm: "acme/staging"}

// TestDestroyNeedsAnApproval in every environment, and none can be on record where there
// is no run that somebody could approve.
func TestDestroyNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvals []deploy.Approval
		laptop    bool
		says      string // empty: it is applied
	}{
		"approved":                        {approvals: []deploy.Approval{Approved(Robin, "staging-apply")}},
		"not approved":                    {says: "no approval for environment staging-apply is on record"},
		"approved for another":            {approvals: []deploy.Approval{Approved(Robin, "production-apply")}, says: "no approval"},
		"outside of Actions":              {laptop: true, says: "outside of GitHub Actions none can be on record"},
		"outside of Actions, and claimed": {laptop: true, approvals: []deploy.Approval{Approved(Robin, "staging-apply")}, says: "outside of GitHub Actions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewApplied(t)
			w.Current.Manager.Environments[0].Gated = false
			w.Tick()
			request := Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", DestroyStaging)))
			if request.Mode != pipeline.ModeDestroy || !request.Applies("staging") || request.AppliedBy == "" {
				t.Fatalf("%+v", request)
			}
			Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			if got := w.Report(request, false).Targets[0]; !got.Gated {
				t.Error("the report says that nobody has to approve it")
			}
			w.Hub.ApprovalList = c.approvals
			a := w.Applier()
			if c.laptop {
				a.Gate = nil
			}
			before := w.Engine.Applies
			_, err := a.Run(t.Context(), w.Target(request, "staging"))
			if c.says == "" {
				if got := w.Events("acme", "staging"); err != nil || !strings.HasSuffix(got, "applying, destroyed") {
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
	w := NewApplied(t)
	w.Hub.ApprovalList = []deploy.Approval{Approved(Robin, "staging-apply")}
	again := func(run int64) (pipeline.Request, deploy.TargetResult) {
		t.Helper()
		w.Tick()
		in := w.ManualInput("workflow_dispatch", DestroyStaging)
		in.Run.ID = run
		request := Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
		return request, Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	}
	request, _ := again(77)
	a := w.Applier()
	a.Engine = emptied{w.Engine}
	if _, err := a.Run(t.Context(), w.Target(request, "staging")); err == nil {
		t.Fatal("the apply did not fail")
	}
	w.Engine.ChangePlanned = StateFound("l", 2, 0)
	request, planned := again(78)
	if planned.Outcome != pipeline.OutcomeWaiting {
		t.Errorf("%+v", planned)
	}
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	if got := w.Events("acme", "staging"); !strings.HasSuffix(got, "destroyed") {
		t.Errorf("ledger: %s", got)
	}
}

// TestDestroyIsStartedByHand: no other event leads to one, and no payload.
func TestDestroyIsStartedByHand(t *testing.T) {
	t.Parallel()
	w := NewApplied(t)
	for _, event := range []string{"", "repository_dispatch", "schedule", "push", "pull_request", "workflow_call", "Workflow_dispatch", "workflow_dispatch "} {
		request, err := w.Fetcher().Run(t.Context(), w.ManualInput(event, DestroyStaging))
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || request.ID != "" || !strings.Contains(usage.Message, "acme/staging") || usage.Next == "" {
			t.Errorf("event %q: %v", event, err)
		}
	}
	for _, mode := range []string{"destroy", "Destroy", "DESTROY", "destroy ", " destroy", "de\\u0073troy", "\\u0501estroy", "destroy\\u0000"} {
		payload := fmt.Sprintf(`{"request":{"version":1,"id":"1a2b3c4d-0000-4000-8000-000000000001","repository":"acme/shop","repository_id":42,"path":"infra","event":"push","commit":%q,"ref":"refs/heads/main","mode":"%s","run_id":1,"run_attempt":1},"proof":{"token":"x"}}`, strings.Repeat("a", 40), mode)
		if _, err := pipeline.ParsePayload([]byte(payload)); err == nil || !strings.Contains(err.Error(), "request.mode") {
			t.Errorf("mode %q in a payload: %v", mode, err)
		}
	}
	for _, from := range []pipeline.Mode{pipeline.ModeApply, pipeline.ModePlan, pipeline.ModeDryRun} {
		if got := from.Reduce(pipeline.ModeDestroy); got != from {
			t.Errorf("%s reduced to destroy is %s", from, got)
		}
	}
}

// noRecords is a store whose records of applies cannot be read, as with a role of
// an earlier version.
type noRecords struct{ pipeline.Store }

func (s noRecords) List(ctx context.Context, prefix string) ([]string, error) {
	if prefix == "acme/staging/applied/" {
		return nil, errors.New("access denied")
	}
	return s.Store.List(ctx, prefix)
}

// TestRemovedWithoutTheRecord: that a removed environment was ended is not known then, so
// that it is reported as removed. A destroy needs the record.
func TestRemovedWithoutTheRecord(t *testing.T) {
	t.Parallel()
	w := NewApplied(t)
	f := w.Fetcher()
	f.Store = noRecords{f.Store}
	a := w.Dispatch(w.Hub.Commit("production one\n"), "push")
	w.Tick()
	request, err := f.Run(t.Context(), w.FetchInput(a, w.Claims(a)))
	if err != nil || len(request.Removed) != 1 || request.Removed[0] != "staging" {
		t.Errorf("%+v %v", request.Removed, err)
	}
	if _, err := f.Run(t.Context(), w.ManualInput("workflow_dispatch", DestroyStaging)); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a destroy without the record: %v", err)
	}
}
