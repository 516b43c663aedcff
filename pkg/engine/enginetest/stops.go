package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// patience is how long a test waits for what a process does by itself.
const patience = 90 * time.Second

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ready() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

// killedProcess: metapipe itself is gone in the middle of an apply (kill -9). The tool does not
// go down with it, or what it has done is in the state all the same: the next plan finds no
// lock, and nothing that was made twice or is missing.
func killedProcess(t *testing.T, s Subject) {
	b, process, begun, finish := s.Victim(t)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the apply", begun)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err == nil {
		t.Error("it was not killed")
	}
	finish(t)
	waitFor(t, "a plan that finds everything done", func() bool {
		if b.State(t) == "" {
			return false
		}
		planned, err := b.again(t).Engine.Plan(t.Context(), b.again(t).Job)
		return err == nil && !planned.Plan.HasChanges()
	})
}

// isPrivate reports whether file, or a directory on the way to it from dir, is its owner's alone.
func isPrivate(t *testing.T, dir, file string) bool {
	t.Helper()
	for at := file; strings.HasPrefix(at, dir); at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 == 0 {
			return true
		}
	}
	return false
}

// unwrittenState: an apply that cannot write its state hands it over in a file, which no log
// shows, says what it did, and can be brought back.
func unwrittenState(t *testing.T, s Subject) {
	b, mend := s.Unwritable(t)
	before := b.State(t)
	planned := b.plan(t)
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, planned))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !applied.Started || len(applied.Done) == 0 || applied.State != nil {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	kept, err := os.ReadFile(applied.ErroredState)
	if err != nil || len(kept) == 0 {
		t.Fatalf("the state is lost: %v", err)
	}
	if !isPrivate(t, b.Job.Dir, applied.ErroredState) {
		t.Errorf("others may read %s", applied.ErroredState)
	}
	if got := b.State(t); got != before {
		t.Errorf("the state was written all the same: %s", got)
	}
	mend(t)
	pusher, ok := b.Engine.(pipeline.StatePusher)
	if !ok {
		return
	}
	again := b.again(t)
	if _, err := pusher.PushState(t.Context(), again.Job, pipeline.KeptState{File: applied.ErroredState, Planned: planned.Evidence.State()}); err != nil {
		t.Fatalf("bring it back: %v", err)
	}
	if after, err := again.again(t).Engine.Plan(t.Context(), again.again(t).Job); err != nil || after.Plan.HasChanges() {
		t.Errorf("the plan after: %+v %v", after.Plan.Counts, err)
	}
}

// stateWrittenAhead: an apply that cannot write its state has failed and changed nothing: the
// next plan is the same again, and can be applied.
func stateWrittenAhead(t *testing.T, s Subject) {
	b, mend := s.Unwritable(t)
	before := b.State(t)
	planned := b.plan(t)
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, planned))
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || applied.ErroredState != "" {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	for _, done := range applied.Done {
		if !done.Failed && !done.Unfinished {
			t.Errorf("it says that it has changed %s", done.Address)
		}
	}
	if got := b.State(t); got != before {
		t.Errorf("the state was written all the same: %s", got)
	}
	mend(t)
	next := b.again(t)
	same := next.plan(t)
	if same.Fingerprint != planned.Fingerprint || same.Plan.Counts != planned.Plan.Counts {
		t.Errorf("before, the plan was %+v; then it is %+v", planned.Plan.Counts, same.Plan.Counts)
	}
	if _, err := next.Engine.Apply(t.Context(), next.Job, Stored(t, same)); err != nil {
		t.Errorf("the next plan: %v\n%s", err, next.log())
	}
	if after := b.again(t).plan(t); after.Plan.HasChanges() {
		t.Errorf("the plan after: %+v", after.Plan.Counts)
	}
}
