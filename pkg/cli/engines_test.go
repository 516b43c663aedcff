package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// plainEngine can plan and apply, and nothing else.
type plainEngine struct{}

func (plainEngine) Plan(context.Context, pipeline.Job) (pipeline.Planned, error) {
	return pipeline.Planned{}, nil
}

func (plainEngine) Apply(context.Context, pipeline.Job, pipeline.StoredPlan) (pipeline.Applied, error) {
	return pipeline.Applied{}, nil
}

// lacking are the capabilities that a tool has not.
var lacking = map[string][]pipeline.Capability{
	"ansible":        {pipeline.CapabilityOutputs, pipeline.CapabilityState, pipeline.CapabilityLocks, pipeline.CapabilityRecovery, pipeline.CapabilityMove},
	"kubernetes":     {pipeline.CapabilityLocks, pipeline.CapabilityRecovery, pipeline.CapabilityMove},
	"crossplane":     {pipeline.CapabilityLocks, pipeline.CapabilityRecovery, pipeline.CapabilityMove},
	"pulumi":         {pipeline.CapabilityRecovery, pipeline.CapabilityMove},
	"cloudformation": {pipeline.CapabilityLocks, pipeline.CapabilityRecovery, pipeline.CapabilityMove},
}

// TestEngines: each tool that metapipe.yml may name has an engine, and no other has.
func TestEngines(t *testing.T) {
	t.Parallel()
	names, tools := slices.Sorted(maps.Keys(engines)), config.StackTools()
	slices.Sort(tools)
	if !slices.Equal(names, tools) {
		t.Errorf("metapipe.yml may name %q, and there are engines for %q", tools, names)
	}
	for _, name := range names {
		engine, err := newEngine(name, engineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for needed, err := range capabilities(engine, name) {
			if lacks := slices.Contains(lacking[name], needed); lacks != (err != nil) {
				t.Errorf("%s: %s: %v", name, needed, err)
			}
		}
	}
	var usage *pipeline.UsageError
	if _, err := newEngine("chef", engineOptions{}); !errors.As(err, &usage) || !strings.Contains(usage.Next, "terraform, tofu") {
		t.Errorf("an unknown tool: %v", err)
	}
}

// TestMissingCapabilities: a command says in plain words what an engine cannot do.
func TestMissingCapabilities(t *testing.T) {
	t.Parallel()
	for needed, err := range capabilities(plainEngine{}, "chef") {
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || usage.Message != "metapipe cannot "+string(needed)+" with chef" || usage.Next == "" {
			t.Errorf("%s: %v", needed, err)
		}
	}
}

func capabilities(engine pipeline.Engine, tool string) map[pipeline.Capability]error {
	errs := map[pipeline.Capability]error{}
	_, errs[pipeline.CapabilityReadOnly] = pipeline.Capable[pipeline.ReadOnlyPlanner](engine, tool, pipeline.CapabilityReadOnly)
	_, errs[pipeline.CapabilityOutputs] = pipeline.Capable[pipeline.OutputReader](engine, tool, pipeline.CapabilityOutputs)
	_, errs[pipeline.CapabilityState] = pipeline.Capable[pipeline.StateReader](engine, tool, pipeline.CapabilityState)
	_, errs[pipeline.CapabilityLocks] = pipeline.Capable[pipeline.LockReleaser](engine, tool, pipeline.CapabilityLocks)
	_, errs[pipeline.CapabilityRecovery] = pipeline.Capable[pipeline.StatePusher](engine, tool, pipeline.CapabilityRecovery)
	_, errs[pipeline.CapabilityMove] = pipeline.Capable[pipeline.StateMover](engine, tool, pipeline.CapabilityMove)
	_, errs[pipeline.CapabilityDrift] = pipeline.Capable[pipeline.FleetEngine](engine, tool, pipeline.CapabilityDrift)
	_, errs[pipeline.CapabilityRoots] = pipeline.Capable[pipeline.RootReader](engine, tool, pipeline.CapabilityRoots)
	return errs
}
