package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The index of open requests names every request that nobody has closed yet, so
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
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	queued := map[pipeline.RequestID]bool{}
	for _, env := range r.Targets {
		if !r.Applies(env) {
			continue
		}
		prefix := QueuePrefix(r.Customer, env)
		keys, err := s.ListAfter(ctx, prefix, prefix+entries[0].before())
		if err != nil {
			return nil, fmt.Errorf("look for older requests of %s/%s: %w", r.Customer, env, err)
		}
		for _, key := range keys {
			if id, known := EntryOf(key); known {
				queued[id] = true
			}
		}
	}
	slices.Reverse(entries)
	entries = slices.DeleteFunc(entries, func(e OpenEntry) bool { return e.Request == r.ID || !queued[e.Request] })
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
