package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// reindexing is a look at the indexes of one customer.
type reindexing struct {
	*Reindexer
	customer pipeline.CustomerName
	seen     *record.View // the store, of which each list and each record is read once
	requests map[pipeline.RequestID]pipeline.Request
	unknown  map[pipeline.RequestID]bool // whose records cannot be verified
	present  map[string]bool             // entries that are in their place, by key
	queues   map[pipeline.Target]*queue
	statuses map[attemptOf]ledger.TargetStatus
	ledgers  map[pipeline.Target]steps
	missing  []*missing
	entries  []IndexEntry
}

type attemptOf struct {
	pipeline.RequestID
	pipeline.Target
}

// missing is an entry that is to be written in its turn.
type missing struct {
	IndexEntry
	turn  int
	write func(ctx context.Context) error
}

// The turns.
const (
	turnQueue = iota
	turnLists
	turnOpen
)

func newReindexing(r *Reindexer, c pipeline.CustomerName) *reindexing {
	return &reindexing{Reindexer: r, customer: c, seen: record.NewView(r.Store), requests: map[pipeline.RequestID]pipeline.Request{}, unknown: map[pipeline.RequestID]bool{},
		present: map[string]bool{}, queues: map[pipeline.Target]*queue{}, statuses: map[attemptOf]ledger.TargetStatus{}, ledgers: map[pipeline.Target]steps{}}
}

func (x *reindexing) folder() string { return string(x.customer) + "/" }

// viewed are the records as this look sees them.
func (x *reindexing) viewed() record.Records {
	return record.Records{Store: x.seen, Sealer: x.Sealer}
}

// look finds out what is missing, and what belongs nowhere.
func (x *reindexing) look(ctx context.Context) error {
	keys, err := x.seen.List(ctx, x.folder())
	if err != nil {
		return err
	}
	if err := x.load(ctx, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if index, is := record.IndexOf(key); is {
			if err := x.place(ctx, index, key); err != nil {
				return err
			}
		}
	}
	all := x.inOrder()
	for _, r := range all {
		for _, key := range record.Places(r) {
			x.enter(key, r.ID)
		}
	}
	if err := x.rank(ctx, all); err != nil {
		return err
	}
	return x.open(ctx, all)
}

// inOrder are the verified requests, oldest first.
func (x *reindexing) inOrder() []pipeline.Request {
	var all []pipeline.Request
	for _, r := range x.requests {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b pipeline.Request) int { return cmp.Compare(a.Order(), b.Order()) })
	return all
}

// load reads and verifies the records of the requests.
func (x *reindexing) load(ctx context.Context, keys []string) error {
	for _, key := range keys {
		id, is := record.RequestOf(x.customer, key)
		if !is {
			continue
		}
		r, err := record.LoadRequest(ctx, x.viewed(), x.customer, id)
		switch {
		case err == nil:
			x.requests[id] = r
		case errors.Is(err, pipeline.ErrNotFound): // its time is over, since the list
		case errors.Is(err, pipeline.ErrTampered), errors.Is(err, pipeline.ErrUnknownKey):
			x.unknown[id] = true
			x.entries = append(x.entries, unverified(key, id, err))
		default:
			return err
		}
	}
	return nil
}

// unverified is a record that says nothing about the indexes.
func unverified(key string, id pipeline.RequestID, err error) IndexEntry {
	e := IndexEntry{Key: key, State: IndexTampered, Request: id, Next: "find out who can write to the store; then bring the object back from the versions of the bucket and run this again, or remove it", Error: err.Error()}
	if errors.Is(err, pipeline.ErrUnknownKey) {
		e.State, e.Next = IndexUnknown, "add its key behind the first one and run this again; where the key is gone, remove the object, and let the customer push again"
	}
	return e
}

// place looks whether an entry is in its place.
func (x *reindexing) place(ctx context.Context, index record.Index, key string) error {
	id, known := record.EntryOf(key)
	r, verified := x.requests[id]
	switch {
	case !known:
		x.entries = append(x.entries, IndexEntry{Key: key, State: IndexStale})
		return nil
	case x.unknown[id]:
		return nil
	case !verified:
		x.orphan(key, id)
		return nil
	}
	believed, err := index.Verifies(ctx, x.viewed(), key, r)
	switch {
	case errors.Is(err, pipeline.ErrUnknownKey):
		x.entries = append(x.entries, unverified(key, id, err))
	case err != nil:
		return err
	case !believed:
		x.entries = append(x.entries, IndexEntry{Key: key, State: IndexStale, Request: id})
	default:
		x.present[key] = true
		if t, is := index.Queued(); is {
			x.queue(t).add(key, id)
		}
	}
	return nil
}

// orphanAge is when an entry without a request is shown: fetch-vars may still be writing that.
const orphanAge = time.Hour

// orphan is an entry whose request has no record: fetch-vars died before it wrote that, or
// is still at it. A re-run of an old run counts by its first time, so the entry is
// removed only when no such run can exist.
func (x *reindexing) orphan(key string, id pipeline.RequestID) {
	age := x.Now().Sub(record.OrderTime(key)).Abs()
	if age < orphanAge {
		return
	}
	e := IndexEntry{Key: key, State: IndexStale, Request: id}
	if age < pipeline.LongestRun {
		e.Next = fmt.Sprintf("nothing: no command believes it, and --fix removes it after %s", record.OrderTime(key).Add(pipeline.LongestRun).UTC().Format(time.DateOnly))
	}
	x.entries = append(x.entries, e)
}

// enter notes an entry that a request has by itself.
func (x *reindexing) enter(key string, id pipeline.RequestID) {
	index, is := record.IndexOf(key)
	if !is || x.present[key] {
		return
	}
	turn := turnLists
	if t, queued := index.Queued(); queued {
		turn = turnQueue
		x.queue(t).add(key, id)
		x.queue(t).lost[id] = true
	}
	x.miss(key, id, turn, func(ctx context.Context) error {
		return ignoreExists(x.Store.Create(ctx, key, strings.NewReader(string(id))))
	})
}

// miss notes an entry that is not there.
func (x *reindexing) miss(key string, id pipeline.RequestID, turn int, write func(context.Context) error) {
	x.missing = append(x.missing, &missing{IndexEntry: IndexEntry{Key: key, State: IndexMissing, Request: id}, turn: turn, write: write})
}

// ignoreExists is err, unless another writer was first.
func ignoreExists(err error) error {
	if errors.Is(err, pipeline.ErrExists) {
		return nil
	}
	return err
}

// status is how a target of a request stands.
func (x *reindexing) status(ctx context.Context, r pipeline.Request, t pipeline.Target) (ledger.TargetStatus, error) {
	of := attemptOf{r.ID, t}
	if st, known := x.statuses[of]; known {
		return st, nil
	}
	st, err := ledger.ReadTargetStatus(ctx, x.viewed(), r, t)
	if err == nil {
		x.statuses[of] = st
	}
	return st, err
}
