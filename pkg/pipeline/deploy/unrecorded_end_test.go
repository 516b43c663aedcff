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
)

// refusingLedger is a store whose ledger takes the beginning of an apply and not its end.
type refusingLedger struct {
	pipeline.Store
	started *bool
}

func (s refusingLedger) Create(ctx context.Context, key string, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if strings.Contains(key, "/ledger/") && *s.started {
		return errors.New("the disk is full")
	}
	*s.started = *s.started || strings.Contains(string(b), `"event": "applying"`)
	return s.Store.Create(ctx, key, strings.NewReader(string(b)))
}

// TestUnrecordedEndOfAFailedApply: the next report knows it from the plan's record.
func TestUnrecordedEndOfAFailedApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Engine.ApplyErr = &pipeline.FailedError{Message: "the tool failed"}
	good, begun := w.Store, false
	w.Store = refusingLedger{good, &begun}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatal(err)
	}
	w.Store = good
	w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying")
	for range 2 {
		w.Report(request, false)
		w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying, failed")
	}
}
