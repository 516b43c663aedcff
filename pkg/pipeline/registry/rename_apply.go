package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// move does all moves. The Registration is the last write: until then plans of both
// names are refused or go on under the old one.
func (r *Renamer) move(ctx context.Context, in RenameInput, targets []moving, k known) error {
	if k.number == 0 { // copies under the new name must not look as if it were the first one
		old := Registration{RepositoryID: in.New.RepositoryID, Path: in.New.Path, Customer: in.Old, At: r.Now().UTC()}
		if err := record.CreateFleet(ctx, r.records(), RegistrationKey(in.New, 1), old); err != nil {
			return fmt.Errorf("register customer %s: %w", in.Old, err)
		}
		k.number = 1
	}
	for _, t := range targets {
		if t.state.Lineage == "" && !t.last.Found {
			continue
		}
		left := t.left()
		if !t.here() {
			version, err := r.Engine.PushState(ctx, in.job(in.New.Name, t.env, t.to), pipeline.KeptState{File: t.file, Planned: t.there.StateVersion})
			if err != nil {
				return err
			}
			left.StateVersion = version
		}
		if err := r.lastApply(ctx, in, t, left); err != nil {
			return fmt.Errorf("write the record of the last apply of %s: %w", pipeline.TargetName(in.New.Name, t.env), err)
		}
		if err := r.appendLedger(ctx, in, t.env, t.entry(left)); err != nil {
			return err
		}
	}
	if err := r.appendLedger(ctx, in, "", ledger.LedgerEntry{}); err != nil {
		return err
	}
	return r.finish(ctx, in, k)
}

// lastApply seals the record of the last apply again: a seal is bound to its place.
func (r *Renamer) lastApply(ctx context.Context, in RenameInput, t moving, left pipeline.StateRecord) error {
	if !t.last.Found {
		return nil
	}
	s, c := r.records(), in.New.Name
	stored := t.last.Record
	there, found, err := record.LoadLastApply(ctx, s, c, t.env)
	if err != nil {
		return err
	}
	if found && there.Receipt.Request == stored.Receipt.Request && there.At.Equal(stored.At) && there.State != nil && *there.State == left {
		return nil
	}
	stored.Receipt.Customer = c
	if stored.Path == "" {
		stored.Path = in.New.Path
	}
	if left.Lineage != "" {
		stored.State = &left
	}
	return stored.Seal(ctx, s, record.LastApplyBase(c, t.env, r.Now(), stored.Receipt.Request), t.last.Variables)
}

// entry is what the ledger of the new name says about a target: the state that is there,
// and whether the target was ended. An ended target may have no state.
func (t moving) entry(left pipeline.StateRecord) ledger.LedgerEntry {
	e := ledger.LedgerEntry{Ended: t.ended}
	if left.Lineage != "" || t.ended {
		e.State = &left
	}
	return e
}

// appendLedger writes both ledgers of a target, or those of the customers, unless their last
// entries say it already. Only the new name has the state from then on.
func (r *Renamer) appendLedger(ctx context.Context, in RenameInput, env pipeline.Environment, moved ledger.LedgerEntry) error {
	moved.Customer, moved.Message = in.New.Name, fmt.Sprintf("from %s", in.Old)
	for _, e := range []ledger.LedgerEntry{{Customer: in.Old, Message: fmt.Sprintf("to %s", in.New.Name)}, moved} {
		l := ledger.Ledger{Store: r.Store, Now: r.Now}
		e.Event, e.Environment, e.Actor, e.Run = ledger.LedgerRenamed, env, in.Actor, in.Run
		_, last, err := l.HeadEntry(ctx, e.Customer, env)
		if err != nil {
			return fmt.Errorf("read the ledger of %s: %w", ledger.LedgerName(e.Customer, env), err)
		}
		if last.SaysRenamed(e) {
			continue
		}
		if _, err := l.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// finish looks once more whether something goes on, and then writes the record of the
// rename and the Registration.
func (r *Renamer) finish(ctx context.Context, in RenameInput, k known) error {
	if err := r.checkIdle(ctx, in); err != nil {
		return err
	}
	now := r.Now().UTC()
	if k.name != in.New.Name {
		stored := RenameRecord{RepositoryID: in.New.RepositoryID, Path: in.New.Path, From: in.Old, To: in.New.Name, Actor: in.Actor, Run: in.Run, At: now}
		if err := r.writeRename(ctx, stored); err != nil {
			return fmt.Errorf("write that customer %s is %s now: %w", in.Old, in.New.Name, err)
		}
		now = now.Add(time.Nanosecond) // the Registration is later than the record that it follows
	}
	registered := Registration{RepositoryID: in.New.RepositoryID, Path: in.New.Path, Customer: in.New.Name, At: now}
	err := record.CreateFleet(ctx, r.records(), RegistrationKey(in.New, k.number+1), registered)
	if errors.Is(err, pipeline.ErrExists) { // another process was quicker
		return CheckRegistered(ctx, r.Store, r.Sealer, in.New)
	}
	if err != nil {
		return fmt.Errorf("register customer %s: %w", in.New.Name, err)
	}
	return nil
}

func (r *Renamer) writeRename(ctx context.Context, stored RenameRecord) error {
	all, err := LoadRenames(ctx, r.records(), stored.From)
	if err != nil {
		return err
	}
	err = record.CreateFleet(ctx, r.records(), renameKey(stored.From, len(all)+1), stored)
	if errors.Is(err, pipeline.ErrExists) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: fmt.Sprintf("another process renames customer %s at this moment", stored.From), Next: "wait until that has ended, and run this again"}
	}
	return err
}
