package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NewLedgerEntry is an event of one target of a request.
func NewLedgerEntry(event LedgerEvent, request Request, env Environment, run Run) LedgerEntry {
	return LedgerEntry{Event: event, Customer: request.Customer, Environment: env, Request: request.ID, Commit: request.Commit, Run: run}
}

// LedgerEnd is how a plan or an apply ended. That a newer request has come says
// nothing about a plan, so such an entry names none. The caller adds the state.
func LedgerEnd(request Request, env Environment, ended Result, receipt string) LedgerEntry {
	e := NewLedgerEntry(ledgerEventOf(ended.Outcome), request, env, ended.Run)
	e.Outcome, e.Reason, e.Message, e.Receipt = ended.Outcome, ended.Reason, ended.Message, receipt
	if ended.Detail != "" {
		e.Message += ": " + ended.Detail
	}
	if e.Event == LedgerApplied && request.Mode == ModeDestroy {
		e.Event = LedgerDestroyed
	}
	if e.Event == LedgerSuperseded {
		e.Receipt, e.Message = "", ""
	}
	return e
}

// ledgerEventOf is the event of a plan or an apply that ended with the outcome.
func ledgerEventOf(o Outcome) LedgerEvent {
	switch o {
	case OutcomeApplied:
		return LedgerApplied
	case OutcomeWaiting, OutcomeNoChanges, OutcomePlanned:
		return LedgerPlanned
	case OutcomeRefused, OutcomeExpired:
		return LedgerRefused
	case OutcomeRejected:
		return LedgerRejected
	case OutcomeSuperseded:
		return LedgerSuperseded
	}
	return LedgerFailed
}

