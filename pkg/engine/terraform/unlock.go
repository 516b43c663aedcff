package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ReleaseLock releases exactly the lock with that id. The tool does it for every
// backend but the local one, whose locks it holds as file locks that end with the
// process: what a dead one leaves there is a note, which is removed here.
func (e *Engine) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	if path := job.Backend.Path(); path != "" {
		return releaseLocal(path, id)
	}
	w, err := e.openState(ctx, job, false)
	if err != nil && pipeline.AsLost(err) == nil { // a damaged state is restored after its lock is released
		return err
	}
	return w.unlock(ctx, id)
}

// sameLock compares the id with that of the lock. For a state behind HTTP the tool
// itself does not: its force-unlock sends no id, so that a server releases whatever
// lock there is. What the lock is shows when one asks for it.
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/backend/remote-state/http/client.go
func (w *workspace) sameLock(ctx context.Context, id string) error {
	err := w.exec(ctx, filepath.Join(w.dir, "probe.out"), "plan", "-input=false", "-no-color", "-refresh=false", "-lock-timeout=0s")
	var exit *process.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	for _, d := range output.PlainTextDiagnostics(w.stderr("plan")) {
		lock := output.LockOf(d.Summary, d.Detail)
		switch {
		case lock == nil:
		case lock.ID == id:
			return nil
		default:
			return &pipeline.RefusedError{
				Reason:  pipeline.ReasonLocked,
				Message: fmt.Sprintf("the lock of %s is another one: %s", target(w.job), lock.ID),
				Next:    "look at who holds it now before you release that one",
			}
		}
	}
	return &pipeline.RefusedError{
		Reason:  pipeline.ReasonLocked,
		Message: fmt.Sprintf("the state of %s is not locked, or its backend does not say which lock it is", target(w.job)),
		Next:    "look there; a lock that is in the way is named by the next plan",
	}
}

func releaseLocal(state, id string) error {
	note := filepath.Join(filepath.Dir(state), "."+filepath.Base(state)+".lock.info")
	file, err := os.Open(filepath.Clean(note))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lock, err := pipeline.ParseLock(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if lock.ID != id {
		return fmt.Errorf("the lock has become another one: %s", lock)
	}
	held, err := statefile.IsLocked(state)
	if err != nil {
		return fmt.Errorf("look for the lock of %s: %w", state, err)
	}
	if held {
		return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: "a process of this machine holds the lock: " + lock.String(), Next: "wait for it to end"}
	}
	return os.Remove(note)
}

// unlock releases exactly the lock with that id; the tool refuses another one.
// Without an id it does nothing.
func (w *workspace) unlock(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if len(id) > 200 || !lockID().MatchString(id) {
		return pipeline.Usagef("%q is not the id of a lock", id).Nextf("use the id that the message about the lock names")
	}
	if w.backend.Type == "http" {
		if err := w.sameLock(ctx, id); err != nil {
			return err
		}
	}
	if err := w.exec(ctx, filepath.Join(w.dir, "unlock.out"), "force-unlock", "-force", id); err != nil {
		var exit *process.ExitError
		if !errors.As(err, &exit) {
			return err
		}
		return w.failure(ctx, "release the lock", err, w.diagnose(output.PlainTextDiagnostics(w.stderr("force-unlock")), &redact.Filter{}))
	}
	return nil
}
