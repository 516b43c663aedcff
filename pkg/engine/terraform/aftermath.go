package terraform

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// applyFailure says what was done and how to go on.
func (w *workspace) applyFailure(ctx context.Context, mode pipeline.Mode, failure error, applied pipeline.Applied) error {
	if !applied.Started && w.kept == "" {
		return w.failure(ctx, "apply", failure, applied.Diagnostics)
	}
	err := w.toolFailure("apply", failure, applied.Diagnostics)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case w.kept != "":
		failed.Message += "; " + doneText(applied.Done) + "; " + keptText
		failed.Next, failed.Operator = pipeline.KeptNext, keptAdvice
	case applied.Started:
		failed.Message += "; " + doneText(applied.Done) + ", and the state records it"
		if failed.Operator != "" {
			failed.Operator += "; then " + mode.OperatorAfresh()
		} else {
			failed.Next += "; then " + mode.Afresh()
		}
	}
	return failed
}

// The state that was not written is the caller's to keep: it knows of a place
// that outlasts this run.
const (
	keptText   = "the state could not be written to its backend"
	keptAdvice = "bring the state back before anything else is deployed"
)

// stoppedHalfway is the error of an apply that was cancelled or took too long.
func (w *workspace) stoppedHalfway(ctx context.Context, mode pipeline.Mode, applied pipeline.Applied) error {
	err := process.Stopped(ctx, w.job.Target(), "apply", "")
	if !applied.Started && w.kept == "" {
		return err
	}
	done, next := doneText(applied.Done), mode.Afresh()
	if w.kept != "" {
		done, next = done+"; "+keptText, pipeline.KeptNext
	}
	var failed *pipeline.FailedError
	if errors.As(err, &failed) {
		failed.Message += "; " + done
		failed.Diagnostics = applied.Diagnostics
		if w.kept != "" {
			failed.Next, failed.Operator = next, keptAdvice
		}
		return failed
	}
	return fmt.Errorf("%w; %s; %s", err, done, next)
}

func doneText(done []pipeline.AppliedResource) string {
	return pipeline.DoneText(done, "change was made", "changes were made")
}
