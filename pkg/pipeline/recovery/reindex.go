package recovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Reindexer builds the indexes of the store anew: the queues of the targets, the requests
// of each pull request and of each commit, and the open requests. All of them follow from the
// verified records of the requests and of what became of them. An entry is written once
// and is ignored where its request does not belong there. So it can stop anywhere,
// run again, and run beside the commands of any request.
type Reindexer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Now    func() time.Time
	// EndedWithin is how long ago a request may have ended to be entered as open again. No
	// record says whether its end was reported: the sweep reports it once more, which
	// writes what GitHub does not have.
	EndedWithin time.Duration
}

// IndexState is how an entry stands.
type IndexState string

// The states of what is not as it should be.
const (
	IndexMissing  IndexState = "missing"  // Run with fix writes it
	IndexWritten  IndexState = "written"  // it was written just now
	IndexStale    IndexState = "stale"    // it belongs to no request, or not to that place
	IndexRemoved  IndexState = "removed"  // it was removed just now
	IndexDoubt    IndexState = "doubt"    // a verdict about its order may be lost
	IndexTampered IndexState = "tampered" // the record is not what was stored
	IndexUnknown  IndexState = "no-key"   // no key at hand opens the record
)

// IndexEntry is an entry of an index, or a record that says nothing about them.
type IndexEntry struct {
	Key     string             `json:"key"` // of the store
	State   IndexState         `json:"state"`
	Request pipeline.RequestID `json:"request,omitempty"`
	Next    string             `json:"next,omitempty"`  // what people do about it
	Error   string             `json:"error,omitempty"` // why a record is not believed
}

// ReindexResult is what a look at the indexes has found.
type ReindexResult struct {
	Requests int          `json:"requests"` // records of requests that are verified
	Present  int          `json:"present"`  // entries that are in their place
	Entries  []IndexEntry `json:"entries"`  // the others
}

// Count is the number of entries in one of the states.
func (r ReindexResult) Count(states ...IndexState) int {
	n := 0
	for _, e := range r.Entries {
		if slices.Contains(states, e.State) {
			n++
		}
	}
	return n
}

// Run looks at the indexes of the customers. With fix it writes what is missing, and removes
// what belongs nowhere. A request whose record cannot be verified is never entered. On an
// error the result holds what was seen until then.
func (r *Reindexer) Run(ctx context.Context, customers []pipeline.CustomerName, fix bool) (ReindexResult, error) {
	result := ReindexResult{Entries: []IndexEntry{}}
	for _, c := range customers {
		x := newReindexing(r, c)
		err := x.look(ctx)
		if err == nil && fix {
			err = x.repair(ctx)
		} else if err == nil {
			err = x.again(ctx)
		}
		result.Requests, result.Present = result.Requests+len(x.requests), result.Present+len(x.present)
		for _, m := range x.missing {
			x.entries = append(x.entries, m.IndexEntry)
		}
		slices.SortStableFunc(x.entries, func(a, b IndexEntry) int { return cmp.Compare(a.Key, b.Key) })
		result.Entries = append(result.Entries, x.entries...)
		if err != nil {
			return result, fmt.Errorf("build the indexes of customer %s: %w", c, err)
		}
	}
	return result, nil
}

// Customers are those that the store knows, also by an entry of an open request alone.
func (r *Reindexer) Customers(ctx context.Context) ([]pipeline.CustomerName, error) {
	names, err := registry.StoredCustomers(ctx, r.Store)
	if err != nil {
		return nil, err
	}
	folders, err := r.Store.Folders(ctx, record.OpenRoot)
	if err != nil {
		return nil, fmt.Errorf("look for open requests: %w", err)
	}
	for _, folder := range folders {
		if name, err := pipeline.ParseCustomerName(strings.TrimSuffix(folder, "/")); err == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// repair writes the missing entries: those of queues first and from their end, since a
// command that reads half a queue then finds the newer request, and the open ones last.
// Then it removes what belongs nowhere.
func (x *reindexing) repair(ctx context.Context) error {
	slices.SortStableFunc(x.missing, func(a, b *missing) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(b.Key, a.Key))
	})
	for _, m := range x.missing {
		if err := m.write(ctx); err != nil {
			return fmt.Errorf("write %s: %w", m.Key, err)
		}
		m.State = IndexWritten
	}
	for i := range x.entries {
		e := &x.entries[i]
		if e.State != IndexStale || e.Next != "" {
			continue
		}
		if err := x.Store.Delete(ctx, e.Key); err != nil {
			return fmt.Errorf("remove %s: %w", e.Key, err)
		}
		e.State = IndexRemoved
	}
	return nil
}

// again leaves out what was entered since the keys were listed.
func (x *reindexing) again(ctx context.Context) error {
	if len(x.missing) == 0 {
		return nil
	}
	keys, err := x.Store.List(ctx, x.folder())
	if err != nil {
		return err
	}
	open, err := x.Store.List(ctx, record.OpenPrefix(x.customer))
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, key := range slices.Concat(keys, open) {
		there[key] = true
	}
	x.missing = slices.DeleteFunc(x.missing, func(m *missing) bool { return there[m.Key] })
	return nil
}
