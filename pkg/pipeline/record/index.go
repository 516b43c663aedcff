package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Index is one of the lists of requests, ordered by what was pushed last. An entry is
// believed when its request, which is verified, has its place there by itself; one in
// another place was put there by a verdict of fetch-vars, and is a record of its own.
type Index struct {
	target pipeline.Target // without an environment where it is no queue
	Prefix string
	Holds  func(pipeline.Request) bool
}

// QueueOf lists the requests that apply to a target.
func QueueOf(t pipeline.Target) Index {
	return Index{target: t, Prefix: QueuePrefix(t), Holds: func(r pipeline.Request) bool { return r.WorksOn(t) && r.Applies(t) }}
}

// PullOf lists the requests of a pull request.
func PullOf(c pipeline.CustomerName, number int) Index {
	return Index{target: pipeline.Target{Customer: c}, Prefix: fmt.Sprintf("%s/pulls/%d/", c, number), Holds: func(r pipeline.Request) bool { return r.PullRequest == number }}
}

// CommitOf lists the requests for the commit of r, which share its statuses.
func CommitOf(r pipeline.Request) Index { return commitIndex(r.Customer, r.Commit) }

func commitIndex(c pipeline.CustomerName, sha pipeline.SHA) Index {
	return Index{target: pipeline.Target{Customer: c}, Prefix: fmt.Sprintf("%s/requests/by-commit/%s/", c, sha), Holds: func(r pipeline.Request) bool { return r.Commit == sha }}
}

// Own is the key that a request has by itself.
func (x Index) Own(r pipeline.Request) string { return x.Prefix + r.Order() }

// place is where a verdict lies.
func (x Index) place() PlanAttempt { return PlanAttempt{Target: x.target} }

// Queued is the target whose queue the index is; false where it is another index.
func (x Index) Queued() (pipeline.Target, bool) { return x.target, x.target.Environment != "" }

// Behind is the key of the verdict that winner is newer than the request whose last entry
// is key.
func (x Index) Behind(key string, winner pipeline.Request) string {
	return x.Prefix + winner.OrderAt(OrderTime(key).Add(time.Nanosecond))
}

// Promote enters a request behind another one. An entry that is there stays.
func (x Index) Promote(ctx context.Context, s Records, key string, winner pipeline.RequestID) error {
	err := s.CreateRecord(ctx, x.place(), key, winner)
	if errors.Is(err, pipeline.ErrExists) {
		return nil
	}
	return err
}

// Verifies reports whether an entry is one of r, which was verified. Others are
// leftovers of a fetch-vars that died, or were laid there, and say nothing.
func (x Index) Verifies(ctx context.Context, s Records, key string, r pipeline.Request) (bool, error) {
	if !x.Holds(r) {
		return false, nil
	}
	if key == x.Own(r) {
		return true, nil
	}
	var winner pipeline.RequestID
	err := s.ReadRecord(ctx, x.place(), key, &winner)
	if errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrNotFound) {
		return false, nil
	}
	return err == nil && winner == r.ID, err
}

// load reads and verifies the request of an entry; believed is false for an entry that
// says nothing. An entry without its request is one: fetch-vars writes the request
// last, and may have died before.
func (x Index) load(ctx context.Context, s Records, key string) (r pipeline.Request, believed bool, err error) {
	id, known := EntryOf(key)
	if !known {
		return pipeline.Request{}, false, nil
	}
	r, err = LoadRequest(ctx, s, x.target.Customer, id)
	if errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Request{}, false, nil
	}
	if err == nil {
		believed, err = x.Verifies(ctx, s, key, r)
	}
	return r, believed, err
}

// Newest returns the newest request of the index that came after request and fits;
// found is false when there is none.
func (x Index) Newest(ctx context.Context, s Records, request pipeline.Request, fits func(pipeline.Request) bool) (newer pipeline.Request, found bool, err error) {
	keys, err := s.ListAfter(ctx, x.Prefix, x.Own(request))
	for i := len(keys) - 1; i >= 0 && err == nil; i-- {
		r, believed := request, false
		if id, _ := EntryOf(keys[i]); id == request.ID {
			believed, err = x.Verifies(ctx, s, keys[i], request)
		} else {
			r, believed, err = x.load(ctx, s, keys[i])
		}
		switch {
		case err != nil || !believed:
		case r.ID == request.ID: // by a verdict, and nothing is newer
			return pipeline.Request{}, false, nil
		case fits == nil || fits(r):
			return r, true, nil
		}
	}
	if err != nil {
		return pipeline.Request{}, false, fmt.Errorf("look for requests that are newer than %s: %w", request.ID.Short(), err)
	}
	return pipeline.Request{}, false, nil
}

// Latest returns the newest request of the index that fits. It looks back from a time
// in steps, since an index cannot be listed from its end.
func (x Index) Latest(ctx context.Context, s Records, from time.Time, fits func(pipeline.Request) bool) (pipeline.Request, bool, error) {
	seen := x.Prefix + "~" // behind every entry
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 0} {
		after := x.Prefix
		if back > 0 {
			after += pipeline.OrderStart(from.Add(-back))
		}
		keys, err := s.ListAfter(ctx, x.Prefix, after)
		if err != nil {
			return pipeline.Request{}, false, err
		}
		for _, key := range slices.Backward(keys) {
			if key >= seen {
				continue
			}
			r, believed, err := x.load(ctx, s, key)
			if err != nil || believed && fits(r) {
				return r, err == nil, err
			}
			seen = key
		}
	}
	return pipeline.Request{}, false, nil
}

