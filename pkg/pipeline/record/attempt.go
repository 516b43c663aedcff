package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The life of a plan after its making is a list of uses, numbered from 1. A use
// is a write-once mark, and when it began also a write-once end:
//
//	apply-0001.json        somebody uses the plan from here on, or took it out of
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

// ApplyAttempt is one use of a plan; number is 0 for a plan that nobody has used.
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
// somebody else was faster.
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
	return &pipeline.RefusedError{Reason: pipeline.ReasonAlreadyApplied, Message: fmt.Sprintf("the plan of request %s for %s/%s was used before", in.Request.Short(), in.Customer.Name, in.Environment),
		Next: mode.Afresh(), Operator: mode.Restart()}
}
