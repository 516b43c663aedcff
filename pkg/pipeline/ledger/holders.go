package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// clockStep is by how much two readings of one machine's clock may disagree: the
// tool and metapipe round them, and the clock may be set in between.
const clockStep = 2 * time.Second

// Holder is a step of a request that may have taken a lock.
type Holder struct {
	Request   pipeline.Request
	Command   string // plan or apply
	Run       pipeline.Run
	StartedAt time.Time

	mark string // key of the record of its begin, for an apply of its entry
	near bool   // its time fits only when the clock was wrong
}

// String is the holder for people.
func (h Holder) String() string {
	s := fmt.Sprintf("the %s of request %s", h.Command, h.Request.ID.Short())
	if h.Run.ID != 0 {
		s += fmt.Sprintf(" (run %d, attempt %d, %s)", h.Run.ID, max(h.Run.Attempt, 1), h.Run.URL)
	}
	return s
}

// Holders are all steps that may have taken one lock.
type Holders []Holder

// String names all of them.
func (hs Holders) String() string {
	names := make([]string, len(hs))
	for i, h := range hs {
		names[i] = h.String()
	}
	return strings.Join(names, " or ")
}

// Likely are the steps that the lock is blamed on: those that went on when it was taken,
// and only without any such step those within the clock's error of it. More than one
// means that no one can say who holds the lock.
func (hs Holders) Likely() Holders {
	sure := slices.DeleteFunc(slices.Clone(hs), func(h Holder) bool { return h.near })
	if len(sure) > 0 {
		return sure
	}
	return hs
}

// Possible leaves out the steps whose run had ended when the lock was taken, where more
// than one is likely and GitHub can be asked through ask. A step that is left out wrongly,
// by a clock that goes wrong, is dead all the same.
func (hs Holders) Possible(ctx context.Context, lock pipeline.Lock, ask func(context.Context, pipeline.Run) (pipeline.WorkflowRun, error)) (Holders, error) {
	if len(hs.Likely()) < 2 {
		return hs, nil
	}
	var left Holders
	for _, h := range hs {
		if h.Run.ID != 0 {
			now, err := ask(ctx, h.Run)
			if err != nil {
				return nil, err
			}
			ended := now.Status == "completed" && !now.UpdatedAt.IsZero() // not known of a deleted run
			if ended && now.Attempt <= h.Run.Attempt && lock.Created.After(now.UpdatedAt.Add(clockStep)) {
				continue
			}
		}
		left = append(left, h)
	}
	return left, nil
}

// Of reports whether one of the steps belongs to a request.
func (hs Holders) Of(id pipeline.RequestID) bool {
	return slices.ContainsFunc(hs, func(h Holder) bool { return h.Request.ID == id })
}

// LockHolders finds the steps of open requests that may have taken a lock. The tool
// writes its machine and the time into the lock; a step has written the same into its
// mark, by the same clock, before it started the tool. Requests that were stopped in
// the middle stay open until the sweep has looked at their locks.
func LockHolders(ctx context.Context, s record.Reader, t pipeline.Target, lock pipeline.Lock) (Holders, error) {
	went := func(h Holder, host string, ended *record.Result, step time.Duration) bool {
		return host != "" && host == lock.Host() && !lock.Created.Before(h.StartedAt.Add(-step)) && (ended == nil || !lock.Created.After(ended.At.Add(step)))
	}
	all, err := stepsOf(ctx, s, t, func(h *Holder, host string, ended *record.Result) bool {
		h.near = !went(*h, host, ended, 0)
		return went(*h, host, ended, clockStep)
	})
	// The steps of one attempt follow each other: the one before is no other suspect.
	sure := all.Likely()
	return slices.DeleteFunc(all, func(h Holder) bool {
		return h.near && slices.ContainsFunc(sure, func(o Holder) bool {
			return !o.near && o.Request.ID == h.Request.ID && o.Run.ID == h.Run.ID && o.Run.Attempt == h.Run.Attempt
		})
	}), err
}

// UnfinishedSteps finds the steps of open requests that have begun and recorded no end.
func UnfinishedSteps(ctx context.Context, s record.Reader, t pipeline.Target) (Holders, error) {
	return stepsOf(ctx, s, t, IsRunning)
}

// IsRunning selects the steps that have recorded no end.
func IsRunning(_ *Holder, _ string, ended *record.Result) bool { return ended == nil }

