package deploy_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// answerLost writes an object of the ledger, and loses the answer.
type answerLost struct {
	pipeline.Store
	left int
}

func (s *answerLost) Create(ctx context.Context, key string, body io.Reader) error {
	err := s.Store.Create(ctx, key, body)
	if strings.Contains(key, "staging/ledger/") {
		if s.left--; s.left == 0 {
			return errors.New("an answer of the server was lost")
		}
	}
	return err
}

func TestLostAnswerToAClaim(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	good := w.Store
	w.Store = &answerLost{good, 1}
	_, err := w.Apply(w.Target(request, "staging"))
	w.Store = good
	report := w.Report(request, true).Targets[0]
	if err != nil || w.Engine.Applies != 1 {
		t.Errorf("its own claim stands in its way: %v; the customer reads %s %q; %s", err, report.Outcome, report.Message, w.Events(stagingTarget))
	}
}

func TestStatusAfterALateRefusal(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	in := w.Target(request, "staging")
	in.Customer.Offboarded = true
	_, err := w.Apply(in)
	t.Log(err)
	f := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), stagingTarget)).Fold
	report := w.Report(request, true).Targets[0]
	if f.Request.Event != ledger.Applied {
		t.Errorf("metapipe status says %s, the report %s", f.Request.Event, report.Outcome)
	}
}
