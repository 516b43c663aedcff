package pipelinetest

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Engine plans "make the state say what the variables say". States have serials,
// and a plan of an older serial is refused, as Terraform does.
type Engine struct {
	States   map[string]uint64
	contents string // what was applied last
	PlanErr  error
	ApplyErr error
	Applies  int

	NotStarted error  // of an apply that could change nothing
	LogText    string // in the log

	DuringPlan, DuringApply func()

	Outputs []pipeline.Output // further ones of an apply
	// Composed is what controllers make of an apply, also of one that fails.
	Composed pipeline.Composition
	Passed   []pipeline.OutputValue // for the stacks that need them, after a plan and an apply

	OutputsErr      error // in the place of Passed
	Asked, ReadOnly int   // how often outputs were asked for, and plans that write nothing

	SeeApply      func(pipeline.Job)      // sees the job of an apply
	SeePlan       func(pipeline.Job)      // sees the job of a plan
	ChangePlanned func(*pipeline.Planned) // what a plan finds in the place of the state
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner: no plan of this engine writes.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	e.ReadOnly++
	return e.Plan(ctx, job)
}

// PlannedOutputs implements pipeline.OutputReader.
func (e *Engine) PlannedOutputs(pipeline.Job, pipeline.Planned) ([]pipeline.OutputValue, error) {
	e.Asked++
	return e.Passed, e.OutputsErr
}

// AppliedOutputs implements pipeline.OutputReader.
func (e *Engine) AppliedOutputs(context.Context, pipeline.Job, pipeline.StoredPlan) ([]pipeline.OutputValue, error) {
	e.Asked++
	return e.Passed, e.OutputsErr
}

func (e *Engine) Plan(_ context.Context, job pipeline.Job) (pipeline.Planned, error) {
	fmt.Fprint(job.Log, e.LogText)
	if e.SeePlan != nil {
		e.SeePlan(job)
	}
	for _, needed := range job.Needed {
		if needed.Unknown != "" || slices.ContainsFunc(needed.Values, func(o pipeline.OutputValue) bool { return !o.Known() }) {
			return pipeline.Planned{}, &pipeline.DeferredError{Message: "region depends on an output of " + string(needed.Stack) + " that is not known yet",
				Waits: []pipeline.Diagnostic{{Warning: true, Summary: "region depends on an output of " + string(needed.Stack)}}}
		}
	}
	if e.PlanErr != nil {
		return pipeline.Planned{Plan: pipeline.Plan{Diagnostics: []pipeline.Diagnostic{{Summary: "broken"}}}}, e.PlanErr
	}
	if e.DuringPlan != nil {
		e.DuringPlan()
	}
	config, err := job.Variables.Effective(job.Environment)
	if err != nil {
		return pipeline.Planned{}, err
	}
	p := pipeline.Planned{Evidence: pipeline.NewPlanEvidence(pipeline.ToolVersion{Name: "terraform", Version: "1.11.4"}), Resources: 2, Artifacts: pipeline.Artifacts{}}
	p.Plan.Exactness = pipeline.ExactnessExact
	p.Evidence.SetManager("tree", "")
	p.Evidence.SetState(pipeline.StateVersion{Lineage: "l", Serial: e.States[job.Backend.String()]})
	if key := job.Backend.String() + "\n" + string(config.Source); key != e.contents {
		p.Plan.Changes = []pipeline.ResourceChange{{Address: "a.b", Type: "a", Action: pipeline.ActionUpdate}}
		p.Plan.Counts.Update = 1
	}
	if e.ChangePlanned != nil {
		e.ChangePlanned(&p)
	}
	mac := job.MAC()
	mac.Write(config.Source)
	p.Fingerprint = hex.EncodeToString(mac.Sum(nil))
	for _, name := range []string{"plan", "plan-json", "bundle"} {
		p.Artifacts[name] = filepath.Join(job.Dir, name)
		if err := os.WriteFile(p.Artifacts[name], append([]byte(name+":"), config.Source...), 0o600); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (e *Engine) Apply(_ context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := plan.Verify(); err != nil {
		return pipeline.Applied{}, err
	}
	if plan.Receipt.Evidence.State().Serial != e.States[job.Backend.String()] {
		return pipeline.Applied{}, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: "the state has changed"}
	}
	if shown, err := os.ReadFile(plan.Artifacts["plan-json"]); err != nil || !strings.HasPrefix(string(shown), "plan-json:") {
		return pipeline.Applied{}, fmt.Errorf("the plan JSON was not restored: %q %w", shown, err)
	}
	fmt.Fprint(job.Log, e.LogText)
	if e.SeeApply != nil {
		e.SeeApply(job)
	}
	if e.NotStarted != nil {
		return pipeline.Applied{}, e.NotStarted
	}
	e.Applies++
	if e.DuringApply != nil {
		e.DuringApply()
	}
	done := []pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionUpdate, Failed: e.ApplyErr != nil}}
	if e.ApplyErr != nil {
		return pipeline.Applied{Started: true, Done: done, Composed: e.Composed}, e.ApplyErr
	}
	b, err := os.ReadFile(plan.Artifacts["plan"])
	if err != nil {
		return pipeline.Applied{}, err
	}
	e.States[job.Backend.String()]++
	e.contents = job.Backend.String() + "\n" + strings.TrimPrefix(string(b), "plan:")
	left := &pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: e.States[job.Backend.String()]}, Resources: 2}
	outputs := append([]pipeline.Output{{Name: "url", Value: `"https://x"`}, {Name: "password", Sensitive: true}}, e.Outputs...)
	return pipeline.Applied{Started: true, Done: done, State: left, Outputs: outputs, Composed: e.Composed}, nil
}
