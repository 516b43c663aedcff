package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The index of open requests names every request that nobody has closed yet, so
// that looking for what hangs costs as much as there is open, and not as much as
// there ever was. fetch-vars writes an entry before the request itself; the
// report that finds nothing open any more removes it. The name of an entry is all
// that is read of it, and its request says whether that is right.

const openRoot = "_metapipe/open/"

func openKey(r Request) string { return openPrefix(r.Customer) + r.order() }

func openPrefix(c CustomerName) string { return openRoot + string(c) + "/" }

// openEntry is one entry of the index: its request may be missing, when
// fetch-vars died before it could write it.
type openEntry struct {
	key      string
	customer CustomerName
	request  RequestID
}

// openEntries lists the index under a prefix, oldest first for each customer.
func openEntries(ctx context.Context, s Store, prefix string) ([]openEntry, error) {
	keys, err := s.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("look for open requests: %w", err)
	}
	var entries []openEntry
	for _, key := range keys {
		if e, is := openEntryOf(key); is {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// openEntryOf reads the key of an entry; false for one that is not ours.
func openEntryOf(key string) (openEntry, bool) {
	rest, is := strings.CutPrefix(key, openRoot)
	name, _, _ := strings.Cut(rest, "/")
	customer, err := ParseCustomerName(name)
	id, known := entryOf(key)
	return openEntry{key: key, customer: customer, request: id}, is && err == nil && known
}

// load reads the request of an entry; ErrNotFound also for an entry that is not where
// its request stands.
func (e openEntry) load(ctx context.Context, s reader) (Request, error) {
	request, err := loadRequest(ctx, s, e.customer, e.request)
	if err == nil && openKey(request) != e.key {
		err = fmt.Errorf("%s: %w: the entry of request %s is %s", e.key, ErrNotFound, request.ID.Short(), openKey(request))
	}
	return request, err
}

// maxOlder is how many older requests a new one looks at: each new one has ended
// those before it, so that more than a few cannot wait. What is left is the sweep's.
const maxOlder = 8

// openBefore are the open requests that are queued for a target of r, the newest
// first and mostOlder at most.
func openBefore(ctx context.Context, s Store, r Request) ([]openEntry, error) {
	entries, err := openEntries(ctx, s, openPrefix(r.Customer))
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	queued := map[RequestID]bool{}
	for _, env := range r.Targets {
		if !r.Applies(env) {
			continue
		}
		prefix := queuePrefix(r.Customer, env)
		keys, err := s.ListAfter(ctx, prefix, prefix+entries[0].before())
		if err != nil {
			return nil, fmt.Errorf("look for older requests of %s/%s: %w", r.Customer, env, err)
		}
		for _, key := range keys {
			if id, known := entryOf(key); known {
				queued[id] = true
			}
		}
	}
	slices.Reverse(entries)
	entries = slices.DeleteFunc(entries, func(e openEntry) bool { return e.request == r.ID || !queued[e.request] })
	return entries[:min(len(entries), maxOlder)], nil
}

// before is a place in a queue in front of the request of the entry and of those after
// it.
func (e openEntry) before() string {
	order := strings.TrimPrefix(e.key, openPrefix(e.customer))
	return order[:max(0, len(order)-len(e.request))]
}

// open enters a request into the index; an entry that is there already stays.
func open(ctx context.Context, s Store, r Request) error {
	err := s.Create(ctx, openKey(r), strings.NewReader(string(r.ID)))
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("note that request %s is open: %w", r.ID.Short(), err)
	}
	return nil
}

// markClosed removes a request from the index.
func markClosed(ctx context.Context, s Store, r Request) error {
	if err := s.Delete(ctx, openKey(r)); err != nil {
		return fmt.Errorf("note that request %s is closed: %w", r.ID.Short(), err)
	}
	return nil
}
