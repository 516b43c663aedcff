package recovery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// TestAcceptedState: what the operator accepts is the right state from then on, and
// nothing older than that.
func TestAcceptedState(t *testing.T) {
	t.Parallel()
	w := pipelinetest.NewApplied(t)
	in := w.Target(pipeline.Request{}, "staging")
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
	accept := func(lineage string, serial uint64) {
		t.Helper()
		if err := restorer.Accept(context.Background(), in, recovery.Acceptable{State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: lineage, Serial: serial}, Resources: 1}, Reason: "by hand"}); err != nil {
			t.Fatal(err)
		}
	}
	w.Engine.ChangePlanned = pipelinetest.StateFound("other", 4, 1)
	accept("other", 4)
	if err := w.PlanAgain(); err != nil {
		t.Errorf("the accepted state: %v", err)
	}
	w.Engine.ChangePlanned = pipelinetest.StateFound("other", 3, 1)
	if err := w.PlanAgain(); err == nil {
		t.Error("a state older than the accepted one is planned on")
	}
	w.Engine.ChangePlanned = pipelinetest.StateFound("", 0, 0)
	accept("", 0)
	if err := w.PlanAgain(); err != nil {
		t.Errorf("no state, accepted: %v", err)
	}
	var usage *pipeline.UsageError
	before := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/"))
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: "again"}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "nothing to accept") {
		t.Errorf("a state that is not lost: %v", err)
	}
	if after := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/")); !slices.Equal(before, after) {
		t.Errorf("an accept that was refused has written %v", after)
	}
	if err := restorer.Accept(context.Background(), in, recovery.Acceptable{Reason: " "}); !errors.As(err, &usage) {
		t.Errorf("without a reason: %v", err)
	}
}
