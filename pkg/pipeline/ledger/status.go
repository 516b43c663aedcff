package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// ApplyAttempt is the last attempt to apply a plan.
type ApplyAttempt struct {
	// Number is that of the entry in the ledger which the attempt began with, or which says why it
	// could not begin; 0 for a plan that no one has tried to apply.
	Number int
	Run    pipeline.Run // of one that goes on
	At     time.Time    // when that began
	// Result is nil while it goes on.
	Result *record.Result
	// Unrecorded: no record of the result stands beside the plan, and the ledger alone says it.
	Unrecorded bool
	tip        Tip // of the ledger, where it was read
}

// Free reports whether the plan can be applied after this.
func (a ApplyAttempt) Free() bool { return a.Number == 0 || a.Result != nil && a.Result.Retryable }

// Revoked reports whether the plan was taken out of use from outside.
func (a ApplyAttempt) Revoked() bool { return a.Result != nil && a.Result.Revoked }

// Another is the receipt of the plan of a request that can be applied, where that is another one than
// the plan that was asked about; empty where not.
func (a ApplyAttempt) Another(id pipeline.RequestID, receipt pipeline.Receipt) string {
	if p, open := a.tip.Fold.Plan(id); open && p.Receipt != receipt.Digest() {
		return p.Receipt
	}
	return ""
}

// IsNewest reports whether the ledger was read, and knows no newer request that is to be applied.
func (a ApplyAttempt) IsNewest(id pipeline.RequestID) bool {
	return a.tip.Fold.IsNewest(id)
}

// LastAttempt reads the last attempt to apply a plan. An end that stands beside the plan and spoils
// it is the last one. Else the ledger says whether the plan can be applied, and whose apply of it
// goes on.
func (l Ledger) LastAttempt(ctx context.Context, request pipeline.Request, folder record.PlanAttempt, receipt pipeline.Receipt) (ApplyAttempt, error) {
	a := ApplyAttempt{Number: folder.LastResult()}
	if a.Number > 0 {
		ended, err := record.ReadApplyResult(ctx, l.Records, folder, a.Number)
		if err != nil || !ended.Retryable {
			a.Result = &ended
			return a, err
		}
		a.Result = &ended
	}
	err := l.lastAttempt(ctx, &a, request, folder, receipt)
	if errors.Is(err, ErrBroken) || errors.Is(err, pipeline.ErrNotFound) { // no entry is ever deleted
		err = fmt.Errorf("%w: %s", pipeline.ErrTampered, err.Error()) // which is no missing object for the callers
	}
	if err != nil {
		err = fmt.Errorf("read the ledger of %s: %w", Name(folder.Target), err)
	}
	return a, err
}

// lastAttempt brings a, of which the last record beside the plan is known, in line with the ledger.
func (l Ledger) lastAttempt(ctx context.Context, a *ApplyAttempt, request pipeline.Request, folder record.PlanAttempt, receipt pipeline.Receipt) error {
	var err error
	a.tip, err = l.Tip(ctx, receipt.Target())
	p, open := a.tip.Fold.Plan(request.ID)
	switch {
	case err != nil:
		if open { // what cannot be verified can make it look worse
			a.Number = max(a.Number, p.Attempt)
		}
		return err
	case !open:
		return l.closedPlan(ctx, a, request, folder, receipt)
	case p.Attempt == a.Number:
		return nil
	}
	e, err := l.verified(ctx, receipt.Target(), p.Attempt)
	if err != nil {
		return err
	}
	a.Number, a.Run, a.At, a.Result = p.Attempt, e.Run, e.At, nil
	if p.Applying {
		return nil
	}
	err = l.backFrom(ctx, a.tip.Last, e.At, func(end Entry) bool { // where it had begun
		if end.Attempt == p.Attempt && end.Plan == PlanFree {
			e = end
		}
		return e.Sequence == p.Attempt && end.Sequence > p.Attempt
	})
	if err != nil {
		return err
	}
	return l.ended(ctx, a, request, folder, e, true)
}

