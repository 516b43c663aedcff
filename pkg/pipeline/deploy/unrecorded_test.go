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
