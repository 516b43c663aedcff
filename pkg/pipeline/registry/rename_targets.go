package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// moving is a target that is on its way.
type moving struct {
	old, new pipeline.Target
	from, to pipeline.Backend     // of their states
	file     string               // the state in clear; it is removed at the end
	state    pipeline.StateRecord // under the old name; no lineage: there is none
	there    pipeline.StateRecord // under the new one
	copied   bool                 // the new name has what the old one has
	ahead    bool                 // the new name has gone on since a rename that is only to be finished
	last     record.Opened
	ended    bool // the old name's memories say that it was destroyed
}

// here reports whether the state needs no copy.
func (t moving) here() bool {
	return t.ahead || t.state.Lineage == "" || t.from.String() == t.to.String() || t.there.StateVersion == t.state.StateVersion || t.copied
}

// left is what the new name has once its state is there without a push.
func (t moving) left() pipeline.StateRecord {
	left := t.state
	if t.copied {
		left.StateVersion = t.there.StateVersion
	}
	return left
}

// removeFiles removes states in clear.
func removeFiles(targets []moving) {
	for _, t := range targets {
		_ = os.Remove(t.file) // the directory goes with it
	}
}

// checkIdle refuses while something goes on under one of the names.
func (r *Renamer) checkIdle(ctx context.Context, in RenameInput) error {
	for _, name := range []pipeline.CustomerName{in.Old, in.New.Name} {
		open, err := record.OpenEntries(ctx, r.Store, record.OpenPrefix(name))
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: fmt.Sprintf("request %s of customer %s is open", open[0].Request.Short(), name),
				Next: "wait until its run has ended; `metapipe sweep --fix` closes requests of runs that are gone"}
		}
		stored, err := StoredTargets(ctx, r.Store, name)
		if err != nil {
			return err
		}
		for _, t := range stored {
			if err := r.free(ctx, in, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// free refuses a target with a lock, or with a state that waits to be brought back.
func (r *Renamer) free(ctx context.Context, in RenameInput, t pipeline.Target) error {
	c := in.New
	c.Name = t.Customer
	lock, _, err := r.Locks.Lock(ctx, c, t)
	if err != nil {
		return fmt.Errorf("read the lock of %s: %w", t, err)
	}
	if lock != nil {
		return &pipeline.RefusedError{
			Reason:  pipeline.ReasonLocked,
			Message: fmt.Sprintf("the state of %s is locked by %s", t, lock),
			Next:    "wait until that has ended; `metapipe unlock` releases the lock of a dead run",
		}
	}
	keys, err := r.Store.List(ctx, record.KeptPrefix(t))
	if err != nil {
		return fmt.Errorf("look for kept states of %s: %w", t, err)
	}
	if kept := record.KeptStates(keys); len(kept) > 0 {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("an apply of %s could not write its state, which waits to be brought back", t),
			Next: fmt.Sprintf("give the file the name %s.yml, run `metapipe state recover %s --request %s`, and rename then", t.Customer, t.Flags(), kept[0])}
	}
	return nil
}

// targets reads what there is under the old name, and holds it against the new one.
func (r *Renamer) targets(ctx context.Context, in RenameInput, k known) ([]moving, error) {
	names, err := r.named(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := r.checkTools(in, names); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return nil, fmt.Errorf("create the run directory: %w", err)
	}
	var all []moving
	for _, name := range names {
		t := moving{old: name, new: name, file: filepath.Join(in.RunDir, name.Part()+".tfstate")}
		t.old.Customer = in.Old
		t.from, t.to = in.Backend(t.old), in.Backend(t.new)
		err := r.checkOld(ctx, in, t.old)
		if err == nil {
			err = r.read(ctx, in, &t)
		}
		if err == nil {
			err = r.compare(ctx, in, k, &t)
		}
		all = append(all, t)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// moveChecker is an engine of several tools that knows, before it reads anything, of which targets
// it cannot copy the state.
type moveChecker interface {
	CheckMove(job pipeline.Job) error
}

// checkTools refuses before the first state is read what could be moved in part only.
func (r *Renamer) checkTools(in RenameInput, targets []pipeline.Target) error {
	checker, ok := r.Engine.(moveChecker)
	if !ok {
		return nil
	}
	for _, t := range targets {
		if err := checker.CheckMove(in.job(t, in.Backend(t))); err != nil {
			return err
		}
	}
	return nil
}

// named are the targets under the new name that a rename looks at, in order: those that the
// store has of either name, since also what the old one does not have must not be of another
// customer, and those that metapipe.yml declares, since the store knows nothing of another
// kind of backend.
func (r *Renamer) named(ctx context.Context, in RenameInput) ([]pipeline.Target, error) {
	old, err := StoredTargets(ctx, r.Store, in.Old)
	if err != nil {
		return nil, err
	}
	there, err := StoredTargets(ctx, r.Store, in.New.Name)
	if err != nil {
		return nil, err
	}
	var all []pipeline.Target
	for _, t := range slices.Concat(old, there, in.New.Manager.Chain()) {
		t.Customer = in.New.Name
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return in.New.InOrder(all), nil
}

// checkOld refuses to move what another repository or path has built under the old name.
func (r *Renamer) checkOld(ctx context.Context, in RenameInput, t pipeline.Target) error {
	old := in.New
	old.Name = in.Old
	return CheckOwner(ctx, r.records(), old, t)
}

func (in RenameInput) job(t pipeline.Target, backend pipeline.Backend) pipeline.Job {
	c := in.New
	c.Name = t.Customer
	return pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, ManagerDir: in.ManagerDir, Dir: filepath.Join(in.RunDir, filepath.FromSlash(t.Folder())),
		Backend: backend, Log: pipeline.TargetInput{}.LogOrDiscard()}
}

func (r *Renamer) read(ctx context.Context, in RenameInput, t *moving) (err error) {
	t.state, err = r.Engine.PullState(ctx, in.job(t.old, t.from), t.file)
	if lost := pipeline.AsLost(err); lost != nil {
		return refuseLost(in, lost)
	}
	if err != nil {
		return fmt.Errorf("read the state of %s: %w", t.old, err)
	}
	other := filepath.Join(in.RunDir, t.new.Part()+".there.tfstate")
	t.there, err = r.Engine.PullState(ctx, in.job(t.new, t.to), other)
	if err == nil && t.state.Lineage != "" && t.there.Lineage != "" {
		t.copied, err = r.Engine.SameState(in.job(t.new, t.to), t.file, other)
	}
	_ = os.Remove(other) // the directory goes with it
	if err != nil {
		return fmt.Errorf("read the state of %s: %w", t.new, err)
	}
	if t.last, err = record.OpenLastApply(ctx, r.records(), t.old); err != nil {
		return record.TamperedOr(err, "the record of the last apply of "+t.old.String())
	}
	return nil
}

func refuseLost(in RenameInput, lost *pipeline.LostState) error {
	return &pipeline.RefusedError{
		Reason:  pipeline.ReasonStateLost,
		Message: lost.Why,
		Next:    fmt.Sprintf("give the file the name %s.yml, restore the state (`%s`), and rename then", in.Old, lost.Restore()),
	}
}

// checkLost refuses an old name without the state that it had, and notes whether the
// target was ended.
func (r *Renamer) checkLost(ctx context.Context, in RenameInput, t *moving) error {
	known, err := ledger.Remember(ctx, r.records(), t.old)
	if err != nil {
		return err
	}
	if lost := known.Lost(t.state, t.from.String()); lost != nil {
		return refuseLost(in, lost)
	}
	t.ended = known.Destroyed()
	return nil
}

// compare refuses a new name that has a state or records of its own. A copy of an earlier
// rename, there or back, is of the same lineage and not newer, or has the same content: a
// tool may give a state a new lineage with its first write to a backend. Where a rename is
// only to be finished, the new name may have gone on, and the old state may be removed.
func (r *Renamer) compare(ctx context.Context, in RenameInput, k known, t *moving) error {
	last, found, err := record.LoadLastApply(ctx, r.records(), t.new)
	if err != nil {
		return record.TamperedOr(err, "the record of the last apply of "+t.new.String())
	}
	if found && last.Receipt.RepositoryID == in.New.RepositoryID && k.name == in.New.Name && t.goneOn(last) {
		t.ahead = true
		return nil
	}
	if err := r.checkLost(ctx, in, t); err != nil {
		return err
	}
	why, next := "", in.freeName(*t)
	switch {
	case found && last.Receipt.RepositoryID != in.New.RepositoryID:
		why = fmt.Sprintf("was applied for another repository (id %d)", last.Receipt.RepositoryID)
	case t.there.Lineage == "" || t.from.String() == t.to.String() || t.copied:
	case t.there.Lineage != t.state.Lineage && found && last.State != nil && last.State.StateVersion == t.there.StateVersion:
		why = fmt.Sprintf("has a copy, in %s, that a former rename has made under a lineage of its own, and the state of %s has changed since", t.to, t.old)
		next = fmt.Sprintf("look whether %s is the older one, move it to another place, and run this again: it copies the state once more (docs/RECOVERY.md, \"A customer was renamed\")", t.to)
	case t.there.Lineage != t.state.Lineage:
		why = "has another state, in " + t.to.String()
	case t.there.Serial > t.state.Serial:
		why = fmt.Sprintf("has a newer state, in %s: serial %d, and %s has %d", t.to, t.there.Serial, t.old, t.state.Serial)
	}
	if why == "" {
		return nil
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("%s %s", t.new, why),
		Next: next}
}

// freeName is what the operator does about a new name that is in use.
func (in RenameInput) freeName(t moving) string {
	return fmt.Sprintf("choose a name that no customer has had; or, where this one is of no use any more, move what lies below %s/ out of the store, but for %s and %s, "+
		"and the state in %s where that is another place, and run this again", in.New.Name, record.LedgerPrefix(t.new), record.LedgerPrefix(pipeline.Target{Customer: in.New.Name}), t.to)
}

// goneOn reports whether the new name has left what it got from the old one behind. last
// is its last apply.
func (t moving) goneOn(last record.LastApply) bool {
	if t.last.Found && t.last.Record.At.After(last.At) {
		return false
	}
	return t.state.Lineage == "" || t.last.Found && last.At.After(t.last.Record.At) || !t.copied && t.there.Lineage == t.state.Lineage && t.there.Serial > t.state.Serial
}

func (t moving) moves() []RenameMove {
	var moves []RenameMove
	if t.state.Lineage != "" {
		moves = append(moves, RenameMove{What: MoveState, Environment: t.new.Environment, Stack: t.new.Stack, From: t.from.String(), To: t.to.String(), Done: t.here()})
	}
	if t.last.Found {
		moves = append(moves, RenameMove{What: MoveLastApply, Environment: t.new.Environment, Stack: t.new.Stack, From: record.LastApplyPrefix(t.old), To: record.LastApplyPrefix(t.new)})
	}
	return moves
}