// WaitsForFirst returns the digest of the receipt of a request's plan where the ledger alone says
// that no one has tried to apply it yet, and that no newer request is to be applied. waits is false
// of anything else: ReadTargetStatus says how the target stands then, and what is the matter.
func (l Ledger) WaitsForFirst(ctx context.Context, id pipeline.RequestID, t pipeline.Target) (receipt string, waits bool) {
	tip, err := l.Tip(ctx, t)
	p, open := tip.Fold.Plan(id)
	return p.Receipt, err == nil && open && p.Attempt == 0 && tip.Fold.IsNewest(id)
}

// ended sets how an attempt ended: as its record says that came after the folder was listed, or as
// the ledger alone says.
func (l Ledger) ended(ctx context.Context, a *ApplyAttempt, request pipeline.Request, folder record.PlanAttempt, e Entry, free bool) error {
	result, err := record.ReadApplyResult(ctx, l.Records, folder, a.Number)
	if err == nil && result.Retryable == free {
		a.Result = &result
		return nil
	}
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return err
	}
	a.Result, a.Unrecorded = e.result(request), true
	a.Result.Retryable, a.Result.Outcome = free, cmp.Or(a.Result.Outcome, pipeline.OutcomeFailed)
	if e.carriedOut() {
		a.Result.Message = "it was applied, and the record of its result is lost: what it changed and its outputs are not known"
		a.Result.Next = pipeline.AskProvider
		a.Result.Operator = fmt.Sprintf("the ledger has the apply as entry %d: bring %s back, from the versions of the bucket or a backup, and find out who removed it; `metapipe state show %s` shows what is there",
			e.Sequence, folder.Key(record.ApplyResultObject(a.Number)), e.Flags())
	}
	return nil
}

// closedPlan finds out what became of a plan that cannot be applied, and has no record of it.
func (l Ledger) closedPlan(ctx context.Context, a *ApplyAttempt, request pipeline.Request, folder record.PlanAttempt, receipt pipeline.Receipt) error {
	last := Entry{Event: Refused, Outcome: pipeline.OutcomeRefused, Reason: pipeline.ReasonNotPlanned, At: receipt.PlannedAt, Sequence: 1,
		Message: fmt.Sprintf("the ledger of %s does not know the plan of request %s, so it cannot be applied", receipt.Target(), request.ID.Short())}
	known := false
	err := l.backFrom(ctx, a.tip.Last, receipt.PlannedAt, func(e Entry) bool {
		about := e.Request == request.ID && (e.carriedOut() || e.Plan != "" || e.Event == Planned || e.Event == Applying)
		if about && e.Event != Planned {
			last, known = e, true
		}
		return !about
	})
	if err == nil && known { // the operator may have accepted what stands behind an entry of no key
		last, err = l.verified(ctx, receipt.Target(), last.Sequence)
	}
	if err != nil {
		return err
	}
	a.Number = cmp.Or(last.Attempt, last.Sequence)
	if last.Event == Applying {
		a.Run, a.At, a.Result = last.Run, last.At, nil
		return nil
	}
	return l.ended(ctx, a, request, folder, last, false)
}

// result is what an entry says of the end of an apply.
func (e Entry) result(request pipeline.Request) *record.Result {
	r := record.Result{Outcome: e.Outcome, Reason: e.Reason, Message: e.Message, Run: e.Run, At: e.At, Retryable: e.Plan == PlanFree, Revoked: e.Plan == PlanRevoked}
	if e.Event == Superseded {
		r.Message = "a newer request took its place"
	} else if !e.carriedOut() {
		if e.Sequence > 1 { // that text is the manager's own
			r.Message, r.Detail = "how it ended is in the ledger of your service provider alone", e.Message
		}
		r.Next, r.Operator = request.Mode.Afresh(), request.Mode.Restart()
	}
	return &r
}

// verified reads an entry of a ledger by its number.
func (l Ledger) verified(ctx context.Context, t pipeline.Target, sequence int) (Entry, error) {
	read := l.entry(ctx, t, sequence)
	if read.err != nil {
		return Entry{}, read.err
	}
	return read.Entry, l.verify(ctx, read)
}

