package drift

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// unplanned looks at a target without a configuration, and says why it has none. Its state
// may be lost all the same. Where one is left behind, having no configuration is an error.
func (w *scanWork) unplanned(ctx context.Context, c pipeline.Customer, known ledger.Remembered, want desired, t pipeline.Target) (skipped string, err error) {
	if err := w.checkState(ctx, c, known, t); err != nil {
		return "", err
	}
	left := known.Left()
	remove := fmt.Errorf("→ put it back into %s, or take %s out of %s when its infrastructure is to go", pipeline.VariablesFile, t.Environment, c.File)
	switch {
	case want.document == nil && len(left) == 0:
		return "metapipe has applied nothing here, and there is no GitHub to ask what is wanted", nil
	case want.document == nil:
		return fmt.Sprintf("no variables of %s are on record (%s), and there is no GitHub to ask what is wanted", t.Environment, left[len(left)-1]), nil
	case known.Record != nil:
		return "", &causeError{cause: "variables", err: fmt.Errorf("%s was applied before and is not in %s any more; nothing was destroyed\n%w", t.Environment, pipeline.VariablesFile, remove)}
	case slices.ContainsFunc(left, ledger.Left.Holds):
		return "", &causeError{cause: "variables", err: fmt.Errorf("%s has a state (%s) and is not in %s\n%w", t.Environment, left[len(left)-1], pipeline.VariablesFile, remove)}
	}
	return fmt.Sprintf("%s is not in %s", t.Environment, pipeline.VariablesFile), nil
}

// left looks at a target that its customer does not have any more. Nothing
// plans it, so that it is there is an error.
func (w *scanWork) left(ctx context.Context, c pipeline.Customer, known ledger.Remembered, t pipeline.Target) (skipped string, err error) {
	if err := w.checkState(ctx, c, known, t); err != nil {
		return "", err
	}
	if slices.ContainsFunc(known.Left(), ledger.Left.Holds) {
		message := pipeline.LeftMessage(t.String(), c.WhyLeft(t))
		return "", &causeError{cause: "configuration", err: fmt.Errorf("%s\n→ %s", message, pipeline.LeftNext)}
	}
	return c.WhyLeft(t), nil
}

// disabled looks at a target whose tool a custom property has switched off, as of the last request:
// where something was built, it is abandoned.
func (w *scanWork) disabled(ctx context.Context, c pipeline.Customer, known ledger.Remembered, result *Result) error {
	if err := w.checkState(ctx, c, known, result.Target); err != nil {
		return err
	}
	message := fmt.Sprintf("not enabled by the property %s since %s (request %s)", known.Disabled.Property, known.Disabled.At.UTC().Format(time.RFC3339), known.Disabled.Request.Short())
	if !slices.ContainsFunc(known.Left(), ledger.Left.Holds) || c.Manager.Drift.Action(pipeline.DriftAbandoned) == pipeline.DriftIgnore {
		result.Skipped = message
		return nil
	}
	result.Kinds, result.Message = []pipeline.DriftKind{pipeline.DriftAbandoned}, message+"; what was built stays until a destroy is asked for"
	return nil
}

// checkState refuses a target that is not planned, and whose state is not the one that was left.
func (w *scanWork) checkState(ctx context.Context, c pipeline.Customer, known ledger.Remembered, t pipeline.Target) error {
	if w.State == nil {
		return nil
	}
	job := pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, Dir: filepath.Join(w.in.Dir, filepath.FromSlash(t.Folder())), Backend: w.in.Backend(t), Log: io.Discard}
	defer os.RemoveAll(job.Dir) // what cannot be removed goes with the directory of the scan
	now, err := w.State(ctx, job, !known.Nothing())
	if err != nil {
		return err
	}
	if lost := known.Lost(now, job.Backend.String()); lost != nil {
		return lost.Refusal()
	}
	return nil
}
