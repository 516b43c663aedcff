package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// keepErroredState saves the state that the tool could not write to its place:
// it is the only record of what was just made. w.kept tells where it is then.
func (w *workspace) keepErroredState() error {
	found := filepath.Join(w.root, "errored.tfstate")
	if !isFile(found) {
		return nil
	}
	w.kept = found
	name := filepath.Base(w.state) + ".errored-" + w.engine.options.Now().UTC().Format("20060102T150405Z")
	var errs []error
	for _, dir := range []string{filepath.Dir(w.state), w.job.Dir} {
		kept := filepath.Join(dir, name)
		err := copyPrivate(found, kept)
		if err == nil {
			w.kept = kept
			return nil
		}
		errs = append(errs, err)
	}
	return w.failed("keep the state that could not be written, which is now at "+found, errors.Join(errs...))
}

func copyPrivate(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.Sync()
}

// applyFailure says what was done and how to go on.
func (w *workspace) applyFailure(failure error, applied pipeline.Applied) error {
	err := w.failure("apply", failure, applied.Diagnostics)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case w.kept != "":
		failed.Message += "; " + doneText(applied.Done) + "; " + w.keptText()
		failed.Next = w.pushCommand()
	case applied.Started:
		failed.Message += "; " + doneText(applied.Done) + ", and the state records it"
		failed.Next += "; then " + nextPlan
	}
	return failed
}

func (w *workspace) keptText() string {
	return "the state could not be written and is kept at " + w.kept
}

func (w *workspace) pushCommand() string {
	return fmt.Sprintf("make %s writable, then, before anything else is deployed: cd %s && TF_DATA_DIR=%s %s state push %s",
		w.state, w.root, w.data, w.tool.Path, w.kept)
}

// stoppedHalfway is the error of an apply that was cancelled or took too long.
func (w *workspace) stoppedHalfway(ctx context.Context, applied pipeline.Applied) error {
	err := stopped(ctx, w.job, "apply")
	if !applied.Started && w.kept == "" {
		return err
	}
	done, next := doneText(applied.Done), nextPlan
	if w.kept != "" {
		done, next = done+"; "+w.keptText(), w.pushCommand()
	}
	var failed *pipeline.FailedError
	if errors.As(err, &failed) {
		failed.Message += "; " + done
		failed.Diagnostics = applied.Diagnostics
		if w.kept != "" {
			failed.Next = next
		}
		return failed
	}
	return fmt.Errorf("%w; %s; %s", err, done, next)
}

func doneText(done []pipeline.AppliedResource) string {
	good, bad := 0, 0
	for _, d := range done {
		if d.Failed {
			bad++
		} else {
			good++
		}
	}
	return fmt.Sprintf("%d changes were made and %d failed", good, bad)
}
