package pipeline

import (
	"context"
	"fmt"
	"slices"
)

// DryRun plans one target on a laptop: no request, no GitHub, no store. The
// customer need not be registered.
type DryRun struct {
	Engine Engine
	// Check refuses a plan, such as one that was made on a lost state; nil checks
	// nothing.
	Check func(context.Context, Planned) error
}

// Run returns the target as a report would show it. It comes also beside a
// *FailedError, with the diagnostics.
func (d DryRun) Run(ctx context.Context, job Job) (TargetReport, error) {
	t := TargetReport{Environment: job.Environment, Outcome: OutcomeFailed}
	if err := declared(job); err != nil {
		return t, err
	}
	job.ReadOnly = true
	planned, err := d.Engine.Plan(ctx, job)
	t.Diagnostics = planned.Plan.Diagnostics
	if err != nil {
		var ended Result
		ended.Fail(ctx, ModeDryRun, err)
		t.Outcome, t.Message, t.Next = ended.Outcome, ended.Message, ended.Next
		return t, err
	}
	if d.Check != nil {
		if err := d.Check(ctx, planned); err != nil {
			return t, err
		}
	}
	t.Plan, t.Outcome = &planned.Plan, OutcomePlanned
	if !planned.Plan.HasChanges() {
		t.Outcome = OutcomeNoChanges
	}
	return t, nil
}

// declared checks that the environment stands both in metapipe.yml and in
// variables.yml.
func declared(job Job) error {
	if job.Environment == "" {
		return &UsageError{Message: "no environment is named", Next: "use " + AllowedNames(job.Customer)}
	}
	if !job.Customer.Allows(job.Environment) {
		return &UsageError{Message: fmt.Sprintf("environment %q is not one that %s may use", job.Environment, job.Customer.Name), Next: "use " + AllowedNames(job.Customer)}
	}
	if slices.ContainsFunc(job.Variables.Environments(), func(d DeclaredEnvironment) bool { return d.Name == string(job.Environment) }) {
		return nil
	}
	position, _ := job.Variables.Locate("environments")
	return &RejectedError{Reason: ReasonInvalidVariables, Message: fmt.Sprintf("environment %q is not in the file", job.Environment), Problems: Problems{{
		Position: position, Rule: "environment-missing", Message: fmt.Sprintf("environment %q is not under `environments`", job.Environment),
		Remedy: "add it there, or ask for one that is"}}}
}
