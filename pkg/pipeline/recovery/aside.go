package recovery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// states removes a state that lies beside the objects of the store, and puts it back.
type states interface {
	RemoveState(ctx context.Context, key string) error
	// PutBack is pipeline.ErrExists where there is a state again.
	PutBack(ctx context.Context, key string, body io.Reader) error
}

// aside is what a restore replaces.
type aside struct {
	*Restorer
	in      pipeline.TargetInput
	key     string // of the store, where it is kept; empty: nothing was changed
	sum     [sha256.Size]byte
	damaged bool // it is no state
	removed bool // perhaps
}

func (a *aside) place() string {
	return pipeline.StateKey(a.in.Target())
}

// clear keeps what lies in the place of a state under another key and announces the
// restore in the ledger. It removes only what is damaged, and only what it has copied.
func (a *aside) clear(ctx context.Context, why string, damaged bool) error {
	a.damaged = damaged
	key := record.ReplacedState(a.in.Target(), a.Now())
	copied, err := a.digest(ctx, a.place(), func(body io.Reader) error { return a.Store.Create(ctx, key, body) })
	if err != nil {
		return fmt.Errorf("keep what is in place of the state of %s as %s: %w", a.in.Target(), key, err)
	}
	a.key, a.sum = key, copied
	now, err := a.digestNow(ctx)
	if err == nil && now != copied {
		err = &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("the state of %s has changed while it was copied, so it was not replaced", a.in.Target()),
			Next: "look who works on it (`metapipe state show`), and run this again"}
	}
	if err != nil {
		return err
	}
	if err := a.appendLedger(ctx, a.in, ledger.Entry{Event: ledger.Restoring, Message: why + "; what it replaces is kept as " + key}); err != nil {
		return fmt.Errorf("announce in the ledger that the state of %s is replaced: %w", a.in.Target(), err)
	}
	if !damaged {
		return nil
	}
	a.removed = true
	if err := a.States.RemoveState(ctx, a.place()); err != nil {
		return fmt.Errorf("remove the damaged state of %s: %w", a.in.Target(), err)
	}
	return nil
}

// settle adds to the error of a failed restore what lies in the place of the state now,
// and puts back what was removed.
func (a *aside) settle(ctx context.Context, failure error) error {
	if a.key == "" {
		return fmt.Errorf("%w\nnothing was restored: what is in the place of the state of %s is as it was", failure, a.in.Target())
	}
	ctx, cancel := record.CleanupContext(ctx)
	defer cancel()
	now, err := a.digestNow(ctx)
	if a.removed && errors.Is(err, pipeline.ErrNotFound) {
		back, putErr := a.digest(ctx, a.key, func(body io.Reader) error { return a.States.PutBack(ctx, a.place(), body) })
		if now, err = back, putErr; err != nil {
			now, err = a.digestNow(ctx) // the answer may be lost alone
			if !errors.Is(putErr, pipeline.ErrExists) {
				err = errors.Join(putErr, err)
			}
		}
	}
	switch {
	case now == a.sum:
		failure = fmt.Errorf("%w\nnothing was restored: what was in the place of the state of %s is there, byte for byte", failure, a.in.Target())
	case err != nil:
		failure = fmt.Errorf("%w\nwhat is in the place of the state of %s now is unknown: look with `metapipe state show` (%w)", failure, a.in.Target(), err)
	default:
		failure = fmt.Errorf("%w\nthe place of the state of %s holds something else than before: look with `metapipe state show`", failure, a.in.Target())
	}
	return a.wayBack(failure)
}

// wayBack adds to an error where the replaced object is kept, and what brings it back.
func (a *aside) wayBack(err error) error {
	switch {
	case a.key == "":
		return err
	case a.damaged || a.WayBack == nil:
		return fmt.Errorf("%w\nwhat was in the place of the state is also kept as %s", err, a.key)
	}
	return fmt.Errorf("%w\na copy of what was in the place of the state is kept as %s; this brings it back: %s", err, a.key, a.WayBack(a.in, a.key))
}

func (a *aside) digestNow(ctx context.Context) ([sha256.Size]byte, error) {
	return a.digest(ctx, a.place(), func(body io.Reader) error { _, err := io.Copy(io.Discard, body); return err })
}

// digest reads an object to its end by use and returns its SHA-256.
func (a *aside) digest(ctx context.Context, key string, use func(io.Reader) error) (sum [sha256.Size]byte, err error) {
	body, err := a.Store.Open(ctx, key)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	err = errors.Join(use(io.TeeReader(body, h)), body.Close())
	return [sha256.Size]byte(h.Sum(nil)), err
}
