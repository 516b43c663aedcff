package ansible

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fleet looks at many targets: each is a check of its own.
type fleet struct{ engine *Engine }

// NewFleet implements pipeline.FleetEngine. Targets share nothing.
func (e *Engine) NewFleet(string) pipeline.Fleet { return fleet{e} }

// Plan is Engine.Plan with the credentials of job's target. What check mode passes over is
// left out: it is done in each run, and says nothing of what differs.
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
	planned.Artifacts, planned.Plan.Invocations, planned.Plan.Counts.Invoke = nil, nil, 0
	return planned, err
}

// State implements pipeline.StateReader of the fleet: there is none.
func (fleet) State(context.Context, pipeline.Job) (pipeline.StateRecord, int64, error) {
	return pipeline.NoState(), 0, nil
}
