package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// open looks at the index of the open requests.
func (x *reindexing) open(ctx context.Context, all []pipeline.Request) error {
	keys, err := x.Store.List(ctx, record.OpenPrefix(x.customer)) // after the records: fetch-vars writes an entry before the record
	if err != nil {
		return err
	}
	for _, key := range keys {
		x.placeOpen(key)
	}
	for _, r := range all {
		if x.present[record.OpenKey(r)] {
			continue // the sweep looks whether it is over
		}
		open, err := x.isOpen(ctx, r)
		if err != nil {
			return err
		}
		if open {
			x.miss(record.OpenKey(r), r.ID, turnOpen, func(ctx context.Context) error { return record.MarkOpen(ctx, x.Store, r) })
		}
	}
	return nil
}

// placeOpen looks whether an entry of an open request is in its place. What the sweep removes is
// left to it, since it also closes the ledgers.
func (x *reindexing) placeOpen(key string) {
	e, known := record.OpenEntryOf(key)
	r, verified := x.requests[e.Request]
	switch {
	case !known:
		x.entries = append(x.entries, IndexEntry{Key: key, State: IndexStale})
	case verified && record.OpenKey(r) == key:
		x.present[key] = true
	case x.unknown[e.Request], x.Now().Sub(record.OrderTime(key)).Abs() < orphanAge:
	default:
		x.entries = append(x.entries, IndexEntry{Key: key, State: IndexStale, Request: e.Request, Next: "run `metapipe sweep --fix`, which closes what fetch-vars has begun"})
	}
}

// isOpen reports whether a report or the sweep has still to do with a request: by the rules
// of the report, one of its targets has not ended, or was stopped in the middle and may
// have left a lock. The sweep drops an entry for which that is not so any more.
func (x *reindexing) isOpen(ctx context.Context, r pipeline.Request) (bool, error) {
	ended := r.CreatedAt
	for _, t := range r.Targets {
		st, err := x.status(ctx, r, t.Target)
		if err != nil {
			return false, err
		}
		last := step{At: st.Result.At, whole: true}
		if !st.Result.Outcome.Final() {
			if last, err = x.lastStep(ctx, r, t.Target); err != nil {
				return false, err
			}
		}
		switch {
		case mayGoOn(st, last) && x.Now().Sub(st.Result.At) < pipeline.LongestRun:
			return true, nil
		case st.Result.Outcome.Final() || last.ended(st):
		case last.unknown(st):
			x.entries = append(x.entries, IndexEntry{Key: record.OpenKey(r), State: IndexDoubt, Request: r.ID,
				Next: fmt.Sprintf("neither a plan nor the ledger says how it ended for %s: where its statuses are pending, run `metapipe report --customer %s --request %s --final`", t.Target, r.Customer, r.ID)})
			return false, nil
		default:
			return true, nil
		}
		if last.At.After(ended) {
			ended = last.At
		}
	}
	return x.EndedWithin > 0 && x.Now().Sub(ended) < x.EndedWithin, nil
}

// mayGoOn reports whether the job of a target may go on, or have left a lock: a report
// leaves such a request to the sweep.
func mayGoOn(st ledger.TargetStatus, last step) bool {
	switch st.Result.Outcome {
	case pipeline.OutcomePlanning:
		return last.Event != ledger.Superseded
	case pipeline.OutcomeApplying, pipeline.OutcomeCancelled:
		return true
	}
	return st.Attempt.Revoked()
}

// step is the last step of a request in the ledger of a target. whole is false where that
// ledger is not, so that later steps may be missing.
type step struct {
	Event   ledger.Event
	Outcome pipeline.Outcome
	At      time.Time
	whole   bool
}

// ended reports whether the step is the end of a target whose records say none. Plans go with
// the lifecycle of the bucket, and of a target without one the ledger alone knows the end.
func (s step) ended(st ledger.TargetStatus) bool {
	switch s.Event {
	case ledger.Closed, ledger.Superseded:
		return true
	case ledger.Applied, ledger.Destroyed, ledger.Failed, ledger.Refused, ledger.Rejected:
		return st.Result.Outcome == pipeline.OutcomeRequested
	case ledger.Planned:
		return st.Result.Outcome == pipeline.OutcomeRequested && s.Outcome.Final()
	}
	return false
}

// unknown reports whether nothing says how a target stands: fetch-vars writes the first
// step before the record of the request.
func (s step) unknown(st ledger.TargetStatus) bool {
	return st.Result.Outcome == pipeline.OutcomeRequested && (s.Event == "" || !s.whole)
}

// lastStep finds the last step of a request in the ledger of a target.
func (x *reindexing) lastStep(ctx context.Context, r pipeline.Request, t pipeline.Target) (step, error) {
	if _, read := x.ledgers[t]; !read {
		entries, _, err := ledger.Ledger{Records: record.Records{Store: x.seen, Sealer: x.Sealer}, Now: x.Now}.Read(ctx, t)
		if err != nil && !errors.Is(err, ledger.ErrBroken) && !errors.Is(err, pipeline.ErrUnknownKey) && !errors.Is(err, pipeline.ErrTampered) {
			return step{}, fmt.Errorf("read the ledger of %s: %w", ledger.Name(t), err)
		}
		steps := steps{whole: err == nil, last: map[pipeline.RequestID]step{}}
		for _, e := range entries {
			switch e.Event {
			case ledger.Unreported, ledger.Unlocking, ledger.Unlocked, ledger.Recovered:
				continue // about a report, a lock or a state
			}
			steps.last[e.Request] = step{Event: e.Event, Outcome: e.Outcome, At: e.At}
		}
		x.ledgers[t] = steps
	}
	last := x.ledgers[t].last[r.ID]
	last.whole = x.ledgers[t].whole
	return last, nil
}

// steps are the last steps of the requests in one ledger.
type steps struct {
	last  map[pipeline.RequestID]step
	whole bool
}
