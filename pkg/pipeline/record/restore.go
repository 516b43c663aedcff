package record

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// NoteState writes the record of the last apply again with another state. Without a
// record that can be read there is none to write: then the ledger alone remembers, and
// what cannot be believed goes.
func NoteState(ctx context.Context, s Records, c pipeline.CustomerName, env pipeline.Environment, state pipeline.StateRecord, by Acceptance) error {
	older, err := s.List(ctx, LastApplyPrefix(c, env))
	if err != nil {
		return err
	}
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil && !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey) {
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
func NoteFailedApply(ctx context.Context, s Records, c pipeline.CustomerName, env pipeline.Environment, state pipeline.StateRecord, at time.Time) error {
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
	if err := s.CreateRecord(ctx, LastApplyRecord(c, env), key, stored); err != nil && !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	for _, old := range older {
		if old < key && strings.HasSuffix(old, ".json") {
			err = errors.Join(err, s.Delete(ctx, old))
		}
	}
	return err
}

// LastAppliedAt reads the time out of the key of a record of the last apply.
func LastAppliedAt(key string) (time.Time, bool) {
	name, ok := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], ".json")
	at, parseErr := time.Parse(LastApplyTimes, name[:min(len(name), len(LastApplyTimes))])
	return at, ok && parseErr == nil
}
