package pipeline

import (
	"errors"
	"fmt"
)

// NotVisibleError is GitHub's 404: the thing does not exist, or the token may not
// see it. GitHub does not say which, so nothing is released, closed, forgotten or
// reported as done because of it. Stores return ErrNotFound, which is another type
// on purpose: a store says for certain that a key has no object.
type NotVisibleError struct{ Err error }

func (e *NotVisibleError) Error() string { return e.Err.Error() }

func (e *NotVisibleError) Unwrap() error { return e.Err }

// NotVisible reports whether GitHub has answered that it has no such thing, or
// that the token may not see it.
func NotVisible(err error) bool {
	var e *NotVisibleError
	return errors.As(err, &e)
}

// GoneError says that GitHub has no such thing, and that the same token can see
// the place where it would be.
type GoneError struct{ Err error }

func (e *GoneError) Error() string { return e.Err.Error() }

func (e *GoneError) Unwrap() error { return e.Err }

// Gone reports whether a thing is known to be absent from GitHub.
func Gone(err error) bool {
	var e *GoneError
	return errors.As(err, &e)
}

// NoRequestError says that the store has no record of a request: fetch-vars did not
// get that far. Nothing else that is missing, in the store or on GitHub, is one.
type NoRequestError struct {
	Request  RequestID
	Customer CustomerName
}

func (e *NoRequestError) Error() string {
	return fmt.Sprintf("request %s of customer %s is not in the store", e.Request, e.Customer)
}

// RefusalCause is one word for why GitHub will never accept a write.
type RefusalCause string

// The causes.
const (
	CauseLocked      RefusalCause = "conversation-locked"
	CauseArchived    RefusalCause = "repository-archived"
	CauseStatusLimit RefusalCause = "status-limit"
	CauseFull        RefusalCause = "comment-limit"
	CauseBlocked     RefusalCause = "repository-blocked"
	CauseGone        RefusalCause = "gone"
	CauseRepository  RefusalCause = "repository-replaced"
	CauseOwner       RefusalCause = "repository-transferred"
	CauseUnseen      RefusalCause = "repository-not-visible"
	CauseTooLarge    RefusalCause = "too-large"
)

var refusalWords = map[RefusalCause]string{
	CauseLocked:      "the conversation is locked",
	CauseArchived:    "the repository is archived and read-only",
	CauseStatusLimit: "the commit has the 1,000 statuses that GitHub accepts for one context",
	CauseFull:        "the conversation has as many comments as GitHub accepts",
	CauseBlocked:     "GitHub has blocked access to the repository",
	CauseGone:        "GitHub does not have it any more",
	CauseRepository:  "the name belongs to another repository now",
	CauseOwner:       "the repository belongs to another account now",
	CauseTooLarge:    "it is larger than GitHub accepts",
	CauseUnseen:      "the repository does not exist any more, or the token may not see it",
}

// String is the cause for people.
func (c RefusalCause) String() string { return refusalWords[c] }

// PermanentError is a write that GitHub refuses, and will refuse each time: to
// repeat it is of no use, and nothing else depends on it.
type PermanentError struct {
	Cause RefusalCause
	Err   error
}

func (e *PermanentError) Error() string { return e.Err.Error() }

func (e *PermanentError) Unwrap() error { return e.Err }

// Unreported is a part of a report that cannot reach the customer.
type Unreported struct {
	Part  string       `json:"part"` // such as "comment on pull request #5 of acme/shop"
	Cause RefusalCause `json:"cause"`
}

func (u Unreported) String() string { return u.Part + ": " + u.Cause.String() }

// partError is the error of one part of a report.
type partError struct {
	part string
	err  error
}

func (e *partError) Error() string { return e.part + ": " + e.err.Error() }

func (e *partError) Unwrap() error { return e.err }

// PartFailed names the part that an error is about; nil stays nil.
func PartFailed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &partError{part: fmt.Sprintf(format, args...), err: err}
}

// WithoutRefusals takes the parts that GitHub refuses for ever out of joined errors.
func WithoutRefusals(err error) (refused []Unreported, rest error) {
	if err == nil {
		return nil, nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // this very error, and not one that it wraps
		var left []error
		for _, one := range joined.Unwrap() {
			more, other := WithoutRefusals(one)
			refused, left = append(refused, more...), append(left, other)
		}
		return refused, errors.Join(left...)
	}
	var part *partError
	if cause, ok := RefusalOf(err); ok && errors.As(err, &part) {
		return []Unreported{{Part: part.part, Cause: cause}}, nil
	}
	return nil, err
}

// RefusalOf is why all that failed will fail each time; false where a part of it may
// pass another time.
func RefusalOf(err error) (RefusalCause, bool) {
	switch e := err.(type) { //nolint:errorlint // each level by itself: an error that wraps several is only as lasting as all of them
	case nil:
		return "", false
	case *PermanentError:
		return e.Cause, true
	case *GoneError:
		return CauseGone, true
	case interface{ Unwrap() error }:
		return RefusalOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		var cause RefusalCause
		for _, one := range e.Unwrap() {
			c, ok := RefusalOf(one)
			if !ok {
				return "", false
			}
			cause = c
		}
		return cause, cause != ""
	}
	return "", false
}
