package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// free reports whether a state is known to have no lock.
func (m states) free(ctx context.Context, c pipeline.Customer, env pipeline.Environment) (bool, error) {
	lock, known, err := m.Lock(ctx, c, env)
	if err != nil {
		return false, fmt.Errorf("read the lock of %s/%s: %w", c.Name, env, err)
	}
	return known && lock == nil, nil
}

// Lock reads the lock that lies beside a state in the store. The locks of a table
// or of another backend are the tool's alone: known is false.
func (m states) Lock(ctx context.Context, c pipeline.Customer, env pipeline.Environment) (lock *pipeline.Lock, known bool, err error) {
	state := m.config.Manager.State
	if state.Backend.Type != "" || state.Bucket.LockTable != "" {
		return nil, false, nil
	}
	key := lockNote(c.Name, env)
	if state.Bucket.Name != "" {
		key = pipeline.StateKey(c.Name, env) + ".tflock"
	}
	r, err := m.store.Open(ctx, key)
	if errors.Is(err, pipeline.ErrNotFound) {
		return nil, true, nil
	}
	if err != nil {
		return nil, true, err
	}
	read, err := pipeline.ParseLock(r)
	return &read, true, errors.Join(err, r.Close())
}

// lockNote is where the tool says who has locked a local state.
func lockNote(c pipeline.CustomerName, env pipeline.Environment) string {
	return fmt.Sprintf("%s/%s/.terraform.tfstate.lock.info", c, env)
}
