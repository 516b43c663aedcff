package registry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// move does all moves. The registration is the last write: until then plans of both
// names are refused or go on under the old one.
func (r *Renamer) move(ctx context.Context, in RenameInput, targets []moving, k known) error {
	if k.number == 0 { // copies under the new name must not look as if it were the first one
		old := Registration{RepositoryID: in.New.RepositoryID, Path: in.New.Path, Customer: in.Old, At: r.Now().UTC()}
		if err := record.CreateFleet(ctx, r.records(), RegistrationKey(in.New, 1), old); err != nil {
			return fmt.Errorf("register customer %s: %w", in.Old, err)
		}
		k.number, k.since = 1, old.At
	}
	for _, t := range targets {
		if t.state.Lineage == "" && !t.last.Found {
			continue
		}
		left, _, err := r.copyTarget(ctx, in, k, t)
		if err != nil {
			return err
		}
		if err := r.copyOutputs(ctx, in, k, t); err != nil {
			return err
		}
		if err := r.appendLedger(ctx, in, t.new, t.entry(left)); err != nil {
			return err
		}
	}
	if err := r.appendLedger(ctx, in, pipeline.Target{}, ledger.Entry{}); err != nil {
		return err
	}
	return r.finish(ctx, in, k)
}

// copyTarget copies the state and the record of the last apply of a target. written: at
// least one of them was not there yet.
func (r *Renamer) copyTarget(ctx context.Context, in RenameInput, k known, t moving) (left pipeline.StateRecord, written bool, err error) {
	left = t.left()
	if !t.here() {
		// Before there is a state under the new name, a record says which repository it is of:
		// a rename that is stopped and given up leaves it to no other one.
		if _, err := r.lastApply(ctx, in, k, t, left); err != nil {
			return left, false, fmt.Errorf("write the record of the last apply of %s: %w", t.new, err)
		}
		if left.StateVersion, err = r.Engine.PushState(ctx, in.job(t.new, t.to), pipeline.KeptState{File: t.file, Planned: t.there.StateVersion}); err != nil {
			return left, false, err
		}
		written = true
	}
	sealed, err := r.lastApply(ctx, in, k, t, left)
	if err != nil {
		return left, false, fmt.Errorf("write the record of the last apply of %s: %w", t.new, err)
	}
	return left, written || sealed, nil
}

// lastApply seals the record of the last apply again: a seal is bound to its place. It
// reports whether that was missing. A record that the new name got meanwhile from an apply
// of its own is the newer one, and stays.
func (r *Renamer) lastApply(ctx context.Context, in RenameInput, k known, t moving, left pipeline.StateRecord) (bool, error) {
	if !t.last.Found {
		return false, nil
	}
	s := r.records()
	stored := t.last.Record
	stored.Receipt.Customer = t.new.Customer
	if stored.Path == "" {
		stored.Path = in.New.Path
	}
	if left.Lineage != "" {
		stored.State = &left
	}
	// Listed before the names are read: what an apply of the new name writes after that
	// comes behind this record.
	key, err := record.NextLastApplyKey(ctx, s, t.new, stored.At, stored.Receipt.Request)
	if err != nil {
		return false, err
	}
	there, found, err := record.LoadLastApply(ctx, s, t.new)
	if err != nil {
		return false, err
	}
	if found && there.At.After(stored.At) {
		return false, busyRename(in.Old)
	}
	if found && there.Receipt.Request == stored.Receipt.Request && there.At.Equal(stored.At) && reflect.DeepEqual(there.State, stored.State) {
		return false, nil
	}
	if err := r.unchanged(ctx, in, k); err != nil {
		return false, err
	}
	return true, stored.Seal(ctx, s, key, t.last.Variables)
}

// copyOutputs lets the new name have the outputs that the old one has, for the stacks that
// need them. Where the old name has none, they are not known: what an earlier call has copied
// is not those of the state any more. Outputs that the new name has got from a deployment of
// its own, after the record of the rename, stay.
func (r *Renamer) copyOutputs(ctx context.Context, in RenameInput, k known, t moving) error {
	if len(in.New.NeededBy(t.new)) == 0 {
		return nil
	}
	s := r.records()
	// Listed before the names are read: what an apply of the new name writes after that counts.
	older, err := s.List(ctx, record.OutputsPrefix(t.new))
	if err != nil {
		return err
	}
	left, found, err := record.LoadOutputs(ctx, s, t.old)
	if err != nil {
		return record.TamperedOr(err, "the record of the outputs of "+t.old.String())
	}
	there, has, err := record.LoadOutputs(ctx, s, t.new)
	if err != nil {
		return record.TamperedOr(err, "the record of the outputs of "+t.new.String())
	}
	if !found && !has || found && has && (left.Same(there) || k.name == in.New.Name && there.At.After(left.At)) {
		return nil
	}
	if err := r.unchanged(ctx, in, k); err != nil {
		return err
	}
	if !found {
		if err := record.ForgetOutputs(ctx, r.Store, t.new); err != nil {
			return fmt.Errorf("remove outputs of %s that %s does not have: %w", t.new, t.old, err)
		}
		return nil
	}
	if err := record.SealOutputs(ctx, s, t.new, left, older); err != nil {
		return fmt.Errorf("write the outputs of %s: %w", t.new, err)
	}
	return nil
}

