package intake_test

import (
	"context"
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// again is the same job run once more: another request of the same run.
func again(w *pipelinetest.Setup, a pipeline.DispatchRequest) pipeline.DispatchRequest {
	run := w.Hub.Runs[a.RunID]
	run.Attempt++
	w.Hub.Runs[a.RunID] = run
	a.RunAttempt = run.Attempt
	a.ID = a.OwnID()
	return a
}

// resend is send with a manager run of its own.
func resend(w *pipelinetest.Setup, a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.Tick()
	in := w.FetchInput(a, w.Claims(a))
	in.Run.ID += int64(a.RunAttempt) * 10_000
	return w.Fetcher().Run(context.Background(), in)
}

func TestALaterAttemptIsNewer(t *testing.T) {
	t.Parallel()
	for range 20 { // ids are random, and must not decide
		w := pipelinetest.New(t)
		a := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
		first := pipelinetest.Must[pipeline.Request](t)(w.Send(a))
		second := pipelinetest.Must[pipeline.Request](t)(resend(w, again(w, a)))
		if got := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(second, "staging")); got.Outcome != pipeline.OutcomeWaiting {
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
	w := pipelinetest.New(t)
	w.Current.Manager.Environments[0].RequireReviewed = true
	shown := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "pull_request")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(shown, "staging"))
	commit := w.Hub.Commit("staging three\n")
	w.Hub.Merged[commit] = 5
	dry := w.Dispatch(commit, "workflow_dispatch")
	dry.Mode = pipeline.ModePlan
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(dry))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Report(request, true)
	if len(w.Hub.CommentList) != 0 {
		t.Error("a dry run wrote the comment of the merged pull request")
	}
	got, err := w.Plan(pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "workflow_dispatch"))), "staging")
	if err == nil || got.Reviewed != pipeline.ReviewedDifferent {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestFetchVarsGoesOnWhereItDied(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	a := w.Dispatch(w.Hub.Commit("staging two\n"), "push")
	in := w.FetchInput(a, w.Claims(a))
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	if err := w.Store.Delete(context.Background(), "acme/requests/"+string(request.ID)+".json"); err != nil {
		t.Fatal(err)
	}
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(older, "staging")); got.Outcome != pipeline.OutcomeWaiting {
		t.Fatalf("a request that never was superseded another one: %+v", got)
	}
	if got := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in)); got.ID != request.ID {
		t.Fatalf("%+v", got)
	}
}

func TestTriggerDoesNotForgetThatItWasPickedUp(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
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
