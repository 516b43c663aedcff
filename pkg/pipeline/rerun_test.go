package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// again is the same job run once more: another request of the same run.
func again(w *Setup, a pipeline.DispatchRequest) pipeline.DispatchRequest {
	run := w.Hub.Runs[a.RunID]
	run.Attempt++
	w.Hub.Runs[a.RunID] = run
	a.RunAttempt = run.Attempt
	a.ID = a.OwnID()
	return a
}

// resend is send with a manager run of its own.
func resend(w *Setup, a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.Tick()
	in := w.FetchInput(a, w.Claims(a))
	in.Run.ID += int64(a.RunAttempt) * 10_000
	return w.Fetcher().Run(context.Background(), in)
}

func TestALaterAttemptIsNewer(t *testing.T) {
	t.Parallel()
	for range 20 { // ids are random, and must not decide
		w := New(t)
		a := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
		first := Must[pipeline.Request](t)(w.Send(a))
		second := Must[pipeline.Request](t)(resend(w, again(w, a)))
		if got := Must[deploy.TargetResult](t)(w.Plan(second, "staging")); got.Outcome != pipeline.OutcomeWaiting {
			t.Fatalf("%+v", got)
		}
		_, err := w.Plan(first, "staging")
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
			t.Fatalf("the first attempt: %v", err)
		}
	}
}

func TestOnlyPullRequestsCountAsReviewed(t *testing.T) {
	t.Parallel()
	w := New(t)
	w.Current.Manager.Environments[0].RequireReviewed = true
	shown := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "pull_request")))
	Must[deploy.TargetResult](t)(w.Plan(shown, "staging"))
	commit := w.Hub.Commit("staging three\n")
	w.Hub.Merged[commit] = 5
	dry := w.Dispatch(commit, "workflow_dispatch")
	dry.Mode = pipeline.ModePlan
	request := Must[pipeline.Request](t)(w.Send(dry))
	Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Report(request, true)
	if len(w.Hub.CommentList) != 0 {
		t.Error("a dry run wrote the comment of the merged pull request")
	}
	got, err := w.Plan(Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "workflow_dispatch"))), "staging")
	if err == nil || got.Reviewed != pipeline.ReviewedDifferent {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestFetchVarsGoesOnWhereItDied(t *testing.T) {
	t.Parallel()
	w := New(t)
	older := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	a := w.Dispatch(w.Hub.Commit("staging two\n"), "push")
	in := w.FetchInput(a, w.Claims(a))
	request := Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	if err := w.Store.Delete(context.Background(), "acme/requests/"+string(request.ID)+".json"); err != nil {
		t.Fatal(err)
	}
	if got := Must[deploy.TargetResult](t)(w.Plan(older, "staging")); got.Outcome != pipeline.OutcomeWaiting {
		t.Fatalf("a request that never was superseded another one: %+v", got)
	}
	if got := Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in)); got.ID != request.ID {
		t.Fatalf("%+v", got)
	}
}

func TestWhatSaysNothingAboutThePlanLeavesItUsable(t *testing.T) {
	t.Parallel()
	w := New(t)
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	for _, env := range request.Targets {
		Must[deploy.TargetResult](t)(w.Plan(request, env))
	}
	production := w.Target(request, "production")
	refuse := func(want pipeline.Reason, in pipeline.TargetInput) {
		t.Helper()
		_, err := w.Apply(in)
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	refuse(pipeline.ReasonEnvironmentOrder, production)
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	mistyped := production
	mistyped.Receipt = "0000-0000-0000"
	refuse(pipeline.ReasonReceiptMismatch, mistyped)
	w.Hub.Reviewers = 0
	refuse(pipeline.ReasonMissingProtection, production)
	if got := w.Report(request, false).Targets[1]; got.Outcome != pipeline.OutcomeWaiting || !strings.Contains(got.Message, "reviewers") {
		t.Fatalf("while it can still be mended: %+v", got)
	}
	if got := w.Report(request, true).Targets[1]; got.Outcome != pipeline.OutcomeRefused || got.Reason != pipeline.ReasonMissingProtection {
		t.Fatalf("at the end: %+v", got)
	}
	w.Hub.Reviewers = 1
	if got := Must[deploy.TargetResult](t)(w.Apply(production)); got.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("%+v", got)
	}
	applies := w.Engine.Applies
	if got := Must[deploy.TargetResult](t)(w.Apply(production)); got.Outcome != pipeline.OutcomeApplied || w.Engine.Applies != applies {
		t.Fatalf("the job run again: %+v, %d applies", got, w.Engine.Applies-applies)
	}
}

func TestALateReportLeavesTheStatusesOfANewerRequestAlone(t *testing.T) {
	t.Parallel()
	w := New(t)
	commit := w.Hub.Commit(BothEnvironments)
	older := Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	w.Tick()
	newer := Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
	Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging")))
	w.Report(newer, false)
	want := w.Hub.Status(commit, "infra/terraform-deploy/staging")
	w.Report(older, true)
	if got := w.Hub.Status(commit, "infra/terraform-deploy/staging"); got != want || got.State != pipeline.StatusSuccess {
		t.Fatalf("%+v", got)
	}
	if got := w.Hub.Status(commit, "infra/terraform-deploy"); got.State != pipeline.StatusPending {
		t.Fatalf("overall: %+v", got)
	}
}

func TestTriggerDoesNotForgetThatItWasPickedUp(t *testing.T) {
	t.Parallel()
	w := New(t)
	commit := w.Hub.Commit(BothEnvironments)
	polls := 0
	w.Hub.OnPoll = func() {
		polls++
		description := "Accepted"
		if polls < 5 && len(w.Hub.Dispatched) > 0 {
			description += " (" + sentDispatch(w).ID.Short() + ")"
		}
		w.Hub.StatusOf[string(commit)+" infra/terraform-deploy"] = pipeline.Status{Context: "infra/terraform-deploy", State: pipeline.StatusPending, Description: description}
		w.Tick()
	}
	in := triggerInput(w, "push", commit)
	in.Pickup = 1
	_, err := newTrigger(w).Run(context.Background(), in)
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || waiting.Stage != "end" {
		t.Fatalf("%v", err)
	}
	if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusPending {
		t.Fatalf("the status of the other request was overwritten: %+v", s)
	}
}
