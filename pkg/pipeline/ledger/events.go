package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// NewEntry is an event of one target of a request.
func NewEntry(event Event, request pipeline.Request, t pipeline.Target, run pipeline.Run) Entry {
	return Entry{Event: event, Target: t, Request: request.ID, Commit: request.Commit, Run: run}
}

// EndEntry is how a plan or an apply ended. That a newer request has come says
// nothing about a plan, so such an entry names none. The caller adds the state.
func EndEntry(request pipeline.Request, t pipeline.Target, ended record.Result, receipt string) Entry {
	e := NewEntry(eventOf(ended.Outcome), request, t, ended.Run)
	e.Outcome, e.Reason, e.Message, e.Receipt = ended.Outcome, ended.Reason, ended.Message, receipt
	if ended.Detail != "" {
		e.Message += ": " + ended.Detail
	}
	if e.Event == Applied && request.Mode == pipeline.ModeDestroy {
		e.Event = Destroyed
	}
	if e.Event == Superseded {
		e.Receipt, e.Message = "", ""
	}
	return e
}

// ApplyEndEntry is how an attempt to apply a plan ended, and whether the plan can be applied again.
// attempt is the number of the entry that it began with, 0 for one that could not begin.
func ApplyEndEntry(request pipeline.Request, t pipeline.Target, ended record.Result, receipt string, attempt int) Entry {
	e := EndEntry(request, t, ended, receipt)
	e.Attempt, e.Plan = attempt, PlanUsed
	if ended.Retryable {
		e.Plan = PlanFree
	}
	return e
}

// eventOf is the event of a plan or an apply that ended with the outcome.
func eventOf(o pipeline.Outcome) Event {
	switch o {
	case pipeline.OutcomeApplied:
		return Applied
	case pipeline.OutcomeWaiting, pipeline.OutcomeNoChanges, pipeline.OutcomePlanned, pipeline.OutcomeDeferred:
		return Planned
	case pipeline.OutcomeRefused, pipeline.OutcomeExpired:
		return Refused
	case pipeline.OutcomeRejected:
		return Rejected
	case pipeline.OutcomeSuperseded:
		return Superseded
	}
	return Failed
}

// FirstProblem is the first error of problems with its place; empty where there is none.
func FirstProblem(problems pipeline.Problems) string {
	for _, p := range problems {
		if !p.Warning {
			return p.Position.String() + ": " + p.Message
		}
	}
	return ""
}

// AppendRefused records that a plan or an apply was refused before it began: the record of
// its request cannot be believed, and then nothing is known of the request, or the customer
// may not deploy under its name. It records no mistake in the call.
func AppendRefused(ctx context.Context, chain Ledger, in pipeline.TargetInput, request pipeline.Request, cause error) error {
	request.ID, request.Customer = in.Request, in.Customer.Name
	e := NewEntry(Refused, request, in.Target(), in.Run)
	var refused *pipeline.RefusedError
	var rejected *pipeline.RejectedError
	switch {
	case errors.As(cause, &refused) && refused.Reason != pipeline.ReasonOtherEnvironment:
		e.Outcome, e.Reason, e.Message = pipeline.OutcomeRefused, refused.Reason, refused.Message
		if refused.Detail != "" {
			e.Message += ": " + refused.Detail
		}
	case errors.As(cause, &rejected) && !request.Rejected(): // what was rejected is recorded already
		e.Event, e.Outcome, e.Reason, e.Message = Rejected, pipeline.OutcomeRejected, rejected.Reason, rejected.Message
	default:
		return nil
	}
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	_, err := chain.Append(last, e)
	if IsUnverified(cause) && IsUnverified(err) { // the cause says it already
		return nil
	}
	return err
}

// FinishPlan appends how a plan ended without success, when the ledger does not
// know it: what its own job could not record, or does not know to have recorded.
func (l Ledger) FinishPlan(ctx context.Context, e Entry, made time.Time) error {
	last, found, err := l.LastOf(ctx, e.Target, e.Request, made)
	if err != nil {
		return fmt.Errorf("read the ledger of %s: %w", Name(e.Target), err)
	}
	if found && (last.Event == Requested || last.Event == Planned && last.Outcome == pipeline.OutcomeWaiting) {
		_, err = l.Append(ctx, e)
	}
	return err
}

// Destroyed reports whether the target was ended and no apply has changed anything since,
// not even one that failed.
func (r Remembered) Destroyed() bool {
	return r.Record != nil && r.Record.Destroyed() && (r.left == nil || r.left.IsDestroyed())
}

// NoneLeft reports whether a target that had a history has none that goes on: it was
// ended, or accepted as one without a state.
func (r Remembered) NoneLeft() bool {
	return r.Destroyed() || !r.Nothing() && !slices.ContainsFunc(r.Left(), func(l Left) bool { return !l.None() })
}

// carriedOut reports whether the entry is that of an apply that went well, also of a
// destroy.
func (e Entry) carriedOut() bool { return e.Event == Applied || e.Event == Destroyed }

// SaysRenamed reports whether the entry says all that other, of a rename, would say again.
func (e Entry) SaysRenamed(other Entry) bool {
	return e.Event == Renamed && other.Event == Renamed && e.Message == other.plain().Message &&
		e.Ended == other.Ended && (e.State == nil) == (other.State == nil) && (e.State == nil || *e.State == *other.State)
}
