package deploy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// bare can plan and apply, and nothing else.
type bare struct{ pipeline.Engine }

// readOnlyOnly makes read-only plans, too.
type readOnlyOnly struct {
	pipeline.Engine
	pipeline.ReadOnlyPlanner
}

func wantIncapable(t *testing.T, err error, what pipeline.Capability) {
	t.Helper()
	wantRefused(t, err, pipeline.ReasonMissingCapability, "metapipe cannot "+string(what)+" with terraform")
	var refused *pipeline.RefusedError
	if errors.As(err, &refused) && !strings.Contains(refused.Operator, "tool.name in metapipe.yml") {
		t.Errorf("the operator reads %q", refused.Operator)
	}
}

// TestNoReadOnlyPlans: without them no pull request is planned, since a plan could write. What
// is to be applied is planned all the same.
func TestNoReadOnlyPlans(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"pull_request", "push"} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Tool.Name = "terraform"
			plans := 0
			w.Engine.SeePlan = func(pipeline.Job) { plans++ }
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), event)))
			planner := w.Planner()
			planner.Engine = bare{w.Engine}
			w.Tick()
			result, err := planner.Run(t.Context(), w.Target(request, "staging"))
			if event == "push" {
				if err != nil || result.Outcome != pipeline.OutcomeWaiting || plans != 1 {
					t.Errorf("%+v (%v), %d plans", result, err, plans)
				}
				return
			}
			wantIncapable(t, err, pipeline.CapabilityReadOnly)
			if result.Outcome != pipeline.OutcomeRefused || result.Reason != pipeline.ReasonMissingCapability || plans != 0 {
				t.Errorf("%+v, %d plans", result, plans)
			}
		})
	}
}

// TestReadOnlyPlans: what is not applied is planned read-only, and nothing else is.
func TestReadOnlyPlans(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]int{"pull_request": 1, "push": 0} {
		w := pipelinetest.New(t)
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), event)))
		if _, err := w.Plan(request, "staging"); err != nil || w.Engine.ReadOnly != want {
			t.Errorf("%s: %d read-only plans (%v)", event, w.Engine.ReadOnly, err)
		}
	}
}

// TestNoOutputs: without the capability a needed stack is neither planned nor applied, so that
// no one takes it for one without outputs. The others are.
func TestNoOutputs(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"pull_request", "push"} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			r := newNeedsRun(t, event)
			r.nameTool()
			plans := 0
			r.w.Engine.SeePlan = func(pipeline.Job) { plans++ }
			planner := r.w.Planner()
			planner.Engine = readOnlyOnly{r.w.Engine, r.w.Engine}
			_, err := planner.Run(t.Context(), r.in("network"))
			wantIncapable(t, err, pipeline.CapabilityOutputs)
			if plans != 0 || r.status("network").Outcome != pipeline.OutcomeRefused {
				t.Errorf("%d plans, %+v", plans, r.status("network"))
			}
		})
	}
	r := newNeedsRun(t, "push")
	r.nameTool()
	r.mustPlan("network")
	applier := r.w.Applier()
	applier.Engine = bare{r.w.Engine}
	_, err := applier.Run(t.Context(), r.in("network"))
	wantIncapable(t, err, pipeline.CapabilityOutputs)
	if r.w.Engine.Applies != 0 {
		t.Error("it was applied")
	}
	other := newNeedsRun(t, "push")
	other.w.Current.Manager.Stacks[1].Needs = nil
	planner := other.w.Planner()
	planner.Engine = bare{other.w.Engine}
	if _, err := planner.Run(t.Context(), other.in("network")); err != nil {
		t.Errorf("outputs that no one needs: %v", err)
	}
}

// nameTool names the tool of the stacks.
func (r *needsRun) nameTool() {
	for i := range r.w.Current.Manager.Stacks {
		r.w.Current.Manager.Stacks[i].Tool.Name = "terraform"
	}
}

// TestOutputsThatCannotBeRead: a plan whose outputs are not known fails and leaves nothing to
// apply; after an apply they are not known, and the record of older ones is gone.
func TestOutputsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("the state is encrypted")
	for _, event := range []string{"pull_request", "push"} {
		r := newNeedsRun(t, event)
		r.w.Engine.OutputsErr = broken
		if result, err := r.plan("network"); !errors.Is(err, broken) || result.Receipt != "" || r.status("network").Outcome != pipeline.OutcomeFailed {
			t.Errorf("%s: %+v (%v)", event, result, err)
		}
	}
	r := newNeedsRun(t, "push")
	r.mustPlan("network")
	r.mustApply("network")
	r.ask("push")
	r.mustPlan("network")
	r.w.Engine.OutputsErr = broken
	r.mustApply("network")
	if keys := r.w.Keys("acme/staging.network/outputs/"); len(keys) != 0 {
		t.Errorf("%v", keys)
	}
	_, err := r.plan("hosts")
	wantRefused(t, err, pipeline.ReasonStaleState, "not on record")
}

// TestStackWithoutOutputs: to have none is known, and not the same as unknown.
func TestStackWithoutOutputs(t *testing.T) {
	t.Parallel()
	r := newNeedsRun(t, "push")
	r.w.Engine.Passed = nil
	r.mustPlan("network")
	r.mustApply("network")
	r.mustPlan("hosts")
	if len(r.planned) != 1 || r.planned[0].Unknown != "" || len(r.planned[0].Values) != 0 {
		t.Errorf("%+v", r.planned)
	}
}
