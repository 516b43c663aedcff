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
// entry leads to it, but for those of earlier versions, which are read one by one.
func (l Ledger) LastState(ctx context.Context, t pipeline.Target) (Entry, bool, error) {
	_, at, err := l.HeadEntry(ctx, t)
	for err == nil && at.Sequence > 0 {
		switch {
		case at.leftState():
			return at, true, nil
		case at.LastState == noState || at.Sequence == 1:
			return Entry{}, false, nil
		case at.LastState > 0:
			sequence := at.LastState
			if at, _, err = l.entry(ctx, t, sequence); err == nil && !at.leftState() {
				err = fmt.Errorf("%w: entry %d is to have left a state, and did not", ErrBroken, sequence)
			}
		default:
			at, _, err = l.entry(ctx, t, at.Sequence-1)
		}
	}
	return Entry{}, false, err
}
