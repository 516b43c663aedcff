package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// PushState implements pipeline.StatePusher: it writes a state that an apply
// could not write to the backend of job's target. The tool takes the lock and
// compares once more; nothing is forced, unless kept.Replace is set.
func (e *Engine) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	if kept.Replace != nil {
		return e.replaceState(ctx, job, kept)
	}
	lost, err := statefile.Version(kept.File)
	if err != nil { // a first state that was never written has no lineage yet
		return lost, fmt.Errorf("recover the state of %s: %w", target(job), err)
	}
	w, err := e.openState(ctx, job, false)
	if err != nil {
		return lost, err
	}
	file, err := w.pull(ctx)
	if err != nil {
		return lost, err
	}
	defer os.Remove(file)
	now, err := statefile.Version(file)
	if err != nil {
		return lost, w.failed("read the state", err)
	}
	same, err := statefile.SameContent(file, kept.File)
	if err != nil || same {
		return now, err // it is there already
	}
	if err := mayReplace(target(job), now, lost, kept.Planned); err != nil {
		return lost, err
	}
	push := kept.File
	if now.Serial >= lost.Serial && now.Lineage != "" {
		if push, err = w.countOn(kept.File, now.Serial+1); err != nil {
			return lost, w.failed("prepare the state", err)
		}
		defer os.Remove(push)
	}
	// A lock that is gone already, since this is done again, cannot be released;
	// one that is not lets the push fail.
	notReleased := w.unlock(ctx, kept.Unlock)
	var usage *pipeline.UsageError
	if errors.As(notReleased, &usage) || ctx.Err() != nil {
		return lost, notReleased
	}
	args := append([]string{"state", "push"}, w.lockArgs()...)
	if err := w.exec(ctx, filepath.Join(w.dir, "push.out"), append(args, push)...); err != nil {
		err = w.stateFailure(ctx, "push the state", err)
		var failed *pipeline.FailedError
		if errors.As(err, &failed) && strings.Contains(failed.Next, "lock of this state") {
			failed.Next += "; a lock of the apply that failed, whose run has ended, is released with --unlock and its id"
		}
		return lost, errors.Join(err, notReleased)
	}
	return w.currentState(ctx) // the tool may count further when it writes
}
