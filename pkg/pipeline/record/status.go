package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TargetStatus is what the store knows of one target.
type TargetStatus struct {
	Result  Result
	Folder  PlanAttempt
	Attempt ApplyAttempt // the last one of its plan
	Doubt   error        // what of it cannot be believed: ErrTampered or ErrUnknownKey
}

// ReadTargetStatus reads the newest planning of a target and what became of it. A
// record without a valid signature is no error: the target counts as failed.
func ReadTargetStatus(ctx context.Context, s Records, request pipeline.Request, env pipeline.Environment) (TargetStatus, error) {
	st := TargetStatus{Result: Result{Outcome: pipeline.OutcomeRequested}}
	folder, found, err := LatestPlanAttempt(ctx, s, request, env)
	if err != nil || !found {
		return st, err
	}
	st.Folder = folder
	reported := func(err error) (TargetStatus, error) {
		if errors.Is(err, pipeline.ErrNotFound) {
			return st, nil
		}
		if ended, doubt := doubted(err, folder.Has(AttemptStartObject(1))); doubt {
			st.Result, st.Doubt, st.Attempt.Result, st.Attempt.Start = ended, err, nil, StartRecord{}
			return st, nil
		}
		return st, fmt.Errorf("read how %s/%s stands: %w", request.Customer, env, err)
	}
	switch {
	case folder.Has(ObjectPlanned):
		err = s.ReadRecord(ctx, folder, ObjectPlanned, &st.Result)
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
