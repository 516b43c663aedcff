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
func (w *world) again(a pipeline.DispatchRequest) pipeline.DispatchRequest {
	run := w.hub.runs[a.RunID]
	run.Attempt++
	w.hub.runs[a.RunID] = run
	a.RunAttempt = run.Attempt
	a.ID = a.OwnID()
	return a
}

// resend is send with a manager run of its own.
func (w *world) resend(a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.tick()
	in := w.fetchInput(a, w.claims(a))
	in.Run.ID += int64(a.RunAttempt) * 10_000
	return w.fetcher().Run(context.Background(), in)
}

func TestALaterAttemptIsNewer(t *testing.T) {
	t.Parallel()
	for range 20 { // ids are random, and must not decide
		w := newWorld(t)
		a := w.ask(w.hub.commit("staging one\n"), "push")
		first := must[pipeline.Request](t)(w.send(a))
		second := must[pipeline.Request](t)(w.resend(w.again(a)))
		if got := must[deploy.TargetResult](t)(w.plan(second, "staging")); got.Outcome != pipeline.OutcomeWaiting {
			t.Fatalf("%+v", got)
		}
		_, err := w.plan(first, "staging")
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
			t.Fatalf("the first attempt: %v", err)
		}
	}
}

func TestOnlyPullRequestsCountAsReviewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer.Manager.Environments[0].RequireReviewed = true
	shown := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "pull_request")))
	must[deploy.TargetResult](t)(w.plan(shown, "staging"))
	commit := w.hub.commit("staging three\n")
	w.hub.merged[commit] = 5
	dry := w.ask(commit, "workflow_dispatch")
	dry.Mode = pipeline.ModePlan
	request := must[pipeline.Request](t)(w.send(dry))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	w.report(request, true)
	if len(w.hub.comments) != 0 {
		t.Error("a dry run wrote the comment of the merged pull request")
	}
	got, err := w.plan(must[pipeline.Request](t)(w.send(w.ask(commit, "workflow_dispatch"))), "staging")
	if err == nil || got.Reviewed != pipeline.ReviewedDifferent {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestFetchVarsGoesOnWhereItDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	a := w.ask(w.hub.commit("staging two\n"), "push")
	in := w.fetchInput(a, w.claims(a))
	request := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	if err := w.store.Delete(context.Background(), "acme/requests/"+string(request.ID)+".json"); err != nil {
		t.Fatal(err)
	}
	if got := must[deploy.TargetResult](t)(w.plan(older, "staging")); got.Outcome != pipeline.OutcomeWaiting {
		t.Fatalf("a request that never was superseded another one: %+v", got)
	}
	if got := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in)); got.ID != request.ID {
		t.Fatalf("%+v", got)
	}
}

func TestWhatSaysNothingAboutThePlanLeavesItUsable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	for _, env := range request.Targets {
		must[deploy.TargetResult](t)(w.plan(request, env))
	}
	production := w.target(request, "production")
	refuse := func(want pipeline.Reason, in pipeline.TargetInput) {
		t.Helper()
		_, err := w.apply(in)
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	refuse(pipeline.ReasonEnvironmentOrder, production)
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	mistyped := production
	mistyped.Receipt = "0000-0000-0000"
	refuse(pipeline.ReasonReceiptMismatch, mistyped)
	w.hub.reviewers = 0
	refuse(pipeline.ReasonMissingProtection, production)
	if got := w.report(request, false).Targets[1]; got.Outcome != pipeline.OutcomeWaiting || !strings.Contains(got.Message, "reviewers") {
		t.Fatalf("while it can still be mended: %+v", got)
	}
	if got := w.report(request, true).Targets[1]; got.Outcome != pipeline.OutcomeRefused || got.Reason != pipeline.ReasonMissingProtection {
		t.Fatalf("at the end: %+v", got)
	}
	w.hub.reviewers = 1
	if got := must[deploy.TargetResult](t)(w.apply(production)); got.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("%+v", got)
	}
	applies := w.engine.applies
	if got := must[deploy.TargetResult](t)(w.apply(production)); got.Outcome != pipeline.OutcomeApplied || w.engine.applies != applies {
		t.Fatalf("the job run again: %+v, %d applies", got, w.engine.applies-applies)
	}
}

func TestALateReportLeavesTheStatusesOfANewerRequestAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	older := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
	w.tick()
	newer := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
	must[deploy.TargetResult](t)(w.plan(newer, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(newer, "staging")))
	w.report(newer, false)
	want := w.hub.status(commit, "infra/terraform-deploy/staging")
	w.report(older, true)
	if got := w.hub.status(commit, "infra/terraform-deploy/staging"); got != want || got.State != pipeline.StatusSuccess {
		t.Fatalf("%+v", got)
	}
	if got := w.hub.status(commit, "infra/terraform-deploy"); got.State != pipeline.StatusPending {
		t.Fatalf("overall: %+v", got)
	}
}

func TestTriggerDoesNotForgetThatItWasPickedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	polls := 0
	w.hub.onPoll = func() {
		polls++
		description := "Accepted"
		if polls < 5 && len(w.hub.dispatched) > 0 {
			description += " (" + w.sentAsk().ID.Short() + ")"
		}
		w.hub.statuses[string(commit)+" infra/terraform-deploy"] = pipeline.Status{Context: "infra/terraform-deploy", State: pipeline.StatusPending, Description: description}
		w.tick()
	}
	in := w.triggerInput("push", commit)
	in.Pickup = 1
	_, err := w.trigger().Run(context.Background(), in)
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || waiting.Stage != "end" {
		t.Fatalf("%v", err)
	}
	if s := w.hub.status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusPending {
		t.Fatalf("the status of the other request was overwritten: %+v", s)
	}
}