// RevokePlan takes a plan out of use, for ever: revoked is false when it is being applied, or was.
func RevokePlan(ctx context.Context, l Ledger, request pipeline.Request, st TargetStatus, why record.Result) (revoked bool, err error) {
	if !st.Attempt.Free() || st.Receipt == nil {
		return false, nil
	}
	why.Revoked = true
	e := EndEntry(request, st.Folder.Target, why, st.Receipt.Digest())
	if e.Event != Superseded {
		e.Event = Closed
	}
	e.Plan = PlanRevoked
	tip, err := l.AppendAfter(ctx, st.Attempt.tip, e)
	if errors.Is(err, ErrNotNext) {
		return false, nil
	}
	if err == nil {
		err = l.CreateRecord(ctx, st.Folder, record.ApplyResultObject(tip.Sequence), why)
	}
	if err != nil {
		return false, fmt.Errorf("take the plan out of use: %w", err)
	}
	return true, nil
}

// Refusal says why a plan may not be applied after this attempt; nil when it may.
func (a ApplyAttempt) Refusal(in pipeline.TargetInput, mode pipeline.Mode) error {
	switch {
	case a.Free():
		return nil
	case a.Result != nil && a.Unrecorded && a.Result.Outcome == pipeline.OutcomeApplied:
		return &pipeline.RefusedError{Reason: pipeline.ReasonAlreadyApplied, Message: fmt.Sprintf("the plan of request %s for %s was used before: %s", in.Request.Short(), in.Target(), a.Result.Message),
			Next: a.Result.Next, Operator: a.Result.Operator}
	case a.Result != nil && a.Result.Reason != "":
		return &pipeline.RefusedError{Reason: a.Result.Reason, Message: a.Result.Message, Next: a.Result.Next, Detail: a.Result.Detail, Operator: a.Result.Operator}
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonAlreadyApplied, Message: fmt.Sprintf("the plan of request %s for %s was used before", in.Request.Short(), in.Target()),
		Next: mode.Afresh(), Operator: mode.Restart()}
}

// TargetStatus is what the store knows of one target.
type TargetStatus struct {
	Result  record.Result
	Folder  record.PlanAttempt
	Receipt *pipeline.Receipt // of its plan; nil where none was kept
	Planned record.Result     // what holds the receipt
	Attempt ApplyAttempt      // the last one of its plan
	Doubt   error             // what of it cannot be believed: ErrTampered or ErrUnknownKey
}

// ReadTargetStatus reads the newest planning of a target and what became of it. A
// record without a valid signature is no error: the target counts as failed.
func ReadTargetStatus(ctx context.Context, s record.Records, request pipeline.Request, t pipeline.Target) (TargetStatus, error) {
	return readStatus(ctx, s, request, t, func(st *TargetStatus) (err error) {
		st.Attempt, err = Ledger{Records: s}.LastAttempt(ctx, request, st.Folder, *st.Receipt)
		return err
	})
}

// ReadEnd is ReadTargetStatus without the ledger, which a job may not read of other targets: it is
// enough to know whether a target has succeeded. Until an end is recorded, its plan waits.
func ReadEnd(ctx context.Context, s record.Records, request pipeline.Request, t pipeline.Target) (TargetStatus, error) {
	return readStatus(ctx, s, request, t, func(st *TargetStatus) error {
		n := st.Folder.LastResult()
		if n == 0 {
			return nil
		}
		ended, err := record.ReadApplyResult(ctx, s, st.Folder, n)
		st.Attempt = ApplyAttempt{Number: n, Result: &ended}
		return err
	})
}

