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
	// Force restores a copy that is not the state that the last apply left.
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
}

// Restore pushes a copy to the backend of the target. The tool takes the lock and refuses
// to replace another state. A copy that does not fit the last apply is a *RefusedError
// without from.Force, and nothing is changed then.
func (r *Restorer) Restore(ctx context.Context, in pipeline.TargetInput, from StateCopy) (Restored, error) {
	var done Restored
	err := registry.CheckOwner(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, in.Customer, in.Environment)
	if err != nil {
		return done, err
	}
	fit, err := r.Compare(ctx, in, from.State)
	if err != nil {
		return done, err
	}
	done.Misfit = fit.Misfit
	if done.Misfit != nil && !from.Force {
		return done, refuseMisfit(in, from, done.Misfit)
	}
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return done, fmt.Errorf("create the run directory: %w", err)
	}
	kept := pipeline.KeptState{File: from.File}
	aside := &aside{Restorer: r, in: in}
	if from.Replace {
		kept.Replace = func(ctx context.Context, damaged bool) error { return aside.clear(ctx, done.words(from), damaged) }
	}
	job := pipeline.Job{Customer: in.Customer, Environment: in.Environment, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
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
		return done, fmt.Errorf("the state is back, but that could not be recorded; record it with `metapipe state accept --customer %s --environment "+
			"%s --reason TEXT`: %w", in.Customer.Name, in.Environment, err)
	}
	return done, nil
}

// words say for the ledger where a state has come from.
func (d Restored) words(from StateCopy) string {
	what := from.From
	if d.Misfit != nil {
		what = "forced, does not fit: " + what + " (" + d.Misfit.Why + ")"
	}
	if d.Replaced != "" {
		what += "; what it replaced is kept as " + d.Replaced
	}
	return what
}

func refuseMisfit(in pipeline.TargetInput, from StateCopy, misfit *pipeline.LostState) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost,
		Message: fmt.Sprintf("%s is not the state that the last apply of %s left, so nothing was restored: with it, %s", from.Name, in.Target(), misfit.Why),
		Next:    "look for the copy that fits. Where there is none, add --force: what was built since is not in the copy, and must be imported (docs/RECOVERY.md, \"A state is lost\")"}
}
