package pipeline

import (
	"context"
)

type LockReader interface {
	// Lock is the lock of a target's state, nil when it is free. known is false for
	// a backend whose locks only the tool can see.
	Lock(ctx context.Context, c Customer, env Environment) (lock *Lock, known bool, err error)
}

func LockRefused(message, next string) error {
	return &RefusedError{Reason: ReasonLocked, Message: message, Next: next}
}
