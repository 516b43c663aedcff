package cli

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// moverByStack copies the state of each target with the engine of its stack's tool.
type moverByStack struct{ *manager }

func (m moverByStack) of(job pipeline.Job) (pipeline.StateMover, error) {
	engine, err := m.engineOf(job.Customer, job.Stack)
	if err != nil {
		return nil, err
	}
	if _, stateless := engine.(pipeline.Stateless); stateless {
		return nothingToMove{}, nil
	}
	if mover, can := engine.(pipeline.StateMover); can {
		return mover, nil
	}
	what := job.Tool().Name
	if job.Stack != "" {
		what = fmt.Sprintf("the stack %s, whose tool is %s", job.Stack, what)
	}
	return nil, pipeline.Usagef("metapipe cannot %s for %s", pipeline.CapabilityMove, what).
		Nextf("give the file in %s/ its old name back: it is a key in the store that only the provider sees, and stays when the customer or its repository is called otherwise", config.CustomersDir)
}

// CheckMove is the error of the other methods for a stack whose tool cannot copy states.
func (m moverByStack) CheckMove(job pipeline.Job) error {
	_, err := m.of(job)
	return err
}

func (m moverByStack) PullState(ctx context.Context, job pipeline.Job, file string) (pipeline.StateRecord, error) {
	mover, err := m.of(job)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	return mover.PullState(ctx, job, file)
}

func (m moverByStack) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	mover, err := m.of(job)
	if err != nil {
		return pipeline.StateVersion{}, err
	}
	return mover.PushState(ctx, job, kept)
}

func (m moverByStack) SameState(job pipeline.Job, a, b string) (bool, error) {
	mover, err := m.of(job)
	if err != nil {
		return false, err
	}
	return mover.SameState(job, a, b)
}

// nothingToMove stands for the engine of a tool that keeps no state.
type nothingToMove struct{}

// PullState implements pipeline.StateMover.
func (nothingToMove) PullState(_ context.Context, _ pipeline.Job, file string) (pipeline.StateRecord, error) {
	return pipeline.NoState(), os.WriteFile(file, nil, 0o600)
}

// PushState implements pipeline.StateMover.
func (nothingToMove) PushState(_ context.Context, job pipeline.Job, _ pipeline.KeptState) (pipeline.StateVersion, error) {
	return pipeline.StateVersion{}, pipeline.Usagef("%s keeps no state, so that none can be written for %s", job.Tool().Name, job.Target()).
		Nextf("run a plan: it shows what differs on the hosts")
}

// SameState implements pipeline.StateMover.
func (nothingToMove) SameState(pipeline.Job, string, string) (bool, error) { return true, nil }

// fleetByTool looks at each target with the engine of its stack's tool. A tool that cannot
// look for drift fails its own targets alone.
type fleetByTool struct {
	dir     string
	options engineOptions

	mu     sync.Mutex
	fleets map[string]pipeline.Fleet // by the name of the tool
}

func (f *fleetByTool) of(job pipeline.Job) (pipeline.Fleet, error) {
	_, rule, err := job.Customer.Module(job.Stack)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fleet, known := f.fleets[rule.Name]; known {
		return fleet, nil
	}
	engine, err := newEngine(rule.Name, f.options)
	if err != nil {
		return nil, err
	}
	capable, err := pipeline.Capable[pipeline.FleetEngine](engine, rule.Name, pipeline.CapabilityDrift)
	if err != nil {
		return nil, err
	}
	f.fleets[rule.Name] = capable.NewFleet(f.dir)
	return f.fleets[rule.Name], nil
}

func (f *fleetByTool) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	fleet, err := f.of(job)
	if err != nil {
		return pipeline.Planned{}, err
	}
	return fleet.Plan(ctx, job)
}

func (f *fleetByTool) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	fleet, err := f.of(job)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	return fleet.State(ctx, job)
}
