package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// standing is what the store tells of one target.
type standing struct {
	ended  Ended
	folder planning
	use    use   // the last one of its plan
	doubt  error // what of it cannot be believed: ErrTampered or ErrUnknownKey
}

// targetStanding reads the newest planning of a target and what became of it. A
// record that nothing vouches for is no error: the target stands as failed.
func targetStanding(ctx context.Context, s records, request Request, env Environment) (standing, error) {
	st := standing{ended: Ended{Outcome: OutcomeRequested}}
	folder, found, err := latestPlanning(ctx, s, request, env)
	if err != nil || !found {
		return st, err
	}
	st.folder = folder
	told := func(err error) (standing, error) {
		if errors.Is(err, ErrNotFound) {
			return st, nil
		}
		if ended, doubt := doubted(err, folder.has(useBegun(1))); doubt {
			st.ended, st.doubt, st.use.ended, st.use.begun = ended, err, nil, Begun{}
			return st, nil
		}
		return st, fmt.Errorf("read how %s/%s stands: %w", request.Customer, env, err)
	}
	switch {
	case folder.has(objectPlanned):
		err = s.read(ctx, folder, objectPlanned, &st.ended)
	case folder.has(objectBegun):
		var b Begun
		if err = s.read(ctx, folder, objectBegun, &b); err == nil {
			st.ended.Outcome, st.ended.Run, st.ended.At = OutcomePlanning, b.Run, b.At
		}
	}
	if err != nil {
		return told(err)
	}
	if st.use, err = lastUse(ctx, s, folder); err != nil {
		return told(err)
	}
	st.used()
	return st, nil
}

// used adds the last use of the plan.
func (st *standing) used() {
	switch e := st.use.ended; {
	case st.use.number == 0:
	case e == nil:
		st.ended.Outcome, st.ended.Run, st.ended.At = OutcomeApplying, st.use.begun.Run, st.use.begun.At
	case !e.Untouched:
		reviewed := st.ended.Reviewed
		st.ended = *e
		st.ended.Reviewed = cmp.Or(e.Reviewed, reviewed)
	case st.ended.Outcome == OutcomeWaiting: // it waits still, and it is known for what
		st.ended.Reason, st.ended.Message, st.ended.Next, st.ended.Diagnostics, st.ended.Internal = e.Reason, e.Message, e.Next, e.Diagnostics, e.Internal
	}
}
