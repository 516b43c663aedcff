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

// clockStep is by how much two readings of one machine's clock may disagree: the
// tool and metapipe round them, and the clock may be set in between.
const clockStep = 2 * time.Second

// Holder is a step of a request that may have taken a lock.
type Holder struct {
	Request   pipeline.Request
	Command   string // plan or apply
	Run       pipeline.Run
	StartedAt time.Time

	mark string // key of the record of its begin
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
func LockHolders(ctx context.Context, s Reader, t pipeline.Target, lock pipeline.Lock) (Holders, error) {
	went := func(h Holder, host string, ended *Result, step time.Duration) bool {
		return host != "" && host == lock.Host() && !lock.Created.Before(h.StartedAt.Add(-step)) && (ended == nil || !lock.Created.After(ended.At.Add(step)))
	}
	all, err := stepsOf(ctx, s, t, func(h *Holder, host string, ended *Result) bool {
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
func UnfinishedSteps(ctx context.Context, s Reader, t pipeline.Target) (Holders, error) {
	return stepsOf(ctx, s, t, IsRunning)
}

// IsRunning selects the steps that have recorded no end.
func IsRunning(_ *Holder, _ string, ended *Result) bool { return ended == nil }

// stepsOf finds the steps of open requests that may hold locks and fit, oldest first.
func stepsOf(ctx context.Context, s Reader, t pipeline.Target, fits func(h *Holder, host string, ended *Result) bool) (Holders, error) {
	entries, err := OpenEntries(ctx, s, OpenPrefix(t.Customer))
	if err != nil {
		return nil, err
	}
	var found Holders
	for _, e := range entries {
		request, err := e.Load(ctx, s)
		if errors.Is(err, pipeline.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !request.WorksOn(t) || !request.Applies(t) {
			continue // plans without an apply take no lock
		}
		steps, err := StepsIn(ctx, s, request, t, fits)
		if err != nil {
			return nil, err
		}
		found = append(found, steps...)
	}
	slices.SortStableFunc(found, func(a, b Holder) int { return a.StartedAt.Compare(b.StartedAt) })
	return found, nil
}

// StepsIn looks at all plannings of a request: a job that was run again may have left
// the lock of its first attempt.
func StepsIn(ctx context.Context, s Reader, request pipeline.Request, t pipeline.Target, fits func(h *Holder, host string, ended *Result) bool) (Holders, error) {
	folders, err := planAttempts(ctx, s, request, t)
	if err != nil {
		return nil, err
	}
	var found Holders
	for _, folder := range folders {
		type step struct{ command, start, result string }
		steps := []step{{"plan", ObjectStart, ObjectPlanned}}
		for n := 1; n <= folder.attempts(); n++ {
			steps = append(steps, step{"apply", AttemptStartObject(n), AttemptResultObject(n)})
		}
		for _, step := range steps {
			var begun StartRecord
			if err := s.ReadRecord(ctx, folder, step.start, &begun); err != nil {
				return nil, err
			}
			var ended *Result
			if folder.Has(step.result) {
				ended = &Result{}
				if err := s.ReadRecord(ctx, folder, step.result, ended); err != nil {
					return nil, err
				}
			}
			h := Holder{Request: request, Command: step.command, Run: begun.Run, StartedAt: begun.At, mark: folder.Key(step.start)}
			if begun.NotStarted == nil && fits(&h, begun.Host, ended) {
				found = append(found, h)
			}
		}
	}
	return found, nil
}
