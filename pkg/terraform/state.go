package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/terraform/output"
	"github.com/metapipe/metapipe/pkg/terraform/redact"
	"github.com/metapipe/metapipe/pkg/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/terraform/tool"
	"github.com/metapipe/metapipe/pkg/text"
)

// currentState is the version of the state as it lies in its backend now. A
// local one is read directly; any other is fetched by the tool, which must be
// initialized for it. The content never leaves the workspace.
func (w *workspace) currentState(ctx context.Context) (pipeline.StateVersion, error) {
	state, err := w.stateNow(ctx)
	return state.StateVersion, err
}

// stateNow is currentState with the number of resources.
func (w *workspace) stateNow(ctx context.Context) (pipeline.StateRecord, error) {
	if path := w.localState(); path != "" {
		return w.record(path)
	}
	file, err := w.pull(ctx)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	state, err := w.record(file)
	return state, errors.Join(err, os.Remove(file))
}

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

// pull writes the state to a file of the workspace. A backend without a state
// gives an empty file.
func (w *workspace) pull(ctx context.Context) (string, error) {
	file := filepath.Join(w.dir, "pulled.tfstate")
	if err := w.exec(ctx, file, "state", "pull"); err != nil {
		return "", errors.Join(w.stateFailure(ctx, "read the state", err), os.Remove(file))
	}
	return file, nil
}

// stateFailure explains a state command that failed in the words of the tool,
// which quote no state.
func (w *workspace) stateFailure(ctx context.Context, what string, err error) error {
	var exit *tool.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if damaged := w.damaged(ctx, redact.Clean(w.stderr("state"))); damaged != nil {
		return damaged
	}
	diagnostics := w.diagnose(output.PlainTextDiagnostics(w.stderr("state")), &redact.Filter{})
	return w.toolFailure(what, err, diagnostics)
}

// openState makes a workspace that has a backend and nothing else: no provider
// and no module is needed to read or write a state. The workspace comes also beside the
// refusal of a state that is not one: its lock can be released.
func (e *Engine) openState(ctx context.Context, job pipeline.Job) (*workspace, error) {
	if job.Backend.Zero() || !filepath.IsAbs(job.Dir) {
		return nil, fmt.Errorf("state of %s: the job has no backend, or its directory is not absolute", target(job))
	}
	tool, err := e.Locate(ctx, job.Customer.Manager.Tool)
	if err != nil {
		return nil, err
	}
	w := &workspace{job: job, engine: e, tool: tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log)}
	w.tree, w.root, w.data = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "data")
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
	w, err := e.openState(ctx, job)
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
	w, err := e.openState(ctx, job)
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
	w, err := e.openState(ctx, job)
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

// lockID is the form of the ids that the tool makes.
var lockID = text.Pattern(`^[0-9A-Za-z][0-9A-Za-z._:/-]*$`)

// unlock releases exactly the lock with that id; the tool refuses another one.
// Without an id it does nothing.
func (w *workspace) unlock(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if len(id) > 200 || !lockID().MatchString(id) {
		return &pipeline.UsageError{Message: fmt.Sprintf("%q is not the id of a lock", id), Next: "use the id that the message about the lock names"}
	}
	if w.backend.Type == "http" {
		if err := w.sameLock(ctx, id); err != nil {
			return err
		}
	}
	if err := w.exec(ctx, filepath.Join(w.dir, "unlock.out"), "force-unlock", "-force", id); err != nil {
		var exit *tool.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		return w.failure(ctx, "release the lock", err, w.diagnose(output.PlainTextDiagnostics(w.stderr("force-unlock")), &redact.Filter{}))
	}
	return nil
}

// mayReplace refuses a state that somebody else has written since the plan.
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
			"somebody applied after the failure: import by hand what the state lacks; a new plan shows what that is")
	}
	return nil
}

// countOn copies a state under another serial: the tool takes no other state with
// a serial that is there already.
func (w *workspace) countOn(file string, serial uint64) (string, error) {
	counted := filepath.Join(w.dir, "counted.tfstate")
	return counted, statefile.CopyWithSerial(file, counted, serial)
}

func refusedState(message, next string) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: message, Next: next}
}
