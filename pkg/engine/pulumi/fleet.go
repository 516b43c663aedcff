package pulumi

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fleet looks at many targets: each is a preview of its own.
type fleet struct{ engine *Engine }

// NewFleet implements pipeline.FleetEngine. Targets share nothing.
func (e *Engine) NewFleet(string) pipeline.Fleet { return fleet{e} }

// Plan is Engine.PlanReadOnly with the credentials of job's target.
func (f fleet) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	engine := f.engine
	if engine.options.EnvironOf != nil {
		environ, err := engine.options.EnvironOf(ctx, job)
		if err != nil {
			return pipeline.Planned{}, fmt.Errorf("plan %s: %w", job.Target(), err)
		}
		options := engine.options
		options.Environ, options.EnvironOf = environ, nil
		engine = New(options)
	}
	planned, err := engine.PlanReadOnly(ctx, job)
	planned.Artifacts = nil
	return planned, err
}

// State implements pipeline.StateReader of the fleet.
func (f fleet) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	return f.engine.State(ctx, job)
}
