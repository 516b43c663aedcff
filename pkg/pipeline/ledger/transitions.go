package ledger

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNotNext is the error of an event that cannot follow the last one of its request.
var ErrNotNext = errors.New("the event cannot come next")

// decisions may follow any event of a request: they say that something was not done, and the
// steps of an older run may say so while a newer one is at work.
var decisions = []Event{Failed, Refused, Rejected, Superseded, Closed}

// transitions are the events of a request that may follow each of its events, besides the
// decisions and the beginning of an apply, for which its plan decides. A success needs an apply
// that has begun.
var transitions = map[Event][]Event{
	Requested: {Planned},
	Planned:   {Planned, Approved},
	Approved:  {Planned, Approved},
	Applying:  {Planned, Approved, Applied, Destroyed},
	Applied:   {Planned, Applied},
	Destroyed: {Planned, Destroyed},
	// A plan that is not spoiled by it can still be applied, and an apply that was taken for
	// dead may still end well.
	Failed:     {Planned, Approved, Applied, Destroyed},
	Refused:    {Planned, Approved, Applied, Destroyed},
	Rejected:   {Planned, Approved},
	Superseded: {Planned, Approved, Applied, Destroyed},
	Closed:     {Planned, Approved, Applied, Destroyed},
}

// checkNext refuses an entry that cannot follow what the fold knows of its request and its plan.
// Of the events of a request that is not the newest a fold knows nothing.
func (f Fold) checkNext(e Entry) error {
	if e.Event == Applying || e.Plan == PlanRevoked {
		if p, open := f.Plan(e.Request); !open || p.Applying || e.Receipt != "" && e.Receipt != p.Receipt {
			return fmt.Errorf("%w: %q of request %s, whose plan does not wait", ErrNotNext, e.Event, e.Request.Short())
		}
		return nil
	}
	r := f.Request
	if e.carriedOut() && e.Attempt > 0 { // it has begun, whatever others have written meanwhile
		return nil
	}
	if r == nil || r.ID != e.Request || !e.isStep() || e.Event == Requested || slices.Contains(decisions, e.Event) || slices.Contains(transitions[r.Event], e.Event) {
		return nil
	}
	return fmt.Errorf("%w: %q of request %s after %q", ErrNotNext, e.Event, e.Request.Short(), r.Event)
}
