package ledger_test

import (
	"errors"
	"strings"
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
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying}, ledger.Applying, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Failed}, ledger.Applying, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Refused}, ledger.Applying, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Refused, ledger.Planned}, ledger.Applying, first, true},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Superseded}, ledger.Applying, first, false},
		{[]ledger.Event{ledger.Requested, ledger.Planned, ledger.Applying, ledger.Destroyed}, ledger.Approved, first, false},
		{[]ledger.Event{ledger.Requested}, ledger.Applied, second, true},   // the fold does not know it
		{[]ledger.Event{ledger.Requested}, ledger.Applying, second, false}, // the fold knows no plan of it
		{[]ledger.Event{ledger.Requested}, ledger.Unlocked, first, true},
	} {
		w := pipelinetest.New(t)
		for _, event := range c.events {
			pipelinetest.Must[ledger.Tip](t)(w.Ledger().Append(t.Context(), ofAPlan(event, first)))
		}
		_, err := w.Ledger().Append(t.Context(), ofAPlan(c.next, c.of))
		if (err == nil) != c.may || err != nil && !errors.Is(err, ledger.ErrNotNext) {
			t.Errorf("%v, then %s: %v", c.events, c.next, err)
		}
	}
}

// ofAPlan is an entry about a plan: a failed apply leaves it, and a refused one does not.
func ofAPlan(event ledger.Event, of pipeline.RequestID) ledger.Entry {
	e := ledger.Entry{Event: event, Target: staging, Request: of, Receipt: strings.Repeat("a", 64)}
	switch event {
	case ledger.Planned:
		e.Outcome = pipeline.OutcomeWaiting
	case ledger.Failed:
		e.Plan, e.Attempt = ledger.PlanFree, 3
	case ledger.Refused:
		e.Plan, e.Attempt = ledger.PlanUsed, 3
	case ledger.Superseded:
		e.Plan, e.Receipt = ledger.PlanRevoked, ""
	}
	return e
}
