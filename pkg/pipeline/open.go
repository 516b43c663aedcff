package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The index of open requests names every request that nobody has closed yet, so
// that looking for what hangs costs as much as there is open, and not as much as
// there ever was. fetch-vars writes an entry before the request itself; the
// report that finds nothing open any more removes it.

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
		name, _, _ := strings.Cut(strings.TrimPrefix(key, openRoot), "/")
		customer, err := ParseCustomerName(name)
		if err != nil {
			continue // not ours
		}
		if id, err := ParseRequestID(string(requestOf(key))); err == nil {
			entries = append(entries, openEntry{key: key, customer: customer, request: id})
		}
	}
	return entries, nil
}

// openBeside are the open requests of r's customer but for r itself, oldest first.
func openBeside(ctx context.Context, s Store, r Request) ([]Request, error) {
	entries, err := openEntries(ctx, s, openPrefix(r.Customer))
	if err != nil {
		return nil, err
	}
	var requests []Request
	for _, e := range entries {
		if e.request == r.ID {
			continue
		}
		request, err := loadRequest(ctx, s, e.customer, e.request)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
	return requests, nil
}

// open enters a request into the index; an entry that is there already stays.
func open(ctx context.Context, s Store, r Request) error {
	err := s.Create(ctx, openKey(r), strings.NewReader(string(r.ID)))
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("note that request %s is open: %w", r.ID.Short(), err)
	}
	return nil
}

// settle removes a request from the index.
func settle(ctx context.Context, s Store, r Request) error {
	if err := s.Delete(ctx, openKey(r)); err != nil {
		return fmt.Errorf("note that request %s is closed: %w", r.ID.Short(), err)
	}
	return nil
}
