package issues

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Keeper keeps at most one issue for each key in the customers' repositories. It is
// run by one process at a time.
//
// What nothing has changed about is not even read: the store knows the number of
// the issue and what was written to it. What people did with it counts when
// something is to be written: a label snoozes it, and one that they have closed is
// opened again when the finding has changed.
type Keeper struct {
	Kind    Kind
	Manager pipeline.Slug // whose issues they are
	Records record.Records
	GitHub  Tracker
	Now     func() time.Time
}

// Run brings the issues in line with the findings, in at most budget writes; the rest
// is left to the next run. A key without a finding keeps its issue as it is. run is the
// id of this run. The error is that of the store alone: what GitHub refuses is reported
// key by key.
func (k Keeper) Run(ctx context.Context, run string, book Book, findings []Finding, budget int) ([]Outcome, error) {
	w := &work{Keeper: k, book: book, left: budget, repos: map[string]*repository{}}
	todo, outcomes := w.pick(findings)
	if len(todo) > 0 {
		// What may be made is noted before: who is killed after that finds it again.
		if err := w.intend(ctx, run, todo); err != nil {
			return nil, err
		}
	}
	for _, t := range todo {
		outcomes = append(outcomes, w.one(ctx, t))
	}
	if len(todo) > 0 {
		// A cancelled run keeps what it has done as well.
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := k.save(keep, w.book, run); err != nil {
			return outcomes, err
		}
	}
	slices.SortFunc(outcomes, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Name, b.Name))
	})
	return outcomes, ctx.Err()
}

// work is one run.
type work struct {
	Keeper
	book  Book
	left  int    // writes
	stop  string // why nothing is written any more; empty while it is
	repos map[string]*repository
}

// task is one finding whose issue is to be looked at.
type task struct {
	Finding
	body string // with its marker; empty: the issue is to be closed
	hash string
}

// pick finds the findings whose issue may have to be written: first those of keys that
// have ended, in the order of their keys. Those that failed the last time come at the
// end, so that they keep no one from the budget; in other respects what is to be closed
// comes first, and then what is known longest.
func (w *work) pick(findings []Finding) (todo []task, outcomes []Outcome) {
	var ended []task
	for _, f := range findings {
		t := task{Finding: f}
		stored, known := w.book.of(f)
		if f.Body != "" {
			t.body = w.Marker(f) + "\n" + f.Body
			t.hash = hashOf(t.body)
		}
		switch {
		case f.Ended:
			ended = append(ended, t)
		case t.body == "" && (!known || !stored.Open):
		case t.body != "" && known && stored.Hash == t.hash:
			outcomes = append(outcomes, Outcome{Customer: f.Customer.Name, Name: f.Name, Number: stored.Number, URL: stored.URL, Action: Unchanged})
		default:
			todo = append(todo, t)
		}
	}
	slices.SortStableFunc(todo, func(a, b task) int {
		return cmp.Or(falseFirst(w.book.Targets[a.Key()].Failed, w.book.Targets[b.Key()].Failed), falseFirst(a.body != "", b.body != ""),
			a.Since.Compare(b.Since))
	})
	slices.SortFunc(ended, func(a, b task) int { return strings.Compare(a.Key(), b.Key()) })
	return append(ended, todo...), outcomes
}

// Marker is the first line of an issue, by which it is found again.
func (k Keeper) Marker(f Finding) string {
	return pipeline.Marker(k.Manager, f.Customer.Name, k.Kind.Name+":"+f.Name)
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// one brings one issue in line and says what it did.
func (w *work) one(ctx context.Context, t task) Outcome {
	outcome := Outcome{Customer: t.Customer.Name, Name: t.Name}
	stored, _ := w.book.of(t.Finding)
	outcome.Number, outcome.URL = stored.Number, stored.URL
	switch {
	case w.stop == "" && ctx.Err() != nil:
		w.stop = "the run was stopped"
	case w.stop == "" && w.left < t.cost():
		w.stop = "the writes of this run are used up"
	}
	if w.stop != "" {
		outcome.Action, outcome.Reason = Waiting, w.stop
		return outcome
	}
	err := w.write(ctx, t, &stored, &outcome)
	stored.Failed = err != nil
	if err != nil {
		outcome.Action, outcome.Reason = Failed, err.Error()
		var github interface{ Cause() string }
		if errors.As(err, &github) && github.Cause() == "rate-limit" {
			w.stop, outcome.Action = "GitHub's rate limit is reached", Waiting
			stored.Failed = false
		}
	}
	w.book.Targets[t.Key()] = stored
	if t.Ended && outcome.Action != Waiting {
		w.forget(ctx, t, err)
	}
	return outcome
}

// cost is the most writes that a key may need.
func (t task) cost() int {
	if t.body == "" {
		return 2 // a comment, and the end
	}
	return 1
}
