package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// DryRun plans one target on a laptop: no request, no GitHub, no store. The
// customer need not be registered.
type DryRun struct {
	Engine pipeline.ReadOnlyPlanner
	// CheckState refuses to plan at all, such as on a lost state that can be read
	// without the tool; nil checks nothing.
	CheckState func(context.Context) error
	// Check refuses a plan, such as one that was made on a lost state; nil checks
	// nothing.
	Check func(context.Context, pipeline.Planned) error
}

// Run returns the target as a report would show it. It comes also beside a
// *FailedError, with the diagnostics.
func (d DryRun) Run(ctx context.Context, job pipeline.Job) (pipeline.TargetReport, error) {
	t := pipeline.TargetReport{Target: job.Target(), Outcome: pipeline.OutcomeFailed}
	if err := declared(job); err != nil {
		return t, err
	}
	if d.CheckState != nil {
		if err := d.CheckState(ctx); err != nil {
			return t, err
		}
	}
	planned, err := d.Engine.PlanReadOnly(ctx, job)
	t.Diagnostics = planned.Plan.Diagnostics
	var deferred *pipeline.DeferredError
	if errors.As(err, &deferred) {
		t.Outcome, t.Message, t.Diagnostics = pipeline.OutcomeDeferred, deferred.Message, deferred.Waits
		return t, nil
	}
	if err != nil {
		var ended record.Result
		ended.Fail(ctx, pipeline.ModeDryRun, err)
		t.Outcome, t.Message, t.Next = ended.Outcome, ended.Message, cmp.Or(ended.Operator, ended.Next) // the reader has the manager
		return t, err
	}
	if d.Check != nil {
		if err := d.Check(ctx, planned); err != nil {
			return t, err
		}
	}
	t.Plan, t.Outcome = &planned.Plan, pipeline.OutcomePlanned
	if !planned.Plan.HasChanges() {
		t.Outcome = pipeline.OutcomeNoChanges
	}
	return t, nil
}

// declared checks that the environment stands both in metapipe.yml and in
// variables.yml.
func declared(job pipeline.Job) error {
	if job.Environment == "" {
		return pipeline.Usagef("no environment is named").Nextf("use %s", pipeline.AllowedNames(job.Customer))
	}
	if !job.Customer.Allows(job.Environment) {
		return pipeline.Usagef("environment %q is not one that %s may use", job.Environment, job.Customer.Name).
			Nextf("use %s", pipeline.AllowedNames(job.Customer))
	}
	if pipeline.Declares(job.Variables.Environments(), job.Environment) {
		return nil
	}
	position, _ := job.Variables.Locate("environments")
	return &pipeline.RejectedError{Reason: pipeline.ReasonInvalidVariables, Message: fmt.Sprintf("environment %q is not in the file", job.Environment), Problems: pipeline.Problems{{
		Position: position, Rule: "environment-missing", Message: fmt.Sprintf("environment %q is not under `environments`", job.Environment),
		Remedy: "add it there, or ask for one that is"}}}
}
