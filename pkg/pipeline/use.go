package pipeline

import (
	"context"
	"errors"
	"fmt"
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

func attemptStartObject(n int) string { return fmt.Sprintf("apply-%04d.json", n) }

func attemptResultObject(n int) string { return fmt.Sprintf("apply-%04d-ended.json", n) }

// applyAttempt is one use of a plan; number is 0 for a plan that nobody has used.
type applyAttempt struct {
	number int
	start  StartRecord // of one that goes on or never began
	result *Result     // nil while it goes on
}

// free reports whether the plan can be used after this.
func (u applyAttempt) free() bool { return u.number == 0 || u.result != nil && u.result.Retryable }

// revoked reports whether the plan was taken out of use from outside.
func (u applyAttempt) revoked() bool { return u.start.Revoked }

// attempts is the number of the last use that the folder held when it was looked up.
func (p planAttempt) attempts() int {
	n := 0
	for p.has(attemptStartObject(n + 1)) {
		n++
	}
	return n
}

// lastAttempt reads the last use of a plan.
func lastAttempt(ctx context.Context, s records, folder planAttempt) (applyAttempt, error) {
	u := applyAttempt{number: folder.attempts()}
	switch {
	case u.number == 0:
		return u, nil
	case folder.has(attemptResultObject(u.number)):
		u.result = &Result{}
		return u, s.read(ctx, folder, attemptResultObject(u.number), u.result)
	}
	err := s.read(ctx, folder, attemptStartObject(u.number), &u.start)
	u.result = u.start.NotStarted
	return u, err
}

// startAttempt writes the mark of the use after the last one; won is false when
// somebody else was faster.
func startAttempt(ctx context.Context, s records, folder planAttempt, last applyAttempt, begun StartRecord) (won bool, err error) {
	err = s.create(ctx, folder, attemptStartObject(last.number+1), begun)
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// revokePlan takes a plan out of use, for ever: voided is false when it is being
// applied, or was.
func revokePlan(ctx context.Context, s records, st targetStatus, why Result) (revoked bool, err error) {
	if !st.attempt.free() {
		return false, nil
	}
	revoked, err = startAttempt(ctx, s, st.folder, st.attempt, StartRecord{Run: why.Run, At: why.At, NotStarted: &why, Revoked: true})
	if err != nil {
		return false, fmt.Errorf("take the plan out of use: %w", err)
	}
	return revoked, nil
}
