package pipeline

import "context"

// CustomerRegistry finds the customers of a manager.
type CustomerRegistry interface {
	Customer(name CustomerName) (Customer, bool)
	ByRepository(id int64) []Customer
}

// RunCanceller stops runs of the manager's workflow.
type RunCanceller interface {
	// CancelRun asks GitHub to end a run; one that has ended is no error. With
	// force GitHub does not wait for its jobs, and skips those that always run.
	CancelRun(ctx context.Context, repo Slug, id int64, force bool) error
}

// LockReader reads the lock of a state.
type LockReader interface {
	// Lock is the lock of a target's state, nil when it is free. known is false for
	// a backend whose locks only the tool can see.
	Lock(ctx context.Context, c Customer, t Target) (lock *Lock, known bool, err error)
}

// LockRefused is a *RefusedError about a lock.
func LockRefused(message, next string) error {
	return &RefusedError{Reason: ReasonLocked, Message: message, Next: next}
}
