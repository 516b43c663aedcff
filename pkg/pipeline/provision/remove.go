package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Remover removes one stack that nothing asks for any more.
type Remover struct {
	Spacelift Spacelift
	Manager   pipeline.Slug
	Ledger    ledger.Ledger
	Now       func() time.Time
	Sleep     func(context.Context, time.Duration) error
	Actor     string
	Run       pipeline.Run
	Host      string
	Salt      pipeline.Salt
	Logf      func(format string, args ...any)
	// Wait is how long it is looked whether the stack is gone.
	Wait time.Duration
}

// Removal is what is asked for.
type Removal struct {
	ID      string
	Destroy bool // destroy its resources first
	Wanted  bool // the files of the manager still ask for the stack
}

// Check says why a stack cannot be removed, and returns it.
func (r *Remover) Check(ctx context.Context, in Removal) (Found, error) {
	found, there, err := r.Spacelift.Stack(ctx, in.ID)
	switch {
	case err != nil:
		return Found{}, err
	case !there:
		return Found{}, pipeline.Usagef("Spacelift has no stack %s, or the API key does not see it", pipeline.Quote(in.ID)).Nextf("`metapipe spacelift sync` names the stacks that nothing asks for")
	case !found.OwnedBy(r.Manager):
		return Found{}, r.refuse(in, "it lacks the label "+OwnerLabel(r.Manager)+", so it does not belong to this manager", "remove it in Spacelift")
	case in.Wanted:
		return Found{}, r.refuse(in, "the files of the manager still ask for it", "let Actions run its target (runner: actions), or remove it from the customer's file, then run `metapipe spacelift sync --apply`")
	case found.Enabled:
		return Found{}, r.refuse(in, "it is enabled", "run `metapipe spacelift sync --apply`, which disables what nothing asks for")
	case found.Blocker != "":
		return Found{}, r.refuse(in, "its run "+found.Blocker+" has not ended", "discard the run in Spacelift, or wait for it")
	case found.ManageState && !in.Destroy:
		return Found{}, r.refuse(in, "Spacelift keeps its state, which would be lost with it", "export the state in Spacelift and import it elsewhere, or add --destroy-resources")
	}
	return found, nil
}

func (r *Remover) refuse(in Removal, why, next string) error {
	return &pipeline.RefusedError{Message: fmt.Sprintf("the stack %s is not removed: %s", in.ID, why), Next: next}
}

// steps are the requests of a removal.
func (r *Remover) steps(found Found, in Removal) []Step {
	seen := found.Stack
	seen.Labels = kept(found.Labels, IsOwnLabel)
	remove := Step{Action: Delete, Destroy: in.Destroy}
	if !found.Protected {
		return []Step{remove}
	}
	return []Step{{Action: Update, Stack: seen, Kept: found.Kept, Unprotect: true}, remove}
}

// Remove removes the stack that Check has returned, and waits until it is gone.
func (r *Remover) Remove(ctx context.Context, found Found, in Removal) error {
	target, _ := found.Target()
	about := pipeline.Target{Customer: target.Customer}
	old, err := found.seen(Wanted{}, r.Salt).encode()
	if err != nil {
		return err
	}
	c := &ledger.Change{Plan: string(pipeline.NewRequestID()), Place: in.ID, What: What, Old: string(old), New: string(change.None)}
	if len(c.Old) > ledger.MaxChangeValue {
		c.Old = `"too long to record"`
	}
	write := func(ctx context.Context, event ledger.Event, message string) error {
		_, err := r.Ledger.Append(ctx, ledger.Entry{Target: about, Event: event, Actor: r.Actor, Run: r.Run, Host: r.Host, Message: message, Change: c})
		return err
	}
	what := "remove the stack " + in.ID
	if in.Destroy {
		what += " and destroy its resources"
	}
	if err := write(ctx, ledger.Changing, what); err != nil {
		return err
	}
	err = r.requests(ctx, found, in)
	event, message := ledger.Changed, what+": done"
	if err != nil {
		event, message = ledger.Unchanged, what+": "+pipeline.PlainLine(err.Error())
	}
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	if writeErr := write(last, event, message); writeErr != nil && err == nil {
		return fmt.Errorf("the stack %s is removed; that is not recorded: %w", in.ID, writeErr)
	}
	return err
}

// requests makes the requests, and waits. A deletion goes on in Spacelift after its answer.
func (r *Remover) requests(ctx context.Context, found Found, in Removal) error {
	if !found.Deleting {
		for _, step := range r.steps(found, in) {
			if err := r.Spacelift.Do(ctx, in.ID, step); err != nil {
				return err
			}
		}
	}
	deadline := r.Now().Add(r.Wait)
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		gone, err := r.Spacelift.Deleted(ctx, in.ID)
		switch {
		case err != nil || gone:
			return err
		case !r.Now().Add(pause).Before(deadline):
			return &pipeline.WaitingError{Message: fmt.Sprintf("Spacelift is still deleting %s after %s", in.ID, r.Wait), Next: "run the same command again: it waits on"}
		}
		r.Logf("Spacelift is deleting %s", in.ID)
		if err := r.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}
