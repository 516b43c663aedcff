package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ReleaseLock releases exactly the lock with that id. The tool does it for every
// backend but the local one, whose locks it holds as file locks that end with the
// process: what a dead one leaves there is a note, which is removed here.
func (e *Engine) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	if path := job.Backend.Path(); path != "" {
		return releaseLocal(path, id)
	}
	w, err := e.openState(ctx, job)
	if err != nil {
		return err
	}
	return w.unlock(ctx, id)
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
	held, err := isLocked(state)
	if err != nil {
		return fmt.Errorf("look for the lock of %s: %w", state, err)
	}
	if held {
		return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: "a process of this machine holds the lock: " + lock.String(), Next: "wait for it to end"}
	}
	return os.Remove(note)
}
