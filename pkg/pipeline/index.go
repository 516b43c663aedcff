package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// index is one of the lists of requests, ordered by what was pushed last. An entry is
// believed when its request, which is verified, has its place there by itself; one in
// another place was put there by a verdict of fetch-vars, and is a record of its own.
type index struct {
	customer CustomerName
	env      Environment // of a queue
	prefix   string
	holds    func(Request) bool
}

// queueOf lists the requests that apply to a target.
func queueOf(c CustomerName, env Environment) index {
	return index{customer: c, env: env, prefix: queuePrefix(c, env), holds: func(r Request) bool { return r.worksOn(env) && r.Applies(env) }}
}

// pullOf lists the requests of a pull request.
func pullOf(c CustomerName, number int) index {
	return index{customer: c, prefix: pullPrefix(c, number), holds: func(r Request) bool { return r.PullRequest == number }}
}

// commitOf lists the requests for the commit of r, which share its statuses.
func commitOf(r Request) index {
	return index{customer: r.Customer, prefix: commitPrefix(r), holds: func(o Request) bool { return o.Commit == r.Commit }}
}

// own is the key that a request has by itself.
func (x index) own(r Request) string { return x.prefix + r.order() }

// place is where a verdict lies.
func (x index) place() planAttempt { return planAttempt{customer: x.customer, env: x.env} }

// promote enters a request behind another one. An entry that is there stays.
func (x index) promote(ctx context.Context, s records, key string, winner RequestID) error {
	err := s.create(ctx, x.place(), key, winner)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// verifies reports whether an entry is one of r, which was verified. Others are
// leftovers of a fetch-vars that died, or were laid there, and say nothing.
func (x index) verifies(ctx context.Context, s records, key string, r Request) (bool, error) {
	if !x.holds(r) {
		return false, nil
	}
	if key == x.own(r) {
		return true, nil
	}
	var winner RequestID
	err := s.read(ctx, x.place(), key, &winner)
	if errors.Is(err, ErrTampered) || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && winner == r.ID, err
}

// load reads and verifies the request of an entry; believed is false for an entry that
// says nothing. An entry without its request is one: fetch-vars writes the request
// last, and may have died before.
func (x index) load(ctx context.Context, s records, key string) (r Request, believed bool, err error) {
	id, known := entryOf(key)
	if !known {
		return Request{}, false, nil
	}
	r, err = loadRequest(ctx, s, x.customer, id)
	if errors.Is(err, ErrNotFound) {
		return Request{}, false, nil
	}
	if err == nil {
		believed, err = x.verifies(ctx, s, key, r)
	}
	return r, believed, err
}

// newest returns the newest request of the index that came after request and fits;
// found is false when there is none.
func (x index) newest(ctx context.Context, s records, request Request, fits func(Request) bool) (newer Request, found bool, err error) {
	keys, err := s.ListAfter(ctx, x.prefix, x.own(request))
	for i := len(keys) - 1; i >= 0 && err == nil; i-- {
		r, believed := request, false
		if id, _ := entryOf(keys[i]); id == request.ID {
			believed, err = x.verifies(ctx, s, keys[i], request)
		} else {
			r, believed, err = x.load(ctx, s, keys[i])
		}
		switch {
		case err != nil || !believed:
		case r.ID == request.ID: // by a verdict, and nothing is newer
			return Request{}, false, nil
		case fits == nil || fits(r):
			return r, true, nil
		}
	}
	if err != nil {
		return Request{}, false, fmt.Errorf("look for requests that are newer than %s: %w", request.ID.Short(), err)
	}
	return Request{}, false, nil
}

// latest returns the newest request of the index that fits. It looks back from a time
// in steps, since an index cannot be listed from its end.
func (x index) latest(ctx context.Context, s records, from time.Time, fits func(Request) bool) (Request, bool, error) {
	seen := x.prefix + "~" // behind every entry
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 0} {
		after := x.prefix
		if back > 0 {
			after += orderStart(from.Add(-back))
		}
		keys, err := s.ListAfter(ctx, x.prefix, after)
		if err != nil {
			return Request{}, false, err
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
	return Request{}, false, nil
}

// highest is the last entry of a request among keys, or where it stands by itself.
func (x index) highest(ctx context.Context, s records, keys []string, r Request) (string, error) {
	for _, key := range slices.Backward(keys) {
		if id, known := entryOf(key); !known || id != r.ID || key <= x.own(r) {
			continue
		}
		if believed, err := x.verifies(ctx, s, key, r); err != nil || believed {
			return key, err
		}
	}
	return x.own(r), nil
}

// superseding returns the id of the newest request in the queue of the target
// when that is newer than request, or "".
func superseding(ctx context.Context, s records, request Request, env Environment) (RequestID, error) {
	newer, _, err := queueOf(request.Customer, env).newest(ctx, s, request, nil)
	return newer.ID, err
}

// entryOf reads the request id out of the key of an index; false for a key of another
// form.
func entryOf(key string) (RequestID, bool) {
	const uuid = 36
	id, err := ParseRequestID(key[max(0, len(key)-uuid):])
	return id, err == nil && strings.HasSuffix(key, "-"+string(id))
}
