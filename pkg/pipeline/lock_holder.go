package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// clockStep is by how much two readings of one machine's clock may disagree: the
// tool and metapipe round them, and the clock may be set in between.
const clockStep = 2 * time.Second

// Holder is the step of a request that took a lock.
type Holder struct {
	Request Request
	Verb    string // plan or apply
	Run     Run
	Begun   time.Time
}

// String is the holder for people.
func (h Holder) String() string {
	s := fmt.Sprintf("the %s of request %s", h.Verb, h.Request.ID.Short())
	if h.Run.ID != 0 {
		s += fmt.Sprintf(" (run %d, attempt %d, %s)", h.Run.ID, max(h.Run.Attempt, 1), h.Run.URL)
	}
	return s
}

// LockHolder finds the step that took a lock, or nil when none of an open request
// did. The tool writes its machine and the time into the lock; a step has written
// the same into its mark, by the same clock, before it started the tool. Requests
// that were stopped in the middle stay open until the sweep has looked at their locks.
func LockHolder(ctx context.Context, s Store, c CustomerName, env Environment, lock Lock) (*Holder, error) {
	return stepOf(ctx, s, c, env, func(begun Begun, ended *Ended) bool {
		return begun.Host != "" && begun.Host == lock.Host() && !lock.Created.Before(begun.At.Add(-clockStep)) &&
			(ended == nil || !lock.Created.After(ended.At.Add(clockStep)))
	})
}

// unfinishedStep finds a step of an open request that has begun and told no end.
func unfinishedStep(ctx context.Context, s Store, c CustomerName, env Environment) (*Holder, error) {
	return stepOf(ctx, s, c, env, func(_ Begun, ended *Ended) bool { return ended == nil })
}

// stepOf finds the newest step of an open request that may hold locks and fits.
func stepOf(ctx context.Context, s Store, c CustomerName, env Environment, fits func(begun Begun, ended *Ended) bool) (*Holder, error) {
	entries, err := openEntries(ctx, s, openPrefix(c))
	if err != nil {
		return nil, err
	}
	var found *Holder
	for _, e := range entries {
		request, err := loadRequest(ctx, s, e.customer, e.request)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(request.Targets, env) || !request.Applies(env) {
			continue // plans without an apply take no lock
		}
		h, err := stepIn(ctx, s, request, env, fits)
		if err != nil {
			return nil, err
		}
		if h != nil && (found == nil || h.Begun.After(found.Begun)) {
			found = h
		}
	}
	return found, nil
}

// stepIn looks at the newest planning of a request.
func stepIn(ctx context.Context, s Store, request Request, env Environment, fits func(Begun, *Ended) bool) (*Holder, error) {
	folder, found, err := latestPlanning(ctx, s, request, env)
	if err != nil || !found {
		return nil, err
	}
	type step struct{ verb, begun, ended string }
	steps := []step{{"plan", objectBegun, objectPlanned}}
	for n := 1; n <= folder.uses(); n++ {
		steps = append(steps, step{"apply", useBegun(n), useEnded(n)})
	}
	var holder *Holder
	for _, step := range steps {
		var begun Begun
		if err := peekRecord(ctx, s, folder.key(step.begun), &begun); err != nil {
			return nil, err
		}
		var ended *Ended
		if folder.has(step.ended) {
			ended = &Ended{}
			if err := peekRecord(ctx, s, folder.key(step.ended), ended); err != nil {
				return nil, err
			}
		}
		if begun.Over == nil && fits(begun, ended) {
			holder = &Holder{Request: request, Verb: step.verb, Run: begun.Run, Begun: begun.At}
		}
	}
	return holder, nil
}

// Host is the machine that took the lock: the tool writes user@host.
func (l Lock) Host() string { return l.Who[strings.LastIndexByte(l.Who, '@')+1:] }

// explainLock adds to an error about a lock whose it is and how it goes on.
func explainLock(ctx context.Context, s Store, c CustomerName, env Environment, cause error) {
	var failed *FailedError
	if !errors.As(cause, &failed) || failed.Lock == nil {
		return
	}
	last, cancel := lasting(ctx)
	defer cancel()
	holder, err := LockHolder(last, s, c, env, *failed.Lock)
	if err != nil {
		return // the lock itself is told already
	}
	unlock := fmt.Sprintf("metapipe unlock --customer %s --environment %s --lock-id %s", c, env, failed.Lock.ID)
	if failed.Lock.Who == "" {
		failed.Next = fmt.Sprintf("the backend does not tell whose lock %s is: wait and run this job again; when you know that the process that took it is dead, `%s --no-run`", failed.Lock.ID, unlock)
		return
	}
	if holder == nil {
		failed.Next = fmt.Sprintf("no open request of metapipe holds this lock: ask %s; when that process is dead, `%s --no-run`", failed.Lock.Who, unlock)
		return
	}
	failed.Next = fmt.Sprintf("%s holds it since %s: wait for it and run this job again; when that run has ended, `%s`", holder, failed.Lock.Created.Format(time.RFC3339), unlock)
}