// stepsOf finds the steps of open requests that may hold locks and fit, oldest first.
func stepsOf(ctx context.Context, s record.Reader, t pipeline.Target, fits func(h *Holder, host string, ended *record.Result) bool) (Holders, error) {
	entries, err := record.OpenEntries(ctx, s, record.OpenPrefix(t.Customer))
	if err != nil {
		return nil, err
	}
	var requests []pipeline.Request
	for _, e := range entries {
		request, err := e.Load(ctx, s)
		if errors.Is(err, pipeline.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if request.WorksOn(t) && request.Applies(t) { // plans without an apply take no lock
			requests = append(requests, request)
		}
	}
	return StepsOf(ctx, s, requests, t, fits)
}

// StepsOf finds the steps of requests that fit, oldest first. It looks at all plannings and all
// applies of a request: a job that was run again may have left the lock of its first attempt.
func StepsOf(ctx context.Context, s record.Reader, requests []pipeline.Request, t pipeline.Target, fits func(h *Holder, host string, ended *record.Result) bool) (Holders, error) {
	var found Holders
	results := map[pipeline.RequestID]map[int]record.PlanAttempt{}
	for _, request := range requests {
		steps, folders, err := planSteps(ctx, s, request, t, fits)
		if err != nil {
			return nil, err
		}
		found, results[request.ID] = append(found, steps...), folders
	}
	applies, err := chainOf(s).applies(ctx, t, requests)
	if err != nil {
		return nil, err
	}
	for _, a := range applies {
		ended := a.ended
		if folder, has := results[a.request.ID][a.Sequence]; has {
			result, err := record.ReadApplyResult(ctx, s, folder, a.Sequence)
			if err != nil {
				return nil, err
			}
			ended = &result
		}
		h := Holder{Request: a.request, Command: "apply", Run: a.Run, StartedAt: a.At, mark: record.LedgerKey(t, a.Sequence)}
		if fits(&h, a.Host, ended) {
			found = append(found, h)
		}
	}
	slices.SortStableFunc(found, func(a, b Holder) int { return a.StartedAt.Compare(b.StartedAt) })
	return found, nil
}

// planSteps finds the plannings of a request that fit, and in which folder the result of each
// apply attempt lies.
func planSteps(ctx context.Context, s record.Reader, request pipeline.Request, t pipeline.Target, fits func(h *Holder, host string, ended *record.Result) bool) (Holders, map[int]record.PlanAttempt, error) {
	folders, err := record.PlanAttempts(ctx, s, request, t)
	if err != nil {
		return nil, nil, err
	}
	var found Holders
	results := map[int]record.PlanAttempt{}
	for _, folder := range folders {
		for _, n := range folder.Results() {
			results[n] = folder
		}
		var begun record.StartRecord
		if err := s.ReadRecord(ctx, folder, record.ObjectStart, &begun); err != nil {
			return nil, nil, err
		}
		var ended *record.Result
		if folder.Has(record.ObjectPlanned) {
			planned, err := record.ReadPlanned(ctx, s, folder)
			if err != nil {
				return nil, nil, err
			}
			ended = &planned
		}
		h := Holder{Request: request, Command: "plan", Run: begun.Run, StartedAt: begun.At, mark: folder.Key(record.ObjectStart)}
		if fits(&h, begun.Host, ended) {
			found = append(found, h)
		}
	}
	return found, results, nil
}

// chainOf is the ledger that a reader of records sees: it verifies what the reader verifies.
func chainOf(s record.Reader) Ledger {
	if records, verifies := s.(record.Records); verifies {
		return Ledger{Records: records}
	}
	return Ledger{Records: record.Records{Store: s}}
}

// begunApply is the entry that an apply of a request began with, and its end where the ledger
// knows one.
type begunApply struct {
	Entry
	request pipeline.Request
	ended   *record.Result
}

// applies goes back through the ledger of a target to where the oldest of some requests began,
// and returns their applies, the newest first.
func (l Ledger) applies(ctx context.Context, t pipeline.Target, requests []pipeline.Request) ([]begunApply, error) {
	of, since := map[pipeline.RequestID]pipeline.Request{}, time.Time{}
	for _, r := range requests {
		if of[r.ID] = r; since.IsZero() || r.CreatedAt.Before(since) {
			since = r.CreatedAt
		}
	}
	if len(of) == 0 {
		return nil, nil
	}
	var found []begunApply
	ends := map[int]*record.Result{}
	err := l.back(ctx, t, since, func(e Entry) bool {
		request, wanted := of[e.Request]
		switch {
		case !wanted:
		case e.Event == Applying:
			found = append(found, begunApply{Entry: e, request: request, ended: ends[e.Sequence]})
		case e.Attempt > 0:
			ends[e.Attempt] = &record.Result{Outcome: e.Outcome, At: e.At}
		}
		return true
	})
	return found, err
}
