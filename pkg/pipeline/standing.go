package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// standing is what the store tells of one target.
type standing struct {
	ended  Ended
	folder planning
}

// targetStanding reads the newest planning of a target and what became of it.
func targetStanding(ctx context.Context, s Store, request Request, env Environment) (standing, error) {
	st := standing{ended: Ended{Outcome: OutcomeRequested}}
	folder, found, err := latestPlanning(ctx, s, request, env)
	if err != nil || !found {
		return st, err
	}
	st.folder = folder
	steps := []struct {
		object, overtakenBy string // what is not read when the other one is there
		into                func(key string) error
	}{
		{objectBegun, objectPlanned, func(key string) error { return st.begun(ctx, s, key, OutcomePlanning) }},
		{objectPlanned, "", func(key string) error { return st.end(ctx, s, key) }},
		{objectHeld, objectApplyBegun, func(key string) error { return st.held(ctx, s, key) }},
		{objectApplyBegun, objectApplied, func(key string) error { return st.begun(ctx, s, key, OutcomeApplying) }},
		{objectApplied, "", func(key string) error { return st.end(ctx, s, key) }},
	}
	for _, step := range steps {
		if !folder.has(step.object) || folder.has(step.overtakenBy) {
			continue
		}
		if err := step.into(folder.key(step.object)); err != nil && !errors.Is(err, ErrNotFound) {
			return st, fmt.Errorf("read how %s/%s stands: %w", request.Customer, env, err)
		}
	}
	return st, nil
}

func (st *standing) begun(ctx context.Context, s Store, key string, outcome Outcome) error {
	var b Begun
	if err := readJSON(ctx, s, key, &b); err != nil {
		return err
	}
	if b.Void != nil {
		b.Void.Reviewed, st.ended = st.ended.Reviewed, *b.Void
		return nil
	}
	st.ended.Outcome, st.ended.Run, st.ended.At = outcome, b.Run, b.At
	return nil
}

// held adds why an apply has not begun to a plan that still waits for it.
func (st *standing) held(ctx context.Context, s Store, key string) error {
	var e Ended
	if err := readJSON(ctx, s, key, &e); err != nil {
		return err
	}
	if st.ended.Outcome == OutcomeWaiting {
		st.ended.Reason, st.ended.Message, st.ended.Next = e.Reason, e.Message, e.Next
	}
	return nil
}

func (st *standing) end(ctx context.Context, s Store, key string) error {
	var e Ended
	if err := readJSON(ctx, s, key, &e); err != nil {
		return err
	}
	if e.Reviewed == "" {
		e.Reviewed = st.ended.Reviewed
	}
	st.ended = e
	return nil
}
