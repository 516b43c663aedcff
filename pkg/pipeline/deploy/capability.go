package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// planJob plans a job, and reads the outputs where other stacks need them. They are nil where
// none does. A capability that the engine lacks is a refusal, and nothing runs.
func (p *Planner) planJob(ctx context.Context, request pipeline.Request, job pipeline.Job) (pipeline.Planned, []pipeline.OutputValue, error) {
	plan, err := p.planning(request, job)
	if err != nil {
		return pipeline.Planned{}, nil, err
	}
	reader, err := outputReader(p.Engine, job)
	if err != nil {
		return pipeline.Planned{}, nil, err
	}
	planned, err := plan(ctx, job)
	if err != nil || reader == nil {
		return planned, nil, err
	}
	outputs, err := reader.PlannedOutputs(job, planned)
	if err != nil {
		return planned, nil, err
	}
	return planned, append([]pipeline.OutputValue{}, outputs...), nil // none is not unknown
}

// planning returns what makes the plan of a job: a read-only one where the request applies
// nothing to the target.
func (p *Planner) planning(request pipeline.Request, job pipeline.Job) (func(context.Context, pipeline.Job) (pipeline.Planned, error), error) {
	if request.Applies(job.Target()) {
		return p.Engine.Plan, nil
	}
	planner, err := pipeline.Capable[pipeline.ReadOnlyPlanner](p.Engine, job.Tool().Name, pipeline.CapabilityReadOnly)
	if err != nil {
		return nil, incapable(job, err)
	}
	return planner.PlanReadOnly, nil
}

// outputReader is the engine as what reads the outputs of the target of job; nil where no
// stack needs them.
func outputReader(engine pipeline.Engine, job pipeline.Job) (pipeline.OutputReader, error) {
	if len(job.Customer.NeededBy(job.Target())) == 0 {
		return nil, nil
	}
	reader, err := pipeline.Capable[pipeline.OutputReader](engine, job.Tool().Name, pipeline.CapabilityOutputs)
	if err != nil {
		return nil, incapable(job, err)
	}
	return reader, nil
}

// appliedOutputs are the outputs that an apply has left; nil where they cannot be read or
// passed on, and so are not known.
func appliedOutputs(ctx context.Context, reader pipeline.OutputReader, job pipeline.Job, plan pipeline.StoredPlan) []pipeline.OutputValue {
	outputs, err := reader.AppliedOutputs(ctx, job, plan)
	if err != nil {
		fmt.Fprintf(job.Log, "The outputs that this apply has left are not known: %v\n", err)
		return nil
	}
	return append([]pipeline.OutputValue{}, outputs...)
}

// incapable refuses a job whose engine lacks a capability, in the words of pipeline.Capable.
func incapable(job pipeline.Job, cause error) error {
	var lacks *pipeline.UsageError
	if !errors.As(cause, &lacks) {
		return cause
	}
	return &pipeline.RefusedError{
		Reason:   pipeline.ReasonMissingCapability,
		Message:  fmt.Sprintf("%s: %s", job.Target(), lacks.Message),
		Next:     pipeline.AskProvider,
		Operator: lacks.Next,
	}
}
