package github

import (
	"errors"
	"fmt"
)

const maxBody = 32 << 20 // a comparison with 300 patches is the largest answer

type tooLargeError struct{}

func (*tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d MiB", maxBody>>20)
}

// noResponseError is the failure of a request that GitHub may have carried out.
type noResponseError struct{ err error }

func (e *noResponseError) Error() string { return e.err.Error() }

func (e *noResponseError) Unwrap() error { return e.err }

// unauthorizedError is a call that was not sent, since no token was to be had.
type unauthorizedError struct{ err error }

func (e *unauthorizedError) Error() string { return e.err.Error() }

func (e *unauthorizedError) Unwrap() error { return e.err }

// errMoved is a write to a repository under a name that it does not have any more.
var errMoved = errors.New("the repository has moved, and nothing was written there")
