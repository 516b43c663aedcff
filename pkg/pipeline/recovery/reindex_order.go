package recovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// queue holds the entries of one target that count, the missing ones among them, in the
// order of their keys.
type queue struct {
	entries []queued
	lost    map[pipeline.RequestID]bool // whose own entries are missing
}

type queued struct {
	key string
	id  pipeline.RequestID
}

func (x *reindexing) queue(t pipeline.Target) *queue {
	if x.queues[t] == nil {
		x.queues[t] = &queue{lost: map[pipeline.RequestID]bool{}}
	}
	return x.queues[t]
}

func (q *queue) add(key string, id pipeline.RequestID) {
	at, _ := slices.BinarySearchFunc(q.entries, key, func(e queued, key string) int { return cmp.Compare(e.key, key) })
	q.entries = slices.Insert(q.entries, at, queued{key, id})
}

// highest is the key of the last entry of a request, "" where it has none.
func (q *queue) highest(id pipeline.RequestID) string {
	for _, e := range slices.Backward(q.entries) {
		if e.id == id {
			return e.key
		}
	}
	return ""
}

// verdict is what a sealed result says: that the winner took the place of the loser.
type verdict struct {
	loser, winner pipeline.Request
	at            time.Time
}

// rank makes verdicts about the order of two pushes anew. GitHub was asked for a verdict
// once, and may answer otherwise now. So they are taken from the sealed results alone:
// the result of a plan that was superseded names the request that took its place. The answer
// was about their commits, so it holds for all targets of both.
func (x *reindexing) rank(ctx context.Context, all []pipeline.Request) error {
	var verdicts []verdict
	for _, r := range all {
		for _, t := range r.Targets {
			if !r.Applies(t.Target) {
				continue
			}
			st, err := x.status(ctx, r, t.Target)
			if err != nil {
				return err
			}
			if winner, verified := x.requests[st.Result.Newer]; verified && record.QueueOf(t.Target).Holds(winner) {
				verdicts = append(verdicts, verdict{r, winner, st.Result.At})
			}
		}
	}
	slices.SortStableFunc(verdicts, func(a, b verdict) int { return a.at.Compare(b.at) })
	for _, v := range verdicts {
		for _, t := range v.loser.Targets {
			if index := record.QueueOf(t.Target); index.Holds(v.loser) && index.Holds(v.winner) {
				x.promote(index, t.Target, v)
			}
		}
	}
	for t := range x.queues {
		x.doubt(t, verdicts)
	}
	return nil
}

// promote enters the winner behind the loser, unless it is there.
func (x *reindexing) promote(index record.Index, t pipeline.Target, v verdict) {
	q := x.queue(t)
	ahead := q.highest(v.loser.ID)
	if q.highest(v.winner.ID) > ahead {
		return
	}
	key := index.Behind(ahead, v.winner)
	q.add(key, v.winner.ID)
	x.miss(key, v.winner.ID, turnQueue, func(ctx context.Context) error {
		return index.Promote(ctx, record.Records{Store: x.Store, Sealer: x.Sealer}, key, v.winner.ID)
	})
}

// doubt names the requests that may be newer than the last one of a queue: pushes to the same
// branch at about the same time. Of such a pair GitHub was asked which is newer, and
// where the entry of one of them was lost, the answer may be lost with it. No sealed result says
// it, since neither was superseded by the other yet.
func (x *reindexing) doubt(t pipeline.Target, verdicts []verdict) {
	q, index := x.queues[t], record.QueueOf(t)
	end := q.entries[len(q.entries)-1]
	last := x.requests[end.id]
	if last.Event != "push" || end.key != index.Own(last) || x.Now().Sub(last.CreatedAt) >= pipeline.LongestRun { // a verdict has put it there, or no run can go on
		return
	}
	for _, r := range x.requests {
		away := record.OrderTime(end.key).Sub(record.OrderTime(index.Own(r))).Abs()
		if !index.Holds(r) || r.ID == last.ID || !q.lost[r.ID] && !q.lost[last.ID] || away > record.RankDoubt || r.Event != "push" || r.Branch != last.Branch ||
			r.Commit == last.Commit || r.Repository.ID != last.Repository.ID {
			continue
		}
		if slices.ContainsFunc(verdicts, func(v verdict) bool { return v.loser.ID == r.ID && v.winner.ID == last.ID }) {
			continue
		}
		x.entries = append(x.entries, IndexEntry{Key: index.Own(r), State: IndexDoubt, Request: r.ID,
			Next: fmt.Sprintf("compare commit %s with %s of request %s, which counts as the newer one: if that is wrong, let the customer push again", r.Commit.Short(), last.Commit.Short(), last.ID.Short())})
	}
}
