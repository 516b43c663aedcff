package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Fail derives the record of a failed plan or apply from its error.
func (e *Result) Fail(ctx context.Context, mode pipeline.Mode, err error) {
	var refused *pipeline.RefusedError
	var rejected *pipeline.RejectedError
	var failed *pipeline.FailedError
	e.Outcome, e.Message, e.Internal = pipeline.OutcomeFailed, err.Error(), false
	switch {
	case errors.As(err, &refused):
		e.Outcome, e.Reason, e.Message, e.Next = pipeline.OutcomeRefused, refused.Reason, refused.Message, refused.Next
		e.Detail, e.Operator = refused.Detail, refused.Operator
		switch refused.Reason {
		case pipeline.ReasonSuperseded:
			e.Outcome = pipeline.OutcomeSuperseded
		case pipeline.ReasonExpired:
			e.Outcome = pipeline.OutcomeExpired
		}
	case errors.As(err, &rejected):
		e.Outcome, e.Reason, e.Message, e.Next = pipeline.OutcomeRejected, rejected.Reason, rejected.Message, rejected.Next
	case ctx.Err() != nil:
		e.Outcome, e.Message = pipeline.OutcomeCancelled, "the job was cancelled"
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			e.Message = "the job ran out of time"
		}
		e.Next = mode.Afresh()
	case errors.As(err, &failed):
		e.Message, e.Next, e.Operator = failed.Message, failed.Next, failed.Operator
		if len(e.Diagnostics) == 0 {
			e.Diagnostics = failed.Diagnostics
		}
	default:
		e.Internal = true
	}
}

// TamperedOr turns an authentication failure into its refusal.
func TamperedOr(err error, what string) error {
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonUnknownKey, Message: otherKeyMessage + ", so this step has changed nothing", Next: otherKeyNext,
			Detail: fmt.Sprintf("%s cannot be opened: %v", what, err), Operator: RekeyNext}
	}
	if errors.Is(err, pipeline.ErrTampered) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonTampered, Message: what + " is not what was stored: it was changed",
			Next: pipeline.TamperedNext, Operator: pipeline.TamperedFinder}
	}
	return fmt.Errorf("read %s: %w", what, err)
}
