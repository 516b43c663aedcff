package pipeline

import (
	"context"
)

// StatePusher writes a state that an apply could not write. pkg/terraform
// implements it.
type StatePusher interface {
	// PushState writes a kept state to the backend of job's target and returns the
	// version that it has there. It is a *RefusedError when the backend holds a
	// state of another lineage, or one that somebody wrote since the plan.
	PushState(ctx context.Context, job Job, kept KeptState) (StateVersion, error)
}

// KeptState is a state that an apply could not write to its backend.
type KeptState struct {
	File    string       // in clear: it holds secrets
	Planned StateVersion // what the plan of that apply was made on
	// Unlock is the id of a lock to release first: that of the failed apply, which
	// could not reach its backend to do so. Mostly empty.
	Unlock string
}
