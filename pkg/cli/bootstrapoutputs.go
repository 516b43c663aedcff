package cli

import (
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/pulumi"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputsOf are the stacks whose outputs the roles of a stack read, and whether others read
// its own. A pattern stands for all stacks: those that some stack needs are among them.
func outputsOf(m pipeline.Manager, stack pipeline.StackName) (needs []string, passes bool) {
	_, declared := m.Stack(stack)
	for _, other := range m.Stacks {
		if !declared || slices.Contains(other.Needs, stack) {
			passes = passes || len(other.Needs) > 0
		}
		if declared && other.Name == stack || !declared {
			for _, needed := range other.Needs {
				if !slices.Contains(needs, string(needed)) {
					needs = append(needs, string(needed))
				}
			}
		}
	}
	return needs, passes
}

// homeOf is the folder where the tool of a stack keeps its state; empty where that is one
// object. A pattern stands for all stacks.
func homeOf(m pipeline.Manager, stack pipeline.StackName) string {
	_, declared := m.Stack(stack)
	for _, other := range m.Stacks {
		if (!declared || other.Name == stack) && other.Tool.Name == "pulumi" {
			return pulumi.HomeFolder
		}
	}
	return ""
}

func namesOf(stacks []pipeline.StackName) []string {
	var names []string
	for _, stack := range stacks {
		names = append(names, string(stack))
	}
	return names
}
