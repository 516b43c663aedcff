package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// The life of a plan after its making is a list of uses, numbered from 1. A use
// is a write-once mark, and when it began also a write-once end:
//
//	apply-0001.json        somebody uses the plan from here on, or took it out of
//	                       use (Void), or could not begin (Over)
//	apply-0001-ended.json  how the use ended
//
// The plan is free before the first use and after one that has changed nothing
// (Untouched). Only then is there a next number, and of those who want it one wins.
// So a plan is applied at most once, whoever dies between two of these writes, and
// a lock that was in the way costs no plan.

func useBegun(n int) string { return fmt.Sprintf("apply-%04d.json", n) }

func useEnded(n int) string { return fmt.Sprintf("apply-%04d-ended.json", n) }

// use is one use of a plan; number is 0 for a plan that nobody has used.
type use struct {
	number int
	begun  Begun  // of one that goes on or never began
	ended  *Ended // nil while it goes on
}

// free reports whether the plan can be used after this.
func (u use) free() bool { return u.number == 0 || u.ended != nil && u.ended.Untouched }

// voided reports whether the plan was taken out of use from outside.
func (u use) voided() bool { return u.begun.Void }

// uses is the number of the last use that the folder held when it was looked up.
func (p planning) uses() int {
	n := 0
	for p.has(useBegun(n + 1)) {
		n++
	}
	return n
}

// lastUse reads the last use of a plan.
func lastUse(ctx context.Context, s records, folder planning) (use, error) {
	u := use{number: folder.uses()}
	switch {
	case u.number == 0:
		return u, nil
	case folder.has(useEnded(u.number)):
		u.ended = &Ended{}
		return u, s.read(ctx, folder, useEnded(u.number), u.ended)
	}
	err := s.read(ctx, folder, useBegun(u.number), &u.begun)
	u.ended = u.begun.Over
	return u, err
}

// beginUse writes the mark of the use after the last one; won is false when
// somebody else was faster.
func beginUse(ctx context.Context, s records, folder planning, last use, begun Begun) (won bool, err error) {
	err = s.create(ctx, folder, useBegun(last.number+1), begun)
	if errors.Is(err, ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// voidPlan takes a plan out of use, for ever: voided is false when it is being
// applied, or was.
func voidPlan(ctx context.Context, s records, st standing, why Ended) (voided bool, err error) {
	if !st.use.free() {
		return false, nil
	}
	voided, err = beginUse(ctx, s, st.folder, st.use, Begun{Run: why.Run, At: why.At, Over: &why, Void: true})
	if err != nil {
		return false, fmt.Errorf("take the plan out of use: %w", err)
	}
	return voided, nil
}
