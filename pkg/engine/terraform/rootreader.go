package terraform

import (
	"context"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CheckRoot implements pipeline.RootReader. What does not parse says nothing about its state.
func (*Engine) CheckRoot(dir, root, tool string) (problems pipeline.Problems, parsed bool) {
	if problems := module.Syntax(dir, root, tool); problems != nil {
		return problems, false
	}
	return module.CheckRoot(dir, root, tool), true
}

// RootVariables implements pipeline.RootReader.
func (*Engine) RootVariables(dir, root, tool string) (map[string]bool, error) {
	return module.RootVariables(dir, root, tool)
}

// OwnVariable implements pipeline.RootReader.
func (*Engine) OwnVariable(name string) bool { return module.OwnVariable(name) }

// CheckTree implements pipeline.RootReader.
func (*Engine) CheckTree(ctx context.Context, dir, root, stateDir string) (pipeline.Problems, error) {
	return tree.CheckTree(ctx, dir, root, stateDir, module.OwnNames)
}
