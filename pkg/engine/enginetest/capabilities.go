package enginetest

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ofCapabilities are the tests of what an engine can do beside Plan and Apply: those of the
// interfaces that it implements.
func ofCapabilities(engine pipeline.Engine) map[string]func(*testing.T, Subject) {
	tests := map[string]func(*testing.T, Subject){}
	if _, can := engine.(pipeline.ReadOnlyPlanner); can {
		tests["read-only plan"] = readOnlyPlan
	}
	if _, can := engine.(pipeline.OutputReader); can {
		tests["outputs"] = outputs
		tests["outputs after a cancel"] = outputsAfterCancel
	}
	return tests
}

// writesNothing plans, and finds nothing that was written outside of the run directory.
func (b Bench) writesNothing(t *testing.T, plan func(context.Context, pipeline.Job) (pipeline.Planned, error)) pipeline.Planned {
	t.Helper()
	before, state := snapshot(t, b.Job.ManagerDir), b.State(t)
	planned, err := plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, b.log())
	}
	if after := snapshot(t, b.Job.ManagerDir); !maps.Equal(before, after) {
		t.Error("the manager directory has changed")
	}
	if now := b.State(t); now != state {
		t.Errorf("a plan has written the state %q", now)
	}
	for name, file := range planned.Artifacts {
		if rel, err := filepath.Rel(b.Job.Dir, file); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("artifact %s lies outside of the run directory, in %s", name, file)
		}
	}
	return planned
}

// readOnlyPlan: such a plan leaves no trace, also on a state that is there, and says what the
// plan would that is applied.
func readOnlyPlan(t *testing.T, s Subject) {
	b := s.New(t)
	readOnly := b.Engine.(pipeline.ReadOnlyPlanner).PlanReadOnly
	looked := b.writesNothing(t, readOnly)
	planned := b.again(t).plan(t)
	if looked.Fingerprint == "" || looked.Fingerprint != planned.Fingerprint || looked.Plan.Counts != planned.Plan.Counts {
		t.Errorf("read-only, it plans %+v (%s); else %+v (%s)", looked.Plan.Counts, looked.Fingerprint, planned.Plan.Counts, planned.Fingerprint)
	}
	applied := b.again(t)
	if _, err := applied.Engine.Apply(t.Context(), applied.Job, Stored(t, applied.plan(t))); err != nil {
		t.Fatal(err)
	}
	s.Differ(t, &b)
	if again := b.again(t).writesNothing(t, readOnly); !again.Plan.HasChanges() {
		t.Errorf("after a change of the configuration it plans %+v", again.Plan)
	}
}

func encoded(t *testing.T, outputs []pipeline.OutputValue) string {
	t.Helper()
	b, err := pipeline.EncodeOutputs(outputs)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// outputs: what a plan changes is not known, an apply and a plan without changes say the same.
func outputs(t *testing.T, s Subject) {
	b, want := s.Outputs(t)
	reader := b.Engine.(pipeline.OutputReader)
	planned := b.plan(t)
	first, err := reader.PlannedOutputs(b.Job, planned)
	if err != nil || len(first) != len(want) {
		t.Fatalf("the first plan puts out %+v: %v", first, err)
	}
	for i, o := range first {
		if o.Name != want[i].Name || o.Sensitive != want[i].Sensitive || o.Known() {
			t.Errorf("the first plan puts out %+v, want %s and no value yet", o, want[i].Name)
		}
	}
	plan := Stored(t, planned)
	if _, err := b.Engine.Apply(t.Context(), b.Job, plan); err != nil {
		t.Fatalf("apply: %v\n%s", err, b.log())
	}
	applied, err := reader.AppliedOutputs(t.Context(), b.Job, plan)
	if err != nil || encoded(t, applied) != encoded(t, want) {
		t.Errorf("the apply has left %+v: %v, want %+v", applied, err, want)
	}
	next := b.again(t)
	still, err := reader.PlannedOutputs(next.Job, next.plan(t))
	if err != nil || encoded(t, still) != encoded(t, want) {
		t.Errorf("a plan without changes puts out %+v: %v, want %+v", still, err, want)
	}
	for _, o := range want {
		if o.Sensitive {
			s := Subject{Marked: string(o.Value)}
			s.hides(t, "the log", b.log()+next.log())
		}
	}
}

// outputsAfterCancel: an apply that has ended is read out also when someone wants to stop.
func outputsAfterCancel(t *testing.T, s Subject) {
	b, want := s.Outputs(t)
	plan := Stored(t, b.plan(t))
	if _, err := b.Engine.Apply(t.Context(), b.Job, plan); err != nil {
		t.Fatalf("apply: %v\n%s", err, b.log())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := b.Engine.(pipeline.OutputReader).AppliedOutputs(ctx, b.Job, plan)
	if err != nil || encoded(t, got) != encoded(t, want) {
		t.Errorf("got %+v: %v", got, err)
	}
	empty := b.again(t) // no apply has ended there
	if got, err := b.Engine.(pipeline.OutputReader).AppliedOutputs(t.Context(), empty.Job, plan); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("without an apply it reads %+v: %v", got, err)
	}
}

// noState: an engine whose tool keeps no state says so of each plan and apply, and claims
// nothing that needs one.
func noState(t *testing.T, s Subject) {
	b := s.New(t)
	for capability, can := range map[pipeline.Capability]bool{
		pipeline.CapabilityState:    is[pipeline.StateReader](b.Engine),
		pipeline.CapabilityLocks:    is[pipeline.LockReleaser](b.Engine),
		pipeline.CapabilityRecovery: is[pipeline.StatePusher](b.Engine),
		pipeline.CapabilityMove:     is[pipeline.StateMover](b.Engine),
	} {
		if can {
			t.Errorf("it claims that it can %s", capability)
		}
	}
	if !is[pipeline.Stateless](b.Engine) {
		t.Error("it does not say that its tool keeps no state")
	}
	planned := b.plan(t)
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, planned))
	if err != nil || applied.State == nil || *applied.State != pipeline.NoState() || planned.Found() != pipeline.NoState() {
		t.Errorf("planned on %+v, applied %+v: %v", planned.Found(), applied.State, err)
	}
}

// keptState: the state can be read where the tool keeps it, is the one that an apply has left, and says
// how many resources there are.
func keptState(t *testing.T, s Subject) {
	b := s.New(t)
	reader := b.Engine.(pipeline.StateReader)
	if state, size, err := reader.State(t.Context(), b.Job); err != nil || size != 0 || !state.IsNone() {
		t.Errorf("before the first apply it reads %+v (%d bytes): %v", state, size, err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, Stored(t, b.plan(t)))
	if err != nil {
		t.Fatal(err)
	}
	state, size, err := reader.State(t.Context(), b.again(t).Job)
	if err != nil || size == 0 || applied.State == nil || state != *applied.State || state.Lineage == "" || state.Resources <= 0 {
		t.Errorf("it reads %+v (%d bytes): %v; the apply has left %+v", state, size, err, applied.State)
	}
	s.Differ(t, &b)
	next, err := b.Engine.Apply(t.Context(), b.again(t).Job, Stored(t, b.again(t).plan(t)))
	if err != nil || next.State == nil || next.State.Lineage != state.Lineage || next.State.Serial <= state.Serial {
		t.Errorf("the next apply has left %+v after %+v: %v", next.State, state, err)
	}
}

func is[T any](engine pipeline.Engine) bool {
	_, ok := engine.(T)
	return ok
}
