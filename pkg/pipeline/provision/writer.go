package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// UnknownError is the error of a request of which it is not known whether it was carried out.
type UnknownError struct{ Err error }

func (e *UnknownError) Error() string { return e.Err.Error() }

func (e *UnknownError) Unwrap() error { return e.Err }

// Writer writes stacks, one by one.
type Writer struct {
	Spacelift Spacelift
	Manager   pipeline.Slug
	Salt      pipeline.Salt
	wanted    map[string]Wanted
	found     map[string]Found // as they were read last
	failed    map[string]bool
}

// add takes a stack into the plan, and returns its row.
func (w *Writer) add(wanted Wanted, found Found, there bool) (change.Row, error) {
	w.wanted[wanted.ID] = wanted
	row := change.Row{Place: change.Place{Name: wanted.ID}, What: What, Old: change.None}
	if wanted.Target.Customer != "" {
		row.Customers = []pipeline.CustomerName{wanted.Target.Customer}
	}
	var err error
	if there {
		w.found[wanted.ID] = found
		if row.Old, err = found.seen(wanted, w.Salt).encode(); err != nil {
			return change.Row{}, err
		}
	}
	row.New, err = wanted.Stack.encode()
	return row, err
}

// steps bring a stack from what was read last to what is wanted.
func (w *Writer) steps(wanted Wanted) []Step {
	found, there := w.found[wanted.ID]
	if !there {
		return steps(nil, Stack{Values: []Value{}}, wanted.Stack, wanted)
	}
	return steps(&found, found.seen(wanted, w.Salt), wanted.Stack, wanted)
}

// Batches implements change.Writer: a stack at a time, those that others need before them.
func (w *Writer) Batches(rows []change.Row) [][]change.Row {
	return slices.Collect(slices.Chunk(rows, 1))
}

// Read implements change.Writer.
func (w *Writer) Read(ctx context.Context, rows []change.Row) []change.Seen {
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		found, there, err := w.Spacelift.Stack(ctx, r.Name)
		switch {
		case err != nil:
			seen[i].Err = err
			continue
		case !there:
			delete(w.found, r.Name)
			seen[i] = change.Seen{Place: r.Place, Value: change.None}
			continue
		case !found.OwnedBy(w.Manager):
			seen[i].Err = fmt.Errorf("the stack %s lacks the label %s: it does not belong to this manager", r.Name, OwnerLabel(w.Manager))
			continue
		}
		w.found[r.Name] = found
		value, err := found.seen(w.wanted[r.Name], w.Salt).encode()
		seen[i] = change.Seen{Place: r.Place, Value: value, Err: err}
	}
	return seen
}

// Write implements change.Writer. It stops at the first request that fails: what is there then is disabled, and a
// later run goes on from there. The failure of one stack stops no other one.
func (w *Writer) Write(ctx context.Context, rows []change.Row) error {
	for _, r := range rows {
		wanted := w.wanted[r.Name]
		for _, id := range wanted.Stack.Needs {
			if w.failed[id] {
				w.failed[r.Name] = true
				return &change.OnePlaceError{Err: fmt.Errorf("%s, which it needs, failed", id)}
			}
		}
		if err := w.write(ctx, wanted); err != nil {
			w.failed[r.Name] = true
			return &change.OnePlaceError{Err: err}
		}
	}
	return nil
}

// rounds is how often a stack is read again after a request whose outcome is not known.
const rounds = 6

// write makes the requests about one stack. Where the outcome of one is not known, it looks what is there, and goes
// on from that.
func (w *Writer) write(ctx context.Context, wanted Wanted) error {
	for round := 1; ; round++ {
		err := w.requests(ctx, wanted)
		var unknown *UnknownError
		if !errors.As(err, &unknown) || round == rounds || ctx.Err() != nil {
			return err
		}
		found, there, lookErr := w.Spacelift.Stack(ctx, wanted.ID)
		switch {
		case lookErr != nil:
			return errors.Join(err, lookErr)
		case !there:
			delete(w.found, wanted.ID)
		case !found.OwnedBy(w.Manager):
			return errors.Join(err, fmt.Errorf("a stack with the id %s is there now, and it does not belong to this manager", wanted.ID))
		default:
			w.found[wanted.ID] = found
		}
	}
}

func (w *Writer) requests(ctx context.Context, wanted Wanted) error {
	for _, step := range w.steps(wanted) {
		if err := w.Spacelift.Do(ctx, wanted.ID, step); err != nil {
			return fmt.Errorf("%s: %w", step.Action, err)
		}
	}
	return nil
}
