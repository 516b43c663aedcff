package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// noState is Entry.LastState where no entry before has left a state.
const noState = -1

// leftState reports whether a state is in the backend since this entry, of whatever
// version.
func (e Entry) leftState() bool {
	return e.State != nil || slices.Contains([]Event{Applied, Destroyed, Recovered, Restored, Accepted}, e.Event)
}

// nextLastState is LastState of the entry after this one.
func (e Entry) nextLastState() int {
	if e.leftState() {
		return e.Sequence
	}
	return e.LastState
}

// LastState returns the newest entry that left a state, and false where none did. Each
// entry leads to it.
func (l Ledger) LastState(ctx context.Context, t pipeline.Target) (Entry, bool, error) {
	tip, err := l.Tip(ctx, t)
	if err != nil || tip.Sequence == 0 {
		return Entry{}, false, err
	}
	sequence := tip.Last.nextLastState()
	if sequence == tip.Sequence {
		return tip.Last, true, nil
	}
	if sequence == noState {
		return Entry{}, false, nil
	}
	left, _, err := l.entry(ctx, t, sequence)
	if err == nil && !left.leftState() {
		err = fmt.Errorf("%w: entry %d is to have left a state, and did not", ErrBroken, sequence)
	}
	return left, err == nil, err
}
