package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// leave reads what an apply has left in the backend. Where it cannot be read, what was
// applied stays applied: the state that the plan was made on is remembered then.
func (w *workspace) leave(ctx context.Context, applied *pipeline.Applied) {
	if !applied.Started || w.kept != "" {
		return
	}
	if state, err := w.stateNow(ctx); err == nil && state.Lineage != "" {
		applied.State = &state
	}
}

// openState makes a workspace that has a backend and nothing else: no provider
// and no module is needed to read or write a state. The workspace comes also beside the
// refusal of a state that is not one: its lock can be released.
func (e *Engine) openState(ctx context.Context, job pipeline.Job, readOnly bool) (*workspace, error) {
	if job.Backend.Zero() || !filepath.IsAbs(job.Dir) {
		return nil, fmt.Errorf("state of %s: the job has no backend, or its directory is not absolute", target(job))
	}
	if err := job.CheckStack(); err != nil {
		return nil, err
	}
	tool, err := e.Locate(ctx, job.Tool())
	if err != nil {
		return nil, err
	}
	w := e.workspaceOf(job, tool)
	w.root, w.readOnly = w.tree, readOnly // no module is needed
	if err := w.checkBackend(); err != nil {
		return nil, err
	}
	if err := errors.Join(os.RemoveAll(w.dir), os.MkdirAll(w.tree, 0o700), os.MkdirAll(w.data, 0o700)); err != nil {
		return nil, w.failed("make the run directory", err)
	}
	if err := w.setEnvironment(); err != nil {
		return nil, err
	}
	if err := w.writeBackend(); err != nil {
		return nil, w.failed("write the backend", err)
	}
	if output, err := w.init(ctx); err != nil {
		return w, w.failure(ctx, "init", err, w.diagnose(output.Diagnostics, &redact.Filter{}))
	}
	return w, nil
}

// State returns the version of the state of job's target, and its size in bytes.
// Only customer, environment, backend and directory of the job are looked at.
func (e *Engine) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	w, err := e.openState(ctx, job, true)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	file, err := w.pull(ctx)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	defer os.Remove(file)
	info, err := os.Stat(file)
	if err != nil {
		return pipeline.StateRecord{}, 0, w.failed("read the state", err)
	}
	state, err := w.record(file)
	return state, info.Size(), err
}

// PullState implements pipeline.StateMover: it writes the state to a private file.
func (e *Engine) PullState(ctx context.Context, job pipeline.Job, file string) (pipeline.StateRecord, error) {
	if path := job.Backend.Path(); path != "" { // the tool makes a directory where there is none
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return pipeline.StateRecord{}, os.WriteFile(file, nil, 0o600)
		}
	}
	w, err := e.openState(ctx, job, true)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	pulled, err := w.pull(ctx)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	if err := errors.Join(os.Rename(pulled, file), os.RemoveAll(w.dir)); err != nil {
		return pipeline.StateRecord{}, w.failed("keep the state", err)
	}
	return statefile.Record(file)
}

// lockID is the form of the ids that the tool makes.
var lockID = text.Pattern(`^[0-9A-Za-z][0-9A-Za-z._:/-]*$`)

// mayReplace refuses a state that someone else has written since the plan.
// Serials alone do not show it: the tool leaves the old one in a state that it could
// not write at all, so an equal one is fine only where nothing was written.
func mayReplace(target string, now, lost, planned pipeline.StateVersion) error {
	switch {
	case now.Lineage == "":
		return nil
	case now.Lineage != lost.Lineage:
		return refusedState(fmt.Sprintf("the backend of %s holds another state: %s, and the kept one is %s", target, statefile.Describe(now), statefile.Describe(lost)),
			"find out who replaced the state; the kept one was not pushed over it")
	case now.Serial > lost.Serial || now.Serial == lost.Serial && now != planned:
		return refusedState(fmt.Sprintf("the state of %s has moved on: it is %s, and the kept one is %s", target, statefile.Describe(now), statefile.Describe(lost)),
			"another apply ran after the failure: import by hand what the state lacks; a new plan shows what that is")
	}
	return nil
}

func refusedState(message, next string) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: message, Next: next}
}