// Highest is the last entry of a request among keys, or where it stands by itself.
func (x Index) Highest(ctx context.Context, s Records, keys []string, r pipeline.Request) (string, error) {
	for _, key := range slices.Backward(keys) {
		if id, known := EntryOf(key); !known || id != r.ID || key <= x.Own(r) {
			continue
		}
		if believed, err := x.Verifies(ctx, s, key, r); err != nil || believed {
			return key, err
		}
	}
	return x.Own(r), nil
}

// Superseding returns the id of the newest request in the queue of the target
// when that is newer than request, or "".
func Superseding(ctx context.Context, s Records, request pipeline.Request, t pipeline.Target) (pipeline.RequestID, error) {
	newer, _, err := QueueOf(t).Newest(ctx, s, request, nil)
	return newer.ID, err
}

// EntryOf reads the request id out of the key of an index; false for a key of another
// form.
func EntryOf(key string) (pipeline.RequestID, bool) {
	const uuid = 36
	id, err := pipeline.ParseRequestID(key[max(0, len(key)-uuid):])
	return id, err == nil && strings.HasSuffix(key, "-"+string(id))
}

// The index of open requests names every request that no one has closed yet, so
// that looking for what hangs costs as much as there is open, and not as much as
// there ever was. fetch-vars writes an entry before the request itself; the
// report that finds nothing open any more removes it. The name of an entry is all
// that is read of it, and its request says whether that is right.

// OpenRoot holds the index of the open requests of all customers.
const OpenRoot = "_metapipe/open/"

// OpenKey is the key of a request in the index of open requests.
func OpenKey(r pipeline.Request) string { return OpenPrefix(r.Customer) + r.Order() }

// OpenPrefix holds the open requests of a customer.
func OpenPrefix(c pipeline.CustomerName) string { return OpenRoot + string(c) + "/" }

// OpenEntry is one entry of the index: its request may be missing, when
// fetch-vars died before it could write it.
type OpenEntry struct {
	Key      string
	Customer pipeline.CustomerName
	Request  pipeline.RequestID
}

// OpenEntries lists the index under a prefix, oldest first for each customer.
func OpenEntries(ctx context.Context, s pipeline.Store, prefix string) ([]OpenEntry, error) {
	keys, err := s.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("look for open requests: %w", err)
	}
	var entries []OpenEntry
	for _, key := range keys {
		if e, is := OpenEntryOf(key); is {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// OpenEntryOf reads the key of an entry; false for one that is not ours.
func OpenEntryOf(key string) (OpenEntry, bool) {
	rest, is := strings.CutPrefix(key, OpenRoot)
	name, _, _ := strings.Cut(rest, "/")
	customer, err := pipeline.ParseCustomerName(name)
	id, known := EntryOf(key)
	return OpenEntry{Key: key, Customer: customer, Request: id}, is && err == nil && known
}

// Load reads the request of an entry; ErrNotFound also for an entry that is not where
// its request stands.
func (e OpenEntry) Load(ctx context.Context, s Reader) (pipeline.Request, error) {
	request, err := LoadRequest(ctx, s, e.Customer, e.Request)
	if err == nil && OpenKey(request) != e.Key {
		err = fmt.Errorf("%s: %w: the entry of request %s is %s", e.Key, pipeline.ErrNotFound, request.ID.Short(), OpenKey(request))
	}
	return request, err
}

// maxOlder is how many older requests a new one looks at: each new one has ended
// those before it, so that more than a few cannot wait. What is left is the sweep's.
const maxOlder = 8

// OpenBefore are the open requests that are queued for a target of r, the newest
// first and mostOlder at most.
func OpenBefore(ctx context.Context, s pipeline.Store, r pipeline.Request) ([]OpenEntry, error) {
	entries, err := OpenEntries(ctx, s, OpenPrefix(r.Customer))
	entries = slices.DeleteFunc(entries, func(e OpenEntry) bool { return e.Request == r.ID })
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	queued := map[pipeline.RequestID]bool{}
	for _, t := range r.Targets {
		if !r.Applies(t.Target) {
			continue
		}
		prefix := QueuePrefix(t.Target)
		keys, err := s.ListAfter(ctx, prefix, prefix+entries[0].before())
		if err != nil {
			return nil, fmt.Errorf("look for older requests of %s: %w", t, err)
		}
		for _, key := range keys {
			if id, known := EntryOf(key); known {
				queued[id] = true
			}
		}
	}
	slices.Reverse(entries)
	entries = slices.DeleteFunc(entries, func(e OpenEntry) bool { return !queued[e.Request] })
	return entries[:min(len(entries), maxOlder)], nil
}

// before is a place in a queue in front of the request of the entry and of those after
// it.
func (e OpenEntry) before() string {
	order := strings.TrimPrefix(e.Key, OpenPrefix(e.Customer))
	return order[:max(0, len(order)-len(e.Request))]
}

// MarkOpen enters a request into the index; an entry that is there already stays.
func MarkOpen(ctx context.Context, s pipeline.Store, r pipeline.Request) error {
	err := s.Create(ctx, OpenKey(r), strings.NewReader(string(r.ID)))
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return fmt.Errorf("note that request %s is open: %w", r.ID.Short(), err)
	}
	return nil
}

// MarkClosed removes a request from the index.
func MarkClosed(ctx context.Context, s pipeline.Store, r pipeline.Request) error {
	if err := s.Delete(ctx, OpenKey(r)); err != nil {
		return fmt.Errorf("note that request %s is closed: %w", r.ID.Short(), err)
	}
	return nil
}
