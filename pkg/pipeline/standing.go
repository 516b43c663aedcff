package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// targetStatus is what the store tells of one target.
type targetStatus struct {
	result  Result
	folder  planAttempt
	attempt applyAttempt // the last one of its plan
	doubt   error        // what of it cannot be believed: ErrTampered or ErrUnknownKey
}

// readTargetStatus reads the newest planning of a target and what became of it. A
// record that nothing vouches for is no error: the target stands as failed.
func readTargetStatus(ctx context.Context, s records, request Request, env Environment) (targetStatus, error) {
	st := targetStatus{result: Result{Outcome: OutcomeRequested}}
	folder, found, err := latestPlanAttempt(ctx, s, request, env)
	if err != nil || !found {
		return st, err
	}
	st.folder = folder
	reported := func(err error) (targetStatus, error) {
		if errors.Is(err, ErrNotFound) {
			return st, nil
		}
		if ended, doubt := doubted(err, folder.has(attemptStartObject(1))); doubt {
			st.result, st.doubt, st.attempt.result, st.attempt.start = ended, err, nil, StartRecord{}
			return st, nil
		}
		return st, fmt.Errorf("read how %s/%s stands: %w", request.Customer, env, err)
	}
	switch {
	case folder.has(objectPlanned):
		err = s.read(ctx, folder, objectPlanned, &st.result)
	case folder.has(objectStart):
		var b StartRecord
		if err = s.read(ctx, folder, objectStart, &b); err == nil {
			st.result.Outcome, st.result.Run, st.result.At = OutcomePlanning, b.Run, b.At
		}
	}
	if err != nil {
		return reported(err)
	}
	if st.attempt, err = lastAttempt(ctx, s, folder); err != nil {
		return reported(err)
	}
	st.addAttempt()
	return st, nil
}

// addAttempt adds the last use of the plan.
func (st *targetStatus) addAttempt() {
	switch e := st.attempt.result; {
	case st.attempt.number == 0:
	case e == nil:
		st.result.Outcome, st.result.Run, st.result.At = OutcomeApplying, st.attempt.start.Run, st.attempt.start.At
	case !e.Retryable:
		reviewed := st.result.Reviewed
		st.result = *e
		st.result.Reviewed = cmp.Or(e.Reviewed, reviewed)
	case st.result.Outcome == OutcomeWaiting: // it waits still, and it is known for what
		st.result.Reason, st.result.Message, st.result.Next, st.result.Diagnostics, st.result.Internal = e.Reason, e.Message, e.Next, e.Diagnostics, e.Internal
	}
}