// unchanged refuses when another process has renamed the customer since k was read.
func (r *Renamer) unchanged(ctx context.Context, in RenameInput, k known) error {
	now, err := NameRecords{Records: r.records()}.knownAs(ctx, in.New)
	if err != nil {
		return RegistrationError(err, in.New)
	}
	if now.name != k.name || now.number != k.number {
		return busyRename(in.Old)
	}
	return nil
}

func busyRename(old pipeline.CustomerName) error {
	return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: fmt.Sprintf("another process renames customer %s at this moment", old), Next: "wait until that has ended, and run this again"}
}

// entry is what the ledger of the new name says about a target: the state that is there,
// and whether the target was ended. An ended target may have no state.
func (t moving) entry(left pipeline.StateRecord) ledger.Entry {
	e := ledger.Entry{Ended: t.ended}
	if left.Lineage != "" || t.ended {
		e.State = &left
	}
	return e
}

// appendLedger writes both ledgers of a target, or without an environment those of the
// customers, unless their last entries say it already. Only the new name has the state from
// then on.
func (r *Renamer) appendLedger(ctx context.Context, in RenameInput, t pipeline.Target, moved ledger.Entry) error {
	left := ledger.Entry{Target: t, Message: fmt.Sprintf("to %s", in.New.Name)}
	moved.Target, moved.Message = t, fmt.Sprintf("from %s", in.Old)
	left.Customer, moved.Customer = in.Old, in.New.Name
	var fold ledger.Fold
	for _, e := range []ledger.Entry{left, moved} {
		l := ledger.Ledger{Records: r.records(), Now: r.Now}
		e.Event, e.Actor, e.Run = ledger.Renamed, in.Actor, in.Run
		tip, err := l.Tip(ctx, e.Target)
		if err != nil {
			return fmt.Errorf("read the ledger of %s: %w", ledger.Name(e.Target), err)
		}
		if e.Customer == in.Old {
			fold = tip.Fold
		} else {
			e.Fold = fold
		}
		if tip.Last.SaysRenamed(e) {
			continue
		}
		if _, err := l.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the record of the rename, and the registration last. An apply under the
// old name reads that record after its request is marked open: it is refused, or seen
// here. What one has left until then is copied, too.
func (r *Renamer) finish(ctx context.Context, in RenameInput, k known) error {
	if err := r.checkIdle(ctx, in); err != nil {
		return err
	}
	if k.name != in.New.Name {
		at, err := r.writeRename(ctx, in, k)
		if err != nil {
			return fmt.Errorf("write that customer %s is %s now: %w", in.Old, in.New.Name, err)
		}
		k.name, k.since = in.New.Name, at
		if err := r.checkIdle(ctx, in); err != nil {
			return err
		}
	}
	if err := r.catchUp(ctx, in, k); err != nil {
		return err
	}
	if err := r.carryPaths(ctx, in, k); err != nil {
		return err
	}
	err := Create(ctx, r.records(), in.New, k.number+1, r.after(k))
	if errors.Is(err, pipeline.ErrExists) { // another process was quicker
		return CheckRegistered(ctx, r.Store, r.Sealer, in.New)
	}
	return err
}

// catchUp copies what the old name has got since the first copy.
func (r *Renamer) catchUp(ctx context.Context, in RenameInput, k known) error {
	targets, err := r.targets(ctx, in, k)
	defer removeFiles(targets)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.ahead || t.state.Lineage == "" && !t.last.Found {
			continue
		}
		left, written, err := r.copyTarget(ctx, in, k, t)
		if err != nil {
			return err
		}
		if err := r.copyOutputs(ctx, in, k, t); err != nil {
			return err
		}
		if !written {
			continue
		}
		if err := r.appendLedger(ctx, in, t.new, t.entry(left)); err != nil {
			return err
		}
	}
	return nil
}

// after is the present, and later than what is known also where clocks differ: records
// about names are compared by their times.
func (r *Renamer) after(k known) time.Time {
	now := r.Now().UTC()
	if !now.After(k.since) {
		return k.since.Add(time.Nanosecond)
	}
	return now
}

// writeRename writes the record of a rename. Of several processes one gets its number:
// the names are read after the numbers.
func (r *Renamer) writeRename(ctx context.Context, in RenameInput, k known) (time.Time, error) {
	stored := RenameRecord{RepositoryID: in.New.RepositoryID, Path: in.New.Path, From: in.Old, To: in.New.Name, Actor: in.Actor, Run: in.Run, At: r.after(k)}
	all, err := LoadRenames(ctx, r.records(), stored.RepositoryID, stored.From)
	if err != nil {
		return stored.At, err
	}
	if err := r.unchanged(ctx, in, k); err != nil {
		return stored.At, err
	}
	err = record.CreateFleet(ctx, r.records(), renameKey(stored.RepositoryID, stored.From, nextNumber(all)), stored)
	if errors.Is(err, pipeline.ErrExists) {
		return stored.At, busyRename(in.Old)
	}
	return stored.At, err
}
