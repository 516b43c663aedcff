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

// byHand is a request that somebody of the manager makes in a run started by an event.
func (w *world) byHand(event string, ask intake.ManualRequest) intake.FetchInput {
	ask.Customer, ask.Actor = "acme", "robin"
	in := intake.FetchInput{Manager: managerSlug, ManagerCommit: managerCommit, Manual: &ask, Requesters: []pipeline.Account{robin},
		Run: pipeline.Run{Repository: managerSlug, ID: 77, Attempt: 1, URL: "https://hub/run", CreatedAt: w.now}}
	in.Event.Name, in.Event.Ref, in.Event.Repository.DefaultBranch = event, "refs/heads/main", "main"
	return in
}

var toDestroy = intake.ManualRequest{Environment: "staging", Mode: pipeline.ModeDestroy, Confirm: "acme/staging"}

// TestDestroyNeedsAnApproval in every environment, and none can be on record where there
// is no run that somebody could approve.
func TestDestroyNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		approvals []deploy.Approval
		laptop    bool
		says      string // empty: it is applied
	}{
		"approved":                        {approvals: []deploy.Approval{approved(robin, "staging-apply")}},
		"not approved":                    {says: "no approval for environment staging-apply is on record"},
		"approved for another":            {approvals: []deploy.Approval{approved(robin, "production-apply")}, says: "no approval"},
		"outside of Actions":              {laptop: true, says: "outside of GitHub Actions none can be on record"},
		"outside of Actions, and claimed": {laptop: true, approvals: []deploy.Approval{approved(robin, "staging-apply")}, says: "outside of GitHub Actions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := applied(t)
			w.customer.Manager.Environments[0].Gated = false
			w.tick()
			request := must[pipeline.Request](t)(w.fetcher().Run(t.Context(), w.byHand("workflow_dispatch", toDestroy)))
			if request.Mode != pipeline.ModeDestroy || !request.Applies("staging") || request.AppliedBy == "" {
				t.Fatalf("%+v", request)
			}
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
			if got := w.report(request, false).Targets[0]; !got.Gated {
				t.Error("the report says that nobody has to approve it")
			}
			w.hub.approvals = c.approvals
			a := w.applier()
			if c.laptop {
				a.Gate = nil
			}
			before := w.engine.applies
			_, err := a.Run(t.Context(), w.target(request, "staging"))
			if c.says == "" {
				if got := w.events("acme", "staging"); err != nil || !strings.HasSuffix(got, "applying, destroyed") {
					t.Errorf("%v, ledger: %s", err, got)
				}
				return
			}
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonMissingProtection || !strings.Contains(refused.Message, c.says) || w.engine.applies != before {
				t.Errorf("%v, %d applies", err, w.engine.applies-before)
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
	w := applied(t)
	w.hub.approvals = []deploy.Approval{approved(robin, "staging-apply")}
	again := func(run int64) (pipeline.Request, deploy.TargetResult) {
		t.Helper()
		w.tick()
		in := w.byHand("workflow_dispatch", toDestroy)
		in.Run.ID = run
		request := must[pipeline.Request](t)(w.fetcher().Run(t.Context(), in))
		return request, must[deploy.TargetResult](t)(w.plan(request, "staging"))
	}
	request, _ := again(77)
	a := w.applier()
	a.Engine = emptied{w.engine}
	if _, err := a.Run(t.Context(), w.target(request, "staging")); err == nil {
		t.Fatal("the apply did not fail")
	}
	w.engine.finds = stateFound("l", 2, 0)
	request, planned := again(78)
	if planned.Outcome != pipeline.OutcomeWaiting {
		t.Errorf("%+v", planned)
	}
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	if got := w.events("acme", "staging"); !strings.HasSuffix(got, "destroyed") {
		t.Errorf("ledger: %s", got)
	}
}

// TestDestroyIsStartedByHand: no other event leads to one, and no payload.
func TestDestroyIsStartedByHand(t *testing.T) {
	t.Parallel()
	w := applied(t)
	for _, event := range []string{"", "repository_dispatch", "schedule", "push", "pull_request", "workflow_call", "Workflow_dispatch", "workflow_dispatch "} {
		request, err := w.fetcher().Run(t.Context(), w.byHand(event, toDestroy))
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
	w := applied(t)
	f := w.fetcher()
	f.Store = noRecords{f.Store}
	a := w.ask(w.hub.commit("production one\n"), "push")
	w.tick()
	request, err := f.Run(t.Context(), w.fetchInput(a, w.claims(a)))
	if err != nil || len(request.Removed) != 1 || request.Removed[0] != "staging" {
		t.Errorf("%+v %v", request.Removed, err)
	}
	if _, err := f.Run(t.Context(), w.byHand("workflow_dispatch", toDestroy)); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a destroy without the record: %v", err)
	}
}
