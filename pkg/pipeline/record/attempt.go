package record

import (
	"context"
	"errors"
	"fmt"

	"cmp"

	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The life of a plan after its making is a list of uses, numbered from 1. A use
// is a write-once mark, and when it began also a write-once end:
//
//	apply-0001.json        someone uses the plan from here on, or took it out of
//	                       use (Void), or could not begin (Over)
//	apply-0001-ended.json  how the use ended
//
// The plan is free before the first use and after one that has changed nothing
// (Untouched). Only then is there a next number, and of those who want it one wins.
// So a plan is applied at most once, whoever dies between two of these writes, and
// a lock that was in the way costs no plan.

// AttemptStartObject is the name of the start record of apply attempt n.
func AttemptStartObject(n int) string { return fmt.Sprintf("apply-%04d.json", n) }

// AttemptResultObject is the name of the result of apply attempt n.
func AttemptResultObject(n int) string { return fmt.Sprintf("apply-%04d-ended.json", n) }

// ApplyAttempt is one use of a plan; number is 0 for a plan that no one has used.
type ApplyAttempt struct {
	Number int
	Start  StartRecord // of one that goes on or never began
	Result *Result     // nil while it goes on
}

// Free reports whether the plan can be used after this.
func (u ApplyAttempt) Free() bool { return u.Number == 0 || u.Result != nil && u.Result.Retryable }

// Revoked reports whether the plan was taken out of use from outside.
func (u ApplyAttempt) Revoked() bool { return u.Start.Revoked }

// attempts is the number of the last use that the folder held when it was looked up.
func (p PlanAttempt) attempts() int {
	n := 0
	for p.Has(AttemptStartObject(n + 1)) {
		n++
	}
	return n
}

// LastAttempt reads the last use of a plan.
func LastAttempt(ctx context.Context, s Records, folder PlanAttempt) (ApplyAttempt, error) {
	u := ApplyAttempt{Number: folder.attempts()}
	switch {
	case u.Number == 0:
		return u, nil
	case folder.Has(AttemptResultObject(u.Number)):
		u.Result = &Result{}
		return u, s.ReadRecord(ctx, folder, AttemptResultObject(u.Number), u.Result)
	}
	err := s.ReadRecord(ctx, folder, AttemptStartObject(u.Number), &u.Start)
	u.Result = u.Start.NotStarted
	return u, err
}

// StartAttempt writes the mark of the use after the last one; won is false when
// someone else was faster.
func StartAttempt(ctx context.Context, s Records, folder PlanAttempt, last ApplyAttempt, begun StartRecord) (won bool, err error) {
	err = s.CreateRecord(ctx, folder, AttemptStartObject(last.Number+1), begun)
	if errors.Is(err, pipeline.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// RevokePlan takes a plan out of use, for ever: voided is false when it is being
// applied, or was.
func RevokePlan(ctx context.Context, s Records, st TargetStatus, why Result) (revoked bool, err error) {
	if !st.Attempt.Free() {
		return false, nil
	}
	revoked, err = StartAttempt(ctx, s, st.Folder, st.Attempt, StartRecord{Run: why.Run, At: why.At, NotStarted: &why, Revoked: true})
	if err != nil {
		return false, fmt.Errorf("take the plan out of use: %w", err)
	}
	return revoked, nil
}

// Refusal says why a plan may not be applied after this use of it; nil when it may.
func (u ApplyAttempt) Refusal(in pipeline.TargetInput, mode pipeline.Mode) error {
	switch {
	case u.Free():
		return nil
	case u.Result != nil && u.Result.Reason != "":
		return &pipeline.RefusedError{Reason: u.Result.Reason, Message: u.Result.Message, Next: u.Result.Next, Detail: u.Result.Detail, Operator: u.Result.Operator}
	}
	return UsedBefore(in, mode)
}

// UsedBefore refuses a plan that was applied, or is being applied.
func UsedBefore(in pipeline.TargetInput, mode pipeline.Mode) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonAlreadyApplied, Message: fmt.Sprintf("the plan of request %s for %s was used before", in.Request.Short(), in.Target()),
		Next: mode.Afresh(), Operator: mode.Restart()}
}

// TargetStatus is what the store knows of one target.
type TargetStatus struct {
	Result  Result
	Folder  PlanAttempt
	Receipt *pipeline.Receipt // of its plan; nil where none was kept
	Attempt ApplyAttempt      // the last one of its plan
	Doubt   error             // what of it cannot be believed: ErrTampered or ErrUnknownKey
}

// ReadTargetStatus reads the newest planning of a target and what became of it. A
// record without a valid signature is no error: the target counts as failed.
func ReadTargetStatus(ctx context.Context, s Records, request pipeline.Request, t pipeline.Target) (TargetStatus, error) {
	st := TargetStatus{Result: Result{Outcome: pipeline.OutcomeRequested}}
	folder, found, err := LatestPlanAttempt(ctx, s, request, t)
	if err != nil || !found {
		return st, err
	}
	st.Folder = folder
	reported := func(err error) (TargetStatus, error) {
		if errors.Is(err, pipeline.ErrNotFound) {
			return st, nil
		}
		if ended, doubt := doubted(err, folder.Has(AttemptStartObject(1))); doubt {
			st.Result, st.Receipt, st.Doubt, st.Attempt.Result, st.Attempt.Start = ended, nil, err, nil, StartRecord{}
			return st, nil
		}
		return st, fmt.Errorf("read how %s stands: %w", t, err)
	}
	switch {
	case folder.Has(ObjectPlanned):
		if st.Result, err = ReadPlanned(ctx, s, folder); err == nil {
			st.Receipt = st.Result.Receipt
		}
	case folder.Has(ObjectStart):
		var b StartRecord
		if err = s.ReadRecord(ctx, folder, ObjectStart, &b); err == nil {
			st.Result.Outcome, st.Result.Run, st.Result.At = pipeline.OutcomePlanning, b.Run, b.At
		}
	}
	if err != nil {
		return reported(err)
	}
	if st.Attempt, err = LastAttempt(ctx, s, folder); err != nil {
		return reported(err)
	}
	st.addAttempt()
	return st, nil
}

// addAttempt adds the last use of the plan.
func (st *TargetStatus) addAttempt() {
	switch e := st.Attempt.Result; {
	case st.Attempt.Number == 0:
	case e == nil:
		st.Result.Outcome, st.Result.Run, st.Result.At = pipeline.OutcomeApplying, st.Attempt.Start.Run, st.Attempt.Start.At
	case !e.Retryable:
		reviewed := st.Result.Reviewed
		st.Result = *e
		st.Result.Reviewed = cmp.Or(e.Reviewed, reviewed)
	case st.Result.Outcome == pipeline.OutcomeWaiting: // it waits still, and it is known for what
		st.Result.Reason, st.Result.Message, st.Result.Next, st.Result.Diagnostics, st.Result.Internal = e.Reason, e.Message, e.Next, e.Diagnostics, e.Internal
		st.Result.Operator = e.Operator
	}
}

// ExplainLock adds to an error about a lock who may hold it and how it goes on, for the
// operator; the customer waits and asks for a fresh plan. own is
// the mark of the step that met the lock, and so does not hold it.
func ExplainLock(ctx context.Context, s Records, in pipeline.TargetInput, mode pipeline.Mode, own string, cause error) {
	var failed *pipeline.FailedError
	if !errors.As(cause, &failed) || failed.Lock == nil {
		return
	}
	last, cancel := CleanupContext(ctx)
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
