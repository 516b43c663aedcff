package deploy_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// deaf is a store whose ledger cannot be written.
type deaf struct{ pipeline.Store }

func (d deaf) Create(ctx context.Context, key string, body io.Reader) error {
	if strings.Contains(key, "/ledger/") {
		return errors.New("the disk is full")
	}
	return d.Store.Create(ctx, key, body)
}

func TestWhatCannotBeRecordedIsNotApplied(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	good := w.Store
	w.Store = deaf{good}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil || !strings.Contains(err.Error(), `record "applying" in the ledger of acme/staging: the disk is full`) {
		t.Fatalf("%v", err)
	}
	if _, err := w.Plan(request, "staging"); err == nil {
		t.Fatal("a plan that is not recorded waits")
	}
	if _, err := w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")); err == nil {
		t.Fatal("a request that is not recorded is accepted")
	}
	if w.Engine.Applies != 0 {
		t.Fatal("it was applied")
	}
	w.Store = good
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
}

// TestLostResultOfAnApply: where the record of an apply that went well is gone, the ledger still knows of it. Its job,
// run again, and the report say what is lost, and apply nothing.
func TestLostResultOfAnApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	folder := pipelinetest.Must[record.PlanAttempt](t)(latestPlan(w, request))
	lost := folder.Key(record.ApplyResultObject(folder.LastResult()))
	w.DeleteAll(lost)
	_, err := w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "the apply, run again,", err, pipeline.ReasonAlreadyApplied)
	says := []string{"it was applied, and the record of its result is lost", "its outputs are not known", "bring " + lost + " back, from the versions of the bucket", "the ledger has the apply as entry 4", "`metapipe state show --customer acme --environment staging`"}
	if !pipelinetest.ContainsAll(err.Error(), says...) || w.Engine.Applies != 1 {
		t.Errorf("%d applies: %v", w.Engine.Applies, err)
	}
	got := w.Report(request, true).Targets[0]
	if got.Outcome != pipeline.OutcomeApplied || !pipelinetest.ContainsAll(got.Message+"; "+got.Operator, says...) {
		t.Errorf("the report says %s: %q, %q", got.Outcome, got.Message, got.Operator)
	}
}

func latestPlan(w *pipelinetest.Setup, request pipeline.Request) (record.PlanAttempt, error) {
	folder, _, err := record.LatestPlanAttempt(w.T.Context(), w.Store, request, w.Current.Name.In("staging"))
	return folder, err
}
