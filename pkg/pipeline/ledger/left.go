package ledger

import (
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Left is a state as one memory knows it.
type Left struct {
	state   pipeline.StateRecord
	what    Event
	request pipeline.RequestID
	at      time.Time
	// exact: state is what was left. False: it is what the plan was made on, as earlier
	// versions remember it, so that a state is there and not older.
	exact bool
	// ended: a destroy has left the target without resources.
	ended bool
}

// None reports whether no state was left, on purpose.
func (l Left) None() bool { return l.exact && l.state.IsNone() }

// Unkept reports whether the tool keeps no state: what it has built may be there.
func (l Left) Unkept() bool { return l.exact && l.state == pipeline.NoState() }

// contradicts reports whether now has the version of the state that was left, and another
// number of resources: a tool counts on with each change, so one of the two was edited or
// built from an older one.
func (l Left) contradicts(now pipeline.StateRecord) bool {
	same := l.state.Lineage != "" && now.StateVersion == l.state.StateVersion
	return same && l.state.Resources >= 0 && now.Resources >= 0 && now.Resources != l.state.Resources
}

// Holds reports whether it may have resources.
func (l Left) Holds() bool { return !l.None() && !l.ended && l.state.Resources != 0 }

func (l Left) String() string {
	happened := map[Event]string{
		Failed:    "changed (by an apply that failed)",
		Recovered: "brought back",
		Restored:  "restored",
		Accepted:  "accepted",
		Destroyed: "destroyed",
		Renamed:   "copied from the customer's old name",
	}[l.what]
	if happened == "" {
		happened = "applied"
	}
	text := "it was " + happened + " at " + l.at.UTC().Format(time.RFC3339)
	if l.request != "" {
		text += " (request " + l.request.Short() + ")"
	}
	return text
}

// Left are the states that both memories know, one for each.
func (r Remembered) Left() []Left {
	var known []Left
	if l := r.Record; l != nil {
		one := Left{state: pipeline.StateRecord{StateVersion: l.Receipt.Evidence.State(), Resources: pipeline.UnknownResources}, what: Applied, request: l.Receipt.Request, at: l.At}
		if l.State != nil {
			one.state, one.exact = *l.State, true
		}
		one.ended = l.Destroyed()
		if l.Accepted != nil {
			one.what, one.request, one.at = Accepted, "", l.Accepted.At
		}
		known = append(known, one)
	}
	if e := r.left; e != nil {
		one := Left{state: pipeline.StateRecord{Resources: pipeline.UnknownResources}, what: e.Event, request: e.Request, at: e.At}
		if e.State != nil {
			one.state, one.exact = *e.State, true
		}
		one.ended = e.IsDestroyed()
		known = append(known, one)
	}
	return known
}

// Lineages are those of the states that are remembered.
func (r Remembered) Lineages() []string {
	var all []string
	for _, left := range r.Left() {
		if left.state.Lineage != "" {
			all = append(all, left.state.Lineage)
		}
	}
	return all
}

// HasLineage reports whether a state of the lineage is remembered.
func (r Remembered) HasLineage(lineage string) bool { return slices.Contains(r.Lineages(), lineage) }
