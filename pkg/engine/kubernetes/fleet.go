package kubernetes

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fleet looks at many targets: each is a dry run of its own.
type fleet struct{ engine *Engine }

// NewFleet implements pipeline.FleetEngine. Targets share nothing.
func (e *Engine) NewFleet(string) pipeline.Fleet { return fleet{e} }

func (f fleet) of(ctx context.Context, job pipeline.Job) (*Engine, error) {
	if f.engine.options.EnvironOf == nil {
		return f.engine, nil
	}
	environ, err := f.engine.options.EnvironOf(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", job.Target(), err)
	}
	return f.engine.with(environ), nil
}

// Plan shows what differs, also where others have set the fields since: an apply would be
// refused then, and a scan must say what there is.
func (f fleet) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	engine, err := f.of(ctx, job)
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned, err := engine.planWith(ctx, job, true)
	planned.Artifacts = nil
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
