package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Restorer sets what is Remembered of the state of a target: after it has restored a
// lost one, or where the operator accepts the state as it is.
type Restorer struct {
	Store  Store
	Sealer Sealer
	Engine StatePusher // of use to Restore only
	Now    func() time.Time
}

// Remember returns what a state that is there now, or that could be restored, lacks
// against what is Remembered; nil where it fits.
func (r *Restorer) Remember(ctx context.Context, in TargetInput, now StateRecord) (*LostState, error) {
	known, err := Remember(ctx, Records{Store: r.Store, Sealer: r.Sealer}, in.Customer.Name, in.Environment)
	if err != nil {
		return nil, err
	}
	return known.Lost(now, in.Backend.String()), nil
}

// Restore pushes the state in file, which is in clear, to the backend of the target.
// The tool takes the lock and refuses to replace another state. what says where the
// state comes from.
func (r *Restorer) Restore(ctx context.Context, in TargetInput, file string, resources int, what string) (StateVersion, error) {
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return StateVersion{}, fmt.Errorf("create the run directory: %w", err)
	}
	job := Job{Customer: in.Customer, Environment: in.Environment, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
	state, err := r.Engine.PushState(ctx, job, KeptState{File: file})
	if err != nil {
		return state, err
	}
	last, cancel := CleanupContext(ctx)
	defer cancel()
	err = r.note(last, in, LedgerRestored, StateRecord{StateVersion: state, Resources: resources}, what)
	if err != nil {
		return state, fmt.Errorf("the state is back, but that could not be recorded; record it with `metapipe state accept --customer %s --environment %s --reason TEXT`: %w", in.Customer.Name, in.Environment, err)
	}
	return state, nil
}

// CheckReason refuses an acceptance without a reason.
func CheckReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return &UsageError{Message: "no reason is given", Next: "say with --reason why this state is the right one: it is recorded in the ledger"}
	}
	return nil
}

// Accept remembers the state that is there now, or that there is none, as the right
// one: later plans build on it.
func (r *Restorer) Accept(ctx context.Context, in TargetInput, now StateRecord, reason string) error {
	if err := CheckReason(reason); err != nil {
		return err
	}
	// A record that was changed, or whose key is gone, is what the operator may accept.
	known, err := Remember(ctx, Records{Store: r.Store, Sealer: r.Sealer}, in.Customer.Name, in.Environment)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
	case err != nil:
		return err
	case !known.Nothing() && known.Unread == nil && known.Lost(now, in.Backend.String()) == nil:
		return &UsageError{Message: fmt.Sprintf("the state of %s is the one that was left: there is nothing to accept", TargetName(in.Customer.Name, in.Environment)),
			Next: "`metapipe state list` says which states are lost"}
	}
	if err := r.note(ctx, in, LedgerAccepted, now, reason); err != nil {
		return err
	}
	return RegisterAgain(ctx, Records{Store: r.Store, Sealer: r.Sealer}, in.Customer, r.Now())
}

// note writes the sealed record first, and then the ledger, which can only make the
// target look worse: done again after an interruption, both agree.
func (r *Restorer) note(ctx context.Context, in TargetInput, event LedgerEvent, state StateRecord, why string) error {
	c, env := in.Customer.Name, in.Environment
	if err := NoteState(ctx, Records{Store: r.Store, Sealer: r.Sealer}, c, env, state, Acceptance{Actor: in.Actor, Reason: PlainLine(why), At: r.Now().UTC()}); err != nil {
		return err
	}
	e := LedgerEntry{Event: event, Customer: c, Environment: env, Actor: in.Actor, Message: why, Run: in.Run, State: &state}
	_, err := Ledger{Store: r.Store, Now: r.Now}.Append(ctx, e)
	return err
}

// NoteState writes the record of the last apply again with another state. Without a
// record that can be read there is none to write: then the ledger alone remembers, and
// what cannot be believed goes.
func NoteState(ctx context.Context, s Records, c CustomerName, env Environment, state StateRecord, by Acceptance) error {
	older, err := s.List(ctx, LastApplyPrefix(c, env))
	if err != nil {
		return err
	}
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil && !errors.Is(err, ErrTampered) && !errors.Is(err, ErrUnknownKey) {
		return err
	}
	key := ""
	if err == nil && found {
		key = LastApplyBase(c, env, by.At, stored.Receipt.Request) + ".json"
		stored.State, stored.Accepted = &state, &by
		if err := s.CreateRecord(ctx, LastApplyRecord(c, env), key, stored); err != nil {
			return err
		}
	}
	for _, old := range older {
		if old != key && strings.HasSuffix(old, ".json") {
			if err := s.Delete(ctx, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// NoteFailedApply keeps beside the newest apply that went well what a later one, which
// failed, has left: its state is no lost one. Where nothing went well yet, the ledger
// alone remembers.
func NoteFailedApply(ctx context.Context, s Records, c CustomerName, env Environment, state StateRecord, at time.Time) error {
	older, err := s.List(ctx, LastApplyPrefix(c, env))
	if err != nil {
		return err
	}
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil || !found {
		return err
	}
	key := LastApplyBase(c, env, at, stored.Receipt.Request) + ".json"
	stored.State, stored.Accepted = &state, nil
	if err := s.CreateRecord(ctx, LastApplyRecord(c, env), key, stored); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	for _, old := range older {
		if old < key && strings.HasSuffix(old, ".json") {
			err = errors.Join(err, s.Delete(ctx, old))
		}
	}
	return err
}

// LookForLost compares a state with what the store remembers without a key: with the
// ledger, and with the names of the records of the last apply. It is for showing.
func LookForLost(ctx context.Context, s Store, c CustomerName, env Environment, now StateRecord, place string) (*LostState, error) {
	known := Remembered{customer: c, environment: env}
	entry, left, err := (Ledger{Store: s}).LastState(ctx, c, env)
	if err != nil {
		return nil, fmt.Errorf("look for the last apply in the ledger of %s: %w", LedgerName(c, env), err)
	}
	if !left {
		keys, err := s.List(ctx, LastApplyPrefix(c, env))
		if err != nil {
			return nil, fmt.Errorf("look for the last apply of %s: %w", TargetName(c, env), err)
		}
		for _, key := range keys {
			if at, ok := LastAppliedAt(key); ok {
				entry, left = LedgerEntry{Event: LedgerApplied, At: at}, true
			}
		}
	}
	if left {
		known.entry = &entry
	}
	return known.Lost(now, place), nil
}

// LastAppliedAt reads the time out of the key of a record of the last apply.
func LastAppliedAt(key string) (time.Time, bool) {
	name, ok := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], ".json")
	at, parseErr := time.Parse(LastApplyTimes, name[:min(len(name), len(LastApplyTimes))])
	return at, ok && parseErr == nil
}
