package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// needed are the outputs that the target of a dry run needs. With the real states, each
// needed stack is planned first, also without a lock; what its plan changes is not known.
// A scratch state says nothing about another stack.
func (m dryRun) needed(ctx context.Context, job pipeline.Job, states bool) ([]pipeline.NeededOutputs, error) {
	var all []pipeline.NeededOutputs
	for _, of := range job.Customer.Needed(job.Target()) {
		if !states {
			all = append(all, pipeline.NeededOutputs{Stack: of.Stack, Unknown: fmt.Sprintf("the state of %s is read with --state only", of.Name())})
			continue
		}
		needed, err := m.planNeeded(ctx, job, of)
		if err != nil {
			return nil, fmt.Errorf("plan %s, whose outputs %s needs: %w", of, job.Target().Name(), err)
		}
		all = append(all, needed)
	}
	return all, nil
}

// planKnown plans a target with its real state, and refuses one that is lost: outputs of an
// older state are not those of the stack.
func (m dryRun) planKnown(ctx context.Context, planner pipeline.ReadOnlyPlanner, job pipeline.Job) (pipeline.Planned, error) {
	var guarded deploy.DryRun
	lostStatesOf(m.manager).guard(&guarded, job)
	if guarded.CheckState != nil {
		if err := guarded.CheckState(ctx); err != nil {
			return pipeline.Planned{}, err
		}
	}
	planned, err := planner.PlanReadOnly(ctx, job)
	if err == nil && guarded.Check != nil {
		err = guarded.Check(ctx, planned)
	}
	return planned, err
}

// planNeeded plans a needed stack and returns its outputs.
func (m dryRun) planNeeded(ctx context.Context, job pipeline.Job, of pipeline.Target) (pipeline.NeededOutputs, error) {
	planner, err := capable[pipeline.ReadOnlyPlanner](m.manager, job.Customer, of.Stack, pipeline.CapabilityReadOnly)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	reader, err := capable[pipeline.OutputReader](m.manager, job.Customer, of.Stack, pipeline.CapabilityOutputs)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	job.Dir, job.Stack, job.Backend = filepath.Join(job.Dir, "needed", string(of.Stack)), of.Stack, m.backend(of)
	if job.Needed, err = m.needed(ctx, job, true); err != nil {
		return pipeline.NeededOutputs{}, err
	}
	planned, err := m.planKnown(ctx, planner, job)
	var deferred *pipeline.DeferredError
	if errors.As(err, &deferred) {
		return pipeline.NeededOutputs{Stack: of.Stack, Unknown: fmt.Sprintf("%s itself depends on outputs that are not known yet", of.Name())}, nil
	}
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	values, err := reader.PlannedOutputs(job, planned)
	return pipeline.NeededOutputs{Stack: of.Stack, Values: values}, err
}