// readStatus reads the newest planning of a target, and what attempt knows of its apply.
func readStatus(ctx context.Context, s record.Records, request pipeline.Request, t pipeline.Target, attempt func(*TargetStatus) error) (TargetStatus, error) {
	st := TargetStatus{Result: record.Result{Outcome: pipeline.OutcomeRequested}}
	folder, found, err := record.LatestPlanAttempt(ctx, s, request, t)
	if err != nil || !found {
		return st, err
	}
	st.Folder = folder
	if n := folder.LastResult(); n > 0 {
		if ended, err := record.ReadApplyResult(ctx, s, folder, n); err == nil && !ended.Retryable && ended.Receipt != nil {
			st.Result, st.Planned, st.Receipt, st.Attempt = ended, ended, ended.Receipt, ApplyAttempt{Number: n, Result: &ended}
			return st, nil
		}
	}
	switch {
	case folder.Has(record.ObjectPlanned):
		if st.Planned, err = record.ReadPlanned(ctx, s, folder); err == nil {
			st.Result, st.Receipt = st.Planned, st.Planned.Receipt
		}
	case folder.Has(record.ObjectStart):
		var b record.StartRecord
		if err = s.ReadRecord(ctx, folder, record.ObjectStart, &b); err == nil {
			st.Result.Outcome, st.Result.Run, st.Result.At = pipeline.OutcomePlanning, b.Run, b.At
		}
	}
	if err == nil && st.Result.Outcome == pipeline.OutcomeWaiting && st.Receipt != nil {
		if err = attempt(&st); err == nil {
			st.addAttempt()
		}
	}
	if err == nil || errors.Is(err, pipeline.ErrNotFound) {
		return st, nil
	}
	if ended, doubt := record.Doubted(err, st.Attempt.Number > 0 || folder.LastResult() > 0); doubt {
		st.Result, st.Receipt, st.Doubt, st.Attempt.Result = ended, nil, err, nil
		return st, nil
	}
	return st, fmt.Errorf("read how %s stands: %w", t, err)
}

// addAttempt adds the last attempt to apply the plan.
func (st *TargetStatus) addAttempt() {
	switch e := st.Attempt.Result; {
	case st.Attempt.Number == 0:
	case e == nil:
		st.Result.Outcome, st.Result.Run, st.Result.At = pipeline.OutcomeApplying, st.Attempt.Run, st.Attempt.At
	case !e.Retryable:
		reviewed := st.Result.Reviewed
		st.Result = *e
		st.Result.Reviewed = cmp.Or(e.Reviewed, reviewed)
	default: // it waits still, and it is known for what
		st.Result.Reason, st.Result.Message, st.Result.Next, st.Result.Diagnostics, st.Result.Internal = e.Reason, e.Message, e.Next, e.Diagnostics, e.Internal
		st.Result.Operator = e.Operator
	}
}

// ExplainLock adds to an error about a lock who may hold it and how it goes on, for the
// operator; the customer waits and asks for a fresh plan. own is
// the mark of the step that met the lock, and so does not hold it.
func ExplainLock(ctx context.Context, s record.Records, in pipeline.TargetInput, mode pipeline.Mode, own string, cause error) {
	var failed *pipeline.FailedError
	if !errors.As(cause, &failed) || failed.Lock == nil {
		return
	}
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	holders, err := LockHolders(last, s, in.Target(), *failed.Lock)
	if err != nil {
		return // the lock itself is in the message already
	}
	holders = slices.DeleteFunc(holders, func(h Holder) bool { return h.mark == own }).Likely()
	failed.Next = "another run or person uses this environment: wait until that has ended; then " + mode.Afresh() + "; where it does not end, ask your service provider to release the lock"
	unlock := fmt.Sprintf("metapipe unlock %s --lock-id %s", in.Target().Flags(), failed.Lock.ID)
	since := failed.Lock.Created.Format(time.RFC3339)
	switch {
	case failed.Lock.Who == "":
		failed.Operator = fmt.Sprintf("the backend does not say who holds lock %s: wait and run this job again; if you know that the process that took it is dead, run `%s --no-run`", failed.Lock.ID, unlock)
	case len(holders) == 0:
		failed.Operator = fmt.Sprintf("no open request of metapipe holds this lock: ask %s; when that process is dead, `%s --no-run`", failed.Lock.Who, unlock)
	case len(holders) > 1:
		failed.Operator = fmt.Sprintf("%s holds it since %s, and which of them cannot be seen: wait for all of them and run this job again; when their processes are "+
			"dead, `%s --no-run`", holders, since, unlock)
	default:
		failed.Operator = fmt.Sprintf("%s holds it since %s: wait for it and run this job again; when that run has ended, `%s`", holders, since, unlock)
	}
}
