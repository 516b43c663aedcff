package cloudformation

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fleet looks at many targets, which share nothing.
type fleet struct{ engine *Engine }

// NewFleet implements pipeline.FleetEngine.
func (e *Engine) NewFleet(string) pipeline.Fleet { return fleet{e} }

// of is the engine with the credentials of job's target.
func (f fleet) of(ctx context.Context, job pipeline.Job) (*Engine, error) {
	if f.engine.options.EnvironOf == nil {
		return f.engine, nil
	}
	environ, err := f.engine.options.EnvironOf(ctx, job)
	if err != nil {
		return nil, err
	}
	options := f.engine.options
	options.Environ, options.EnvironOf = environ, nil
	return New(options), nil
}

// Plan is Engine.PlanReadOnly with the drift of the stack.
func (f fleet) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	engine, err := f.of(ctx, job)
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned, err := engine.PlanReadOnly(ctx, job)
	if err != nil || job.Destroy || planned.Found().Lineage == "" {
		planned.Artifacts = nil
		return planned, err
	}
	planned.Artifacts = nil
	planned.Plan.Drift, err = engine.drift(ctx, job, planned.Evidence[evidenceStackID])
	return planned, err
}

// State implements pipeline.StateReader.
func (f fleet) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	engine, err := f.of(ctx, job)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	return engine.State(ctx, job)
}
