package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestDestroyIsStartedByHand: no other event leads to one, and no payload.
func TestDestroyIsStartedByHand(t *testing.T) {
	t.Parallel()
	w := pipelinetest.NewApplied(t)
	for _, event := range []string{"", "repository_dispatch", "schedule", "push", "pull_request", "workflow_call", "Workflow_dispatch", "workflow_dispatch "} {
		request, err := w.Fetcher().Run(t.Context(), w.ManualInput(event, pipelinetest.DestroyStaging))
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
	w := pipelinetest.NewApplied(t)
	f := w.Fetcher()
	f.Store = noRecords{f.Store}
	a := w.Dispatch(w.Hub.Commit("production one\n"), "push")
	w.Tick()
	request, err := f.Run(t.Context(), w.FetchInput(a, w.Claims(a)))
	if err != nil || len(request.Removed) != 1 || request.Removed[0] != "staging" {
		t.Errorf("%+v %v", request.Removed, err)
	}
	if _, err := f.Run(t.Context(), w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a destroy without the record: %v", err)
	}
}
