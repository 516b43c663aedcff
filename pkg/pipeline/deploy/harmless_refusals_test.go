package deploy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func TestWhatSaysNothingAboutThePlanLeavesItUsable(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	for _, target := range request.Targets {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, target.Environment))
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
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
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
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(production)); got.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("%+v", got)
	}
	applies := w.Engine.Applies
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(production)); got.Outcome != pipeline.OutcomeApplied || w.Engine.Applies != applies {
		t.Fatalf("the job run again: %+v, %d applies", got, w.Engine.Applies-applies)
	}
}