// appendLedger records a request before it is written down: once for each of its
// targets, or that it was not accepted.
func (f *FetchVars) appendLedger(ctx context.Context, request Request) error {
	chain := Ledger{Store: f.Store, Now: f.Now}
	if request.Rejected() {
		e := NewLedgerEntry(LedgerRejected, request, "", request.ManagerRun)
		e.Actor, e.Outcome, e.Reason, e.Message = request.Actor, OutcomeRejected, request.Reason, FirstProblem(request.Problems)
		_, err := chain.Append(ctx, e)
		return err
	}
	for _, env := range request.Targets {
		e := NewLedgerEntry(LedgerRequested, request, env, request.ManagerRun)
		e.Actor = request.Actor
		switch {
		case !request.Applies(env):
			e.Message = "to be planned only"
		case request.Mode == ModeDestroy:
			e.Message = "to be destroyed"
		}
		if _, err := chain.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func FirstProblem(problems Problems) string {
	for _, p := range problems {
		if !p.Warning {
			return p.Position.String() + ": " + p.Message
		}
	}
	return ""
}

// appendUnverified records a request in the fleet's ledger: nothing of a customer
// is touched in the name of somebody who proved nothing.
func (f *FetchVars) appendUnverified(ctx context.Context, in FetchInput, rejected *RejectedError) error {
	e := LedgerEntry{Event: LedgerRejected, Outcome: OutcomeRejected, Reason: rejected.Reason, Message: rejected.Message, Run: in.Run}
	if in.Manual != nil {
		e.Actor = in.Manual.Actor
	}
	_, err := Ledger{Store: f.Store, Now: f.Now}.Append(ctx, e)
	return err
}

// appendLedger records how a call of apply ended.
func (a *Applier) appendLedger(ctx context.Context, in TargetInput, request Request, result TargetResult, cause error) error {
	ended := Result{Outcome: result.Outcome, Run: in.Run}
	if cause != nil {
		ended.Fail(ctx, request.Mode, cause)
	}
	if ended.Outcome == OutcomeNoChanges {
		return nil // the plan says so
	}
	e := LedgerEnd(request, in.Environment, ended, result.Receipt)
	e.State = result.left
	last, cancel := CleanupContext(ctx)
	defer cancel()
	_, err := Ledger{Store: a.Store, Now: a.Now}.AppendAfter(last, result.head, e)
	return err
}

// AppendUnreadable records that a plan or an apply was refused since the record of its
// request cannot be believed: nothing else is known of the request.
func AppendUnreadable(ctx context.Context, chain Ledger, in TargetInput, cause error) error {
	var refused *RefusedError
	if !errors.As(cause, &refused) || refused.Reason != ReasonTampered && refused.Reason != ReasonUnknownKey {
		return nil
	}
	last, cancel := CleanupContext(ctx)
	defer cancel()
	e := NewLedgerEntry(LedgerRefused, Request{ID: in.Request, Customer: in.Customer.Name}, in.Environment, in.Run)
	e.Outcome, e.Reason, e.Message = OutcomeRefused, refused.Reason, refused.Message
	_, err := chain.Append(last, e)
	return err
}

// appendApplying records who approved the plan and that it is used from here
// on. It comes before anything changes: what cannot be recorded does not happen.
func (a *Applier) appendApplying(ctx context.Context, in TargetInput, request Request, receipt Receipt, approvers []Account) (head LedgerHead, err error) {
	chain := Ledger{Store: a.Store, Now: a.Now}
	for _, account := range approvers {
		e := NewLedgerEntry(LedgerApproved, request, in.Environment, in.Run)
		e.Actor, e.ActorID, e.Receipt = account.Login, account.ID, receipt.Digest()
		if head, err = chain.Append(ctx, e); err != nil {
			return head, err
		}
	}
	e := NewLedgerEntry(LedgerApplying, request, in.Environment, in.Run)
	e.Receipt = receipt.Digest()
	return chain.AppendAfter(ctx, head, e)
}

// appendLedger records what this report decided: which targets nobody will finish any
// more, and which were superseded. What the job of a plan or an apply could not
// record of its end is recorded first.
func (r *Reporter) appendLedger(ctx context.Context, in ReportInput, report collected) error {
	var errs []error
	for _, t := range report.targets {
		e := LedgerEnd(report.Request, t.Environment, Result{Outcome: t.Outcome, Reason: t.Reason, Message: t.Message, Run: in.Run}, t.Receipt)
		if t.closed && e.Event != LedgerSuperseded {
			e.Event = LedgerClosed
		}
		chain := Ledger{Store: r.Store, Now: r.Now}
		if end := t.attempt.Result; t.attempt.Number > 0 && end != nil && end.Outcome != OutcomeApplied { // an apply that went well is anchored
			errs = append(errs, chain.Finish(ctx, LedgerEnd(report.Request, t.Environment, *end, t.Receipt)))
		}
		if e.Event == LedgerClosed || e.Event == LedgerSuperseded || t.doubted {
			_, err := chain.Append(ctx, e)
			errs = append(errs, err)
		} else if t.attempt.Number == 0 && t.Outcome.Final() && !t.Outcome.Succeeded() {
			e.Run = t.run
			errs = append(errs, chain.FinishPlan(ctx, e, report.Request.CreatedAt))
		}
	}
	return errors.Join(errs...)
}

// appendUnreported records what of a finished request the customer cannot be shown.
func (r *Reporter) appendUnreported(ctx context.Context, in ReportInput, report Report) error {
	if len(report.Unreported) == 0 {
		return nil
	}
	words := make([]string, 0, len(report.Unreported))
	for _, u := range report.Unreported {
		words = append(words, u.String())
	}
	envs := report.Request.Targets
	if len(envs) == 0 {
		envs = []Environment{""}
	}
	var errs []error
	for _, env := range envs {
		e := NewLedgerEntry(LedgerUnreported, report.Request, env, in.Run)
		e.Message = strings.Join(words, "; ")
		_, err := Ledger{Store: r.Store, Now: r.Now}.Append(ctx, e)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// FinishPlan appends how a plan ended without success, when the ledger does not
// know it: what its own job could not record, or does not know to have recorded.
func (l Ledger) FinishPlan(ctx context.Context, e LedgerEntry, made time.Time) error {
	last, found, err := l.LastOf(ctx, e.Customer, e.Environment, e.Request, made)
	if err != nil {
		return fmt.Errorf("read the ledger of %s: %w", LedgerName(e.Customer, e.Environment), err)
	}
	if found && (last.Event == LedgerRequested || last.Event == LedgerPlanned && last.Outcome == OutcomeWaiting) {
		_, err = l.Append(ctx, e)
	}
	return err
}

// anchor is the head of the target's ledger, for the deployment that tells of its
// apply. An apply whose job could not record its end any more is recorded first.
func (r *Reporter) anchor(ctx context.Context, request Request, t target) (*LedgerHead, error) {
	e := LedgerEnd(request, t.Environment, Result{Outcome: t.Outcome, Run: t.run}, t.Receipt)
	head, err := Ledger{Store: r.Store, Now: r.Now}.Append(ctx, e)
	if err != nil {
		return nil, err
	}
	return &head, nil
}

// appendLedger records that a kept state is in its backend again.
func (r *Recoverer) appendLedger(ctx context.Context, in RecoverInput, receipt Receipt, state StateVersion) error {
	request := Request{ID: receipt.Request, Customer: receipt.Customer, Commit: receipt.Commit} // its record may be gone by now
	e := NewLedgerEntry(LedgerRecovered, request, in.Environment, in.Run)
	e.Receipt, e.Actor = receipt.Digest(), in.Actor
	if state.Lineage != "" {
		e.State = &StateRecord{StateVersion: state, Resources: UnknownResources}
	}
	if in.Unlock != "" {
		e.Message = "lock " + in.Unlock + " was released for it"
	}
	if _, err := (Ledger{Store: r.Store, Now: r.Now}).Append(ctx, e); err != nil {
		return fmt.Errorf("the state is back, but that could not be recorded: %w", err)
	}
	return nil
}
