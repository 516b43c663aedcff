package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// free reports whether a state is known to have no lock.
func (m states) free(ctx context.Context, c pipeline.Customer, t pipeline.Target) (bool, error) {
	lock, known, err := m.Lock(ctx, c, t)
	if err != nil {
		return false, fmt.Errorf("read the lock of %s: %w", t, err)
	}
	return known && lock == nil, nil
}

// Lock reads the lock that lies beside a state in the store. The locks of a table
// or of another backend are the tool's alone: known is false.
func (m states) Lock(ctx context.Context, c pipeline.Customer, t pipeline.Target) (lock *pipeline.Lock, known bool, err error) {
	if finder, job, own := m.ownHome(c, t); own {
		lock, err = finder.FindLock(ctx, job)
		return lock, true, err
	}
	state := m.config.Manager.State
	if !m.config.Manager.StateInStore(t) || state.Bucket.LockTable != "" {
		return nil, false, nil
	}
	key := lockNote(t)
	if state.Bucket.Name != "" {
		key = pipeline.StateKey(t) + ".tflock"
	}
	lock, err = m.readLock(ctx, key)
	return lock, true, err
}

// ownHome is the engine of a target whose state has a place of its own, with a job to ask it.
func (m states) ownHome(c pipeline.Customer, t pipeline.Target) (finder pipeline.LockFinder, job pipeline.Job, own bool) {
	engine, err := m.engineOf(c, t.Stack)
	if err != nil {
		return nil, job, false // a stack that is not declared any more
	}
	finder, own = engine.(pipeline.LockFinder)
	return finder, pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, Backend: m.backend(t), Log: io.Discard}, own
}

// readLock reads the record of a lock; nil where there is none.
func (m states) readLock(ctx context.Context, key string) (*pipeline.Lock, error) {
	r, err := m.store.Open(ctx, key)
	if errors.Is(err, pipeline.ErrNotFound) {
		return nil, nil
	}
	if errors.Is(err, store.ErrNotRegular) {
		return nil, &pipeline.DamagedLock{Place: m.placeOf(key), Why: store.ErrNotRegular.Error()}
	}
	if err != nil {
		return nil, err
	}
	lock, err := pipeline.ParseLock(r)
	if damaged := (*pipeline.DamagedLock)(nil); errors.As(err, &damaged) {
		damaged.Place = m.placeOf(key)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return &lock, nil
}

// placeOf names an object of the store so that other programs find it.
func (m states) placeOf(key string) string {
	if m.directory != "" {
		return filepath.Join(m.directory, filepath.FromSlash(key))
	}
	bucket := m.config.Manager.State.Bucket
	return "s3://" + bucket.Name + "/" + path.Join(bucket.Prefix, key)
}

// lockNote is where the tool says who has locked a local state.
func lockNote(t pipeline.Target) string {
	return fmt.Sprintf("%s/.terraform.tfstate.lock.info", t.Folder())
}
