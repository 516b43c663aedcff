package terraform

import (
	"context"

	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
)

// init prepares the workspace: providers, modules, backend.
func (w *workspace) init(ctx context.Context) (*output.Stream, error) {
	return w.connect(ctx, append([]string{"-reconfigure"}, w.backendArgs...)...)
}

// connect initializes the workspace with its backend, and makes sure that the tool
// uses that one.
func (w *workspace) connect(ctx context.Context, args ...string) (*output.Stream, error) {
	output, err := w.initialize(ctx, args...)
	if err != nil {
		return output, err
	}
	return output, w.sameBackend()
}

func (w *workspace) initialize(ctx context.Context, extra ...string) (*output.Stream, error) {
	args := []string{"init", "-input=false", "-no-color"}
	if w.tool.AtLeast(1, 9) { // both tools speak JSON here from 1.9 on
		args = []string{"init", "-input=false", "-json"}
	}
	lock, err := w.lockFile()
	if err != nil {
		return &output.Stream{}, w.failed("read the dependency lock file", err)
	}
	if lock != "" {
		args = append(args, "-lockfile=readonly")
	}
	return w.runJSON(ctx, append(args, extra...)...)
}
