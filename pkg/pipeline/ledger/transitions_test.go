package ledger_test

import (
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestTransitions: no entry says that something was done whose condition was not met.
func TestTransitions(t *testing.T) {
	t.Parallel()
	const first, second = pipeline.RequestID("00000000-0000-4000-8000-000000000001"), pipeline.RequestID("00000000-0000-4000-8000-000000000002")
	for _, c := range []struct {
		events []ledger.Event
		next   ledger.Event
		of     pipeline.RequestID
		may    bool
	}{
		{nil, ledger.Requested, first, true},
		{[]ledger.Event{ledger.Requested}, ledger.Applying, first, false},
		{[]ledger.Event{ledger.Requested}, ledger.Applied, first, false},
		{[]ledger.Event{ledger.Requested}, ledger.Approved, first, false},
		{[]ledger.Event{ledger.Requested}, ledger.Closed, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned}, ledger.Applied, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned}, ledger.Destroyed, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned}, ledger.Applying, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying}, ledger.Applied, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Refused}, ledger.Applied, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Applied}, ledger.Applying, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Applied}, ledger.Refused, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Failed}, ledger.Applying, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Destroyed}, ledger.Approved, first, false},
		{[]ledger.Event{ledger.Requested}, ledger.Applying, second, true}, // the fold does not know it
		{[]ledger.Event{ledger.Requested}, ledger.Unlocked, first, true},
	} {
		w := pipelinetest.New(t)
		for _, event := range c.events {
			pipelinetest.Must[ledger.Tip](t)(w.Ledger().Append(t.Context(), ledger.Entry{Event: event, Target: staging, Request: first}))
		}
		_, err := w.Ledger().Append(t.Context(), ledger.Entry{Event: c.next, Target: staging, Request: c.of})
		if (err == nil) != c.may || err != nil && !errors.Is(err, ledger.ErrNotNext) {
			t.Errorf("%v, then %s: %v", c.events, c.next, err)
		}
	}
}
