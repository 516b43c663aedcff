package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func asText(t *testing.T, value any) string {
	t.Helper()
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func secrets(t *testing.T, s Subject) {
	b := s.Secret(t)
	planned := b.plan(t)
	s.hides(t, "the model", asText(t, planned.Plan))
	s.hides(t, "the evidence", asText(t, planned.Evidence))
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, planned))
	if err != nil {
		t.Fatal(err)
	}
	s.hides(t, "what was done", asText(t, applied.Done))
	s.hides(t, "an output", asText(t, applied.Outputs))
	s.hides(t, "a diagnostic", asText(t, applied.Diagnostics))
	s.hides(t, "the log", b.log())
}

func secretsOfFailure(t *testing.T, s Subject) {
	b := s.Failing(t)
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, b.plan(t)))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || len(applied.Diagnostics) == 0 {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	s.hides(t, "the error", err.Error()+failed.Next+failed.Operator)
	s.hides(t, "a diagnostic", asText(t, applied.Diagnostics))
	s.hides(t, "a diagnostic of the error", asText(t, failed.Diagnostics))
	s.hides(t, "the log", b.log())
}

// awaits calls then when begun says so.
func awaits(ctx context.Context, begun func() bool, then func()) {
	go func() {
		for !begun() && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		then()
	}()
}

// cancelled: the tool gets one signal and its time, and what it did is known.
func cancelled(t *testing.T, s Subject) {
	b, begun, _ := s.Slow(t)
	plan := Stored(t, b.plan(t))
	b.Forget(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	awaits(ctx, begun, cancel)
	applied, err := b.Engine.Apply(ctx, b.Job, plan)
	var failed *pipeline.FailedError
	if !errors.Is(err, context.Canceled) || errors.As(err, &failed) {
		t.Fatalf("a wish to stop ends as %v", err)
	}
	if _, signals := b.Calls(t); signals != 1 {
		t.Errorf("the tool got %d signals", signals)
	}
	if !applied.Started || len(applied.Done) == 0 || b.State(t) == "" && applied.ErroredState == "" {
		t.Errorf("what it did is lost: %+v", applied)
	}
}

// cancelledBefore: an apply that never began says so.
func cancelledBefore(t *testing.T, s Subject) {
	b := s.New(t)
	plan := Stored(t, b.plan(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if applied, err := b.Engine.Apply(ctx, b.Job, plan); !errors.Is(err, context.Canceled) || applied.Started || len(applied.Done) > 0 || b.State(t) != "" {
		t.Errorf("applied %+v: %v", applied, err)
	}
	if planned, err := b.again(t).Engine.Plan(ctx, b.again(t).Job); !errors.Is(err, context.Canceled) || len(planned.Artifacts) > 0 {
		t.Errorf("planned %+v: %v", planned, err)
	}
	if applied, err := b.Engine.Apply(t.Context(), b.Job, plan); err != nil || !applied.Started {
		t.Errorf("the same plan afterwards: %+v: %v", applied, err)
	}
}

// killedTool: a tool that is gone in the middle has failed, and may have changed something.
func killedTool(t *testing.T, s Subject) {
	b, begun, kill := s.Slow(t)
	plan := Stored(t, b.plan(t))
	awaits(t.Context(), begun, func() { kill(t) })
	applied, err := b.Engine.Apply(t.Context(), b.Job, plan)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || errors.Is(err, context.Canceled) {
		t.Fatalf("a killed tool ends as %v", err)
	}
	if !applied.Started || len(applied.Done) == 0 {
		t.Errorf("a killed apply says that it changed nothing: %+v", applied)
	}
}
