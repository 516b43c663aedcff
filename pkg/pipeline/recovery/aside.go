package recovery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// stateRemover removes a state that lies beside the objects of the store.
type stateRemover interface {
	RemoveState(ctx context.Context, key string) error
}

// keepAside moves what lies in the place of a state to another key of the store, which it
// returns. It removes only what it has copied.
func (r *Restorer) keepAside(ctx context.Context, in pipeline.TargetInput) (string, error) {
	key := pipeline.StateKey(in.Customer.Name, in.Environment)
	aside := record.ReplacedState(in.Customer.Name, in.Environment, r.Now())
	copied, err := r.digest(ctx, key, func(body io.Reader) error { return r.Store.Create(ctx, aside, body) })
	if err != nil {
		return "", fmt.Errorf("keep what is in place of the state of %s as %s: %w", pipeline.TargetName(in.Customer.Name, in.Environment), aside, err)
	}
	now, err := r.digest(ctx, key, func(body io.Reader) error { _, err := io.Copy(io.Discard, body); return err })
	if err == nil && now != copied {
		err = &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("the state of %s has changed while it was copied, so it was not replaced", pipeline.TargetName(in.Customer.Name, in.Environment)),
			Next: "look who works on it (`metapipe state show`), and run this again"}
	}
	if err == nil {
		err = r.States.RemoveState(ctx, key)
	}
	if err != nil {
		return "", fmt.Errorf("move what is in place of the state of %s away (a copy is kept as %s): %w", pipeline.TargetName(in.Customer.Name, in.Environment), aside, err)
	}
	return aside, nil
}

// digest reads an object to its end by use and returns its SHA-256.
func (r *Restorer) digest(ctx context.Context, key string, use func(io.Reader) error) (sum [sha256.Size]byte, err error) {
	body, err := r.Store.Open(ctx, key)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	err = errors.Join(use(io.TeeReader(body, h)), body.Close())
	return [sha256.Size]byte(h.Sum(nil)), err
}
