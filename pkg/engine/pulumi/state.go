package pulumi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// State implements pipeline.StateReader.
func (e *Engine) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	p, err := e.placeOf(job)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	raw, err := p.read(ctx)
	if err != nil {
		return pipeline.StateRecord{}, 0, fmt.Errorf("read the state of %s: %w", job.Target(), err)
	}
	if raw == nil {
		return pipeline.StateRecord{}, 0, nil
	}
	c, err := readCheckpoint(raw)
	if err != nil {
		lost := pipeline.DamagedState(job.Target(), job.Backend.String(), err.Error())
		return pipeline.StateRecord{}, 0, lost.Refusal()
	}
	if c.record().IsNone() {
		return pipeline.StateRecord{}, 0, nil
	}
	return c.record(), int64(len(raw)), nil
}

// NeedsOlderKey implements pipeline.KeyKeeper.
func (e *Engine) NeedsOlderKey(ctx context.Context, job pipeline.Job) (bool, error) {
	w := e.workspaceOf(job, binary{})
	var err error
	if w.place, err = e.placeOf(job); err != nil {
		return false, err
	}
	if err := w.readState(ctx); err != nil || w.found.IsNone() {
		return false, err
	}
	all, err := w.passphrases(ctx)
	if err != nil {
		return false, err
	}
	first := &crypter{passphrase: all[0], salt: w.crypt.salt}
	_, err = first.key()
	if errors.Is(err, errOtherPassphrase) {
		return true, nil
	}
	return false, err
}

// FindLock implements pipeline.LockFinder.
func (e *Engine) FindLock(ctx context.Context, job pipeline.Job) (*pipeline.Lock, error) {
	p, err := e.placeOf(job)
	if err != nil {
		return nil, err
	}
	locks, err := p.locks(ctx)
	if err != nil || len(locks) == 0 {
		return nil, err
	}
	return &locks[0], nil
}

// checkUnlocked refuses a state that another process works on, or has left locked.
func (w *workspace) checkUnlocked(ctx context.Context) error {
	locks, err := w.place.locks(ctx)
	if err != nil {
		return w.failed("look for locks", err)
	}
	if len(locks) == 0 {
		return nil
	}
	return pipeline.LockRefused(fmt.Sprintf("the state of %s is locked by %s", w.job.Target(), locks[0]),
		"wait for that run to end; where its process is gone, your service provider releases the lock (`metapipe unlock`)")
}

// ReleaseLock implements pipeline.LockReleaser. A lock is an object of the backend, whose name
// is its id: so exactly this one is removed.
func (e *Engine) ReleaseLock(ctx context.Context, job pipeline.Job, id string) error {
	p, err := e.placeOf(job)
	if err != nil {
		return err
	}
	locks, err := p.locks(ctx)
	if err != nil {
		return fmt.Errorf("release the lock of %s: %w", job.Target(), err)
	}
	for _, lock := range locks {
		if lock.ID != id {
			continue
		}
		if p.dir != "" && holderLives(p, lock) {
			return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: "a process of this machine holds the lock: " + lock.String(), Next: "wait for it to end"}
		}
		if err := p.objects.Delete(ctx, p.lockPrefix()+id+".json"); err != nil && !errors.Is(err, pipeline.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("release the lock of %s: %w", job.Target(), err)
		}
		return nil
	}
	if len(locks) > 0 {
		return fmt.Errorf("the lock has become another one: %s", locks[0])
	}
	return nil
}

// releaseOwn removes the lock that the process with that id has left, which has ended: a CLI that is stopped between two
// writes, or killed, leaves it. Otherwise no one could tell later whose it is.
func (w *workspace) releaseOwn(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTime)
	defer cancel()
	host, err := os.Hostname()
	if err != nil {
		return nil // it cannot be told apart from that of another machine
	}
	locks, err := w.place.locks(ctx)
	if err != nil {
		return w.failed("look for the lock that "+program+" has left", err)
	}
	for _, lock := range locks {
		if lock.Host() != host || w.place.holder(lock.ID) != pid {
			continue
		}
		if err := w.place.objects.Delete(ctx, w.place.lockPrefix()+lock.ID+".json"); err != nil && !errors.Is(err, pipeline.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			return w.failed("release the lock that "+program+" has left", err)
		}
	}
	return nil
}

// holderLives reports whether the process that has taken a lock runs on this machine.
func holderLives(p place, lock pipeline.Lock) bool {
	host, err := os.Hostname()
	if err != nil || lock.Host() != host {
		return false
	}
	holder, err := os.FindProcess(p.holder(lock.ID))
	return err == nil && holder.Pid > 0 && !errors.Is(holder.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
