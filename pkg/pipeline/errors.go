package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound is what a Store returns (wrapped) when a key has no object. What
// GitHub does not show is a *NotVisibleError.
var ErrNotFound = errors.New("not found")

// ErrExists is what a write-once store returns (wrapped) when the key is taken.
var ErrExists = errors.New("exists already")

// ErrTampered is what a Sealer returns (wrapped) when sealed data, or what it is
// bound to, is not what was sealed.
var ErrTampered = errors.New("not authentic")

// ErrUnknownKey is what a Sealer returns (wrapped) for what was sealed under a key
// that is not at hand. Nothing is known about such an object, also not that it was
// changed.
var ErrUnknownKey = errors.New("sealed with a key that is not available")

// UsageError is a mistake in flags, environment or configuration.
type UsageError struct {
	Message string
	Next    string // what to do
	Err     error  // may be nil
}

// Usagef is the *UsageError with the formatted message.
func Usagef(format string, args ...any) *UsageError {
	return &UsageError{Message: fmt.Sprintf(format, args...)}
}

// Nextf adds what to do.
func (e *UsageError) Nextf(format string, args ...any) *UsageError {
	e.Next = fmt.Sprintf(format, args...)
	return e
}

// Because adds the error behind it, which may be nil.
func (e *UsageError) Because(err error) *UsageError {
	e.Err = err
	return e
}

func (e *UsageError) Error() string { return withNext(e.Message, e.Next, e.Err) }

func (e *UsageError) Unwrap() error { return e.Err }

// RejectedError says that a request is not accepted. Problems name the places
// in the customer's file; Message is the reason where there is no file to name.
type RejectedError struct {
	Reason   Reason
	Message  string
	Next     string
	Problems Problems
}

func (e *RejectedError) Error() string {
	s := withNext(e.Message, e.Next, nil)
	if len(e.Problems) > 0 {
		s += "\n" + e.Problems.Error()
	}
	return strings.TrimPrefix(s, "\n")
}

// RefusedError says that a plan may not be applied.
type RefusedError struct {
	Reason  Reason
	Message string
	Next    string
	// Detail and Operator are for the manager's side only: what exactly is wrong, and
	// what the operator does about it. Message and Next then speak to the customer.
	Detail   string
	Operator string
	// Lost is the state that the refusal is about, where that is lost.
	Lost *LostState
	// Newer is the request that took the place of this one, where it was superseded.
	Newer RequestID
}

func (e *RefusedError) Error() string {
	message, next := e.Message, e.Next
	if e.Detail != "" {
		message += ": " + e.Detail
	}
	if e.Operator != "" {
		next = e.Operator
	}
	return withNext(message, next, nil)
}

// WaitingError says that the end was not seen in time; the request goes on.
type WaitingError struct {
	Stage   string // what was waited for
	Message string
	Next    string
}

func (e *WaitingError) Error() string { return withNext(e.Message, e.Next, nil) }

// FailedError says that the tool ran and failed; its diagnostics are recorded.
type FailedError struct {
	Message string
	Next    string
	// Operator is what the operator does about it, in the manager's log only. Next then
	// speaks to the customer.
	Operator    string
	Diagnostics []Diagnostic
	// Lock is the one that was in the way, nil when none was.
	Lock *Lock
	// Permanent: the same plan fails in the same way when it is applied again.
	Permanent bool
	Err       error
}

func (e *FailedError) Error() string {
	return withNext(e.Message, cmp.Or(e.Operator, e.Next), e.Err)
}

func (e *FailedError) Unwrap() error { return e.Err }

func withNext(message, next string, err error) string {
	if err != nil {
		message = fmt.Sprintf("%s: %v", message, err)
	}
	if next != "" {
		message += "\n→ " + next
	}
	return message
}

// Reason is a machine-readable word for a refusal or rejection; it is an output
// of the commands.
type Reason string

// The reasons for which a request is rejected.
const (
	ReasonUnknownCustomer  Reason = "unknown-customer"
	ReasonUnverified       Reason = "unverified-origin"
	ReasonReplayed         Reason = "replayed"
	ReasonInvalidPayload   Reason = "invalid-payload"
	ReasonInvalidVariables Reason = "invalid-variables"
	ReasonMissingVariables Reason = "missing-variables"
	ReasonUnreachable      Reason = "unreachable-commit"
	ReasonNotAllowed       Reason = "environment-not-allowed"
	ReasonRenamed          Reason = "customer-renamed"
	ReasonOffboarded       Reason = "customer-offboarded"
	// ReasonProperties: a custom property of the repository cannot be read, or asks for what
	// the manager does not offer.
	ReasonProperties Reason = "properties"
	// ReasonContent: the files of the repository do not fit its content type. The
	// customer's own job says so.
	ReasonContent Reason = "content-type"
	// ReasonEnvironmentRenamed: an environment is new, and a former one is not declared any more.
	ReasonEnvironmentRenamed Reason = "environment-renamed"
)

// The reasons for which a plan is refused.
const (
	ReasonStaleVariables    Reason = "stale-variables"
	ReasonStaleManager      Reason = "stale-manager"
	ReasonStaleState        Reason = "stale-state"
	ReasonStaleProperties   Reason = "stale-properties"
	ReasonOtherEnvironment  Reason = "other-environment"
	ReasonOtherTool         Reason = "other-tool"
	ReasonExpired           Reason = "expired"
	ReasonTampered          Reason = "tampered"
	ReasonUnknownKey        Reason = "unknown-key"
	ReasonSuperseded        Reason = "superseded"
	ReasonAlreadyApplied    Reason = "already-applied"
	ReasonUnreviewed        Reason = "unreviewed"
	ReasonInexact           Reason = "inexact" // less exact than metapipe.yml demands
	ReasonNotPlanned        Reason = "not-planned"
	ReasonModeForbids       Reason = "mode-forbids-apply"
	ReasonBranch            Reason = "branch-may-not-apply"
	ReasonEnvironmentOrder  Reason = "environment-order"
	ReasonMissingProtection Reason = "missing-protection"
	ReasonSelfApproved      Reason = "requester-approved"
	ReasonReceiptMismatch   Reason = "receipt-mismatch"
	ReasonLocked            Reason = "locked"
	ReasonStateLost         Reason = "state-lost"
	// ReasonOtherRepository: the target has the history of another repository.
	ReasonOtherRepository Reason = "other-repository"
	// ReasonNoDestroy: a destroy is refused before it is planned.
	ReasonNoDestroy Reason = "destroy-refused"
	// ReasonMissingCapability: the engine of the tool lacks what the plan needs of it.
	ReasonMissingCapability Reason = "missing-capability"
)

// Public is the error as it may be shown, kept and recorded, see PublicMessage.
func (e *RejectedError) Public() *RejectedError {
	return &RejectedError{Reason: e.Reason, Message: PublicMessage(e.Message), Next: PublicMessage(e.Next), Problems: e.Problems.Public()}
}
