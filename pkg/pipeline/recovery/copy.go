package recovery

import (
	"context"
	"fmt"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// StateCopy is a copy that the state of a target can be restored from.
type StateCopy struct {
	File  string // in clear, private
	State pipeline.StateRecord
	Name  string // for messages, such as "version 7" or a file with its path
	From  string // where the copy comes from, for the ledger
	// Force restores a copy that is not, or not known to be, the state that the last apply left.
	Force bool
	// Replace replaces what lies in the place of the state, and keeps a copy of it. That
	// place is in the store.
	Replace bool
}

// Restored is a state that is in its backend again.
type Restored struct {
	State pipeline.StateVersion
	// Replaced is the key of the store under which the object is kept that lay in the place
	// of the state; empty where there was none.
	Replaced string
	// Misfit is what the copy lacks against the last apply; nil where it fits.
	Misfit *pipeline.LostState
	// Doubt is why the copy is not known to fit; empty where it is known.
	Doubt string
}

// Restore pushes a copy to the backend of the target. The tool takes the lock and refuses
// to replace another state. A copy that does not fit the last apply, or is not known to, is a
// *RefusedError without from.Force, and one of another target always. Nothing is changed then.
func (r *Restorer) Restore(ctx context.Context, in pipeline.TargetInput, from StateCopy) (Restored, error) {
	var done Restored
	err := registry.CheckOwner(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, in.Customer, in.Target())
	if err != nil {
		return done, err
	}
	fit, err := r.Compare(ctx, in, from.State)
	if err != nil {
		return done, err
	}
	if err := from.check(in, fit); err != nil {
		return done, err
	}
	done.Misfit, done.Doubt = fit.Misfit, fit.Doubt
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return done, fmt.Errorf("create the run directory: %w", err)
	}
	kept := pipeline.KeptState{File: from.File}
	aside := &aside{Restorer: r, in: in}
	if from.Replace {
		kept.Replace = func(ctx context.Context, damaged bool) error { return aside.clear(ctx, done.words(from), damaged) }
	}
	job := pipeline.Job{Customer: in.Customer, Environment: in.Environment, Stack: in.Stack, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
	if done.State, err = r.Engine.PushState(ctx, job, kept); err != nil {
		if from.Replace {
			err = aside.settle(ctx, err)
		}
		done.Replaced = aside.key
		return done, err
	}
	done.Replaced = aside.key
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	err = r.note(last, in, ledger.Restored, pipeline.StateRecord{StateVersion: done.State, Resources: from.State.Resources}, done.words(from))
	if err != nil {
		err = aside.wayBack(err)
		return done, fmt.Errorf("the state is back, but that could not be recorded; record it with `metapipe state accept %s --reason TEXT`: %w", in.Target().Flags(), err)
	}
	return done, nil
}

// words say for the ledger where a state has come from.
func (d Restored) words(from StateCopy) string {
	what := from.From
	if d.Misfit != nil {
		what = "forced, does not fit: " + what + " (" + d.Misfit.Why + ")"
	}
	if d.Doubt != "" {
		what = "forced, not known to fit: " + what + " (" + d.Doubt + ")"
	}
	if d.Replaced != "" {
		what += "; what it replaced is kept as " + d.Replaced
	}
	return what
}

// check refuses a copy that must not be restored.
func (from StateCopy) check(in pipeline.TargetInput, fit Fit) error {
	switch {
	case fit.Owner != nil:
		return refuseForeign(in, from.Name, *fit.Owner)
	case from.Force:
		return nil
	case fit.Misfit != nil:
		return refuseMisfit(in, from, fit.Misfit)
	case fit.Doubt != "":
		return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost,
			Message: fmt.Sprintf("%s is not known to be the state that the last apply of %s left, so nothing was restored: %s", from.Name, in.Target(), fit.Doubt),
			Next:    "look for a copy that is known to fit. When you know that this one is right, add --force"}
	}
	return nil
}

func refuseMisfit(in pipeline.TargetInput, from StateCopy, misfit *pipeline.LostState) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost,
		Message: fmt.Sprintf("%s is not the state that the last apply of %s left, so nothing was restored: with it, %s", from.Name, in.Target(), misfit.Why),
		Next:    "look for the copy that fits. Where there is none, add --force: what was built since is not in the copy, and must be imported (docs/RECOVERY.md, \"A state is lost\")"}
}
