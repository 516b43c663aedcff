package fleetstatus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// State is how a target stands: the outcome of its newest request that was to be applied,
// or one of the states below.
type State string

// The states that are no outcome.
const (
	NotDeployed State = "not-deployed" // nothing was ever to be applied
	Approved    State = "approved"     // people let the apply pass its gate
	Destroyed   State = "destroyed"    // a destroy ended well
	Disabled    State = "disabled"     // a custom property has switched its tool off
	Unknown     State = "unknown"      // its ledger cannot be read
)

// Target is how one target stands.
type Target struct {
	pipeline.Target
	State State     `json:"state"`
	Since time.Time `json:"since,omitzero"` // zero where nothing was ever asked for, and where it is not known
	// WaitsFor says who or what is next; empty where nothing is on its way.
	WaitsFor string `json:"waits_for,omitempty"`
	// Request is the newest request that was to be applied; nil where there was none.
	Request   *ledger.RequestStatus `json:"request,omitempty"`
	LastApply *ledger.ApplyStatus   `json:"last_apply,omitempty"` // nil: nothing was applied
	// Drift is what the last drift scan knew of it; nil where none has looked at it, and
	// where Fleet.DriftUnread says why that is not known.
	Drift  *Drift `json:"drift,omitempty"`
	Unread string `json:"unread,omitempty"` // why it is unknown
}

// Drift is what differed when a scan looked last.
type Drift struct {
	Kinds     []string  `json:"kinds"` // empty: nothing
	Failed    bool      `json:"failed,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"` // of these kinds
	CheckedAt time.Time `json:"checked_at"`
	IssueURL  string    `json:"issue_url,omitempty"` // of the open issue
}

// Fleet is how all targets stand, in the order in which they were given.
type Fleet struct {
	At          time.Time `json:"at"`
	Targets     []Target  `json:"targets"`
	DriftUnread string    `json:"drift_unread,omitempty"` // why nothing is known of drift
	// IssuesUnread is why it is not known which issues are open.
	IssuesUnread string `json:"issues_unread,omitempty"`
}

// Unread is how many targets are unknown.
func (f Fleet) Unread() int {
	n := 0
	for _, t := range f.Targets {
		if t.State == Unknown {
			n++
		}
	}
	return n
}

// Wanted is a target to look at.
type Wanted struct {
	pipeline.Target
	Gated bool // its apply waits for people
	// Properties say which custom properties count, so that one can have switched it off; nil: none.
	Properties *pipeline.PropertyRules
	// Broken is why the customer's file says nothing: whether there is such a target is not
	// known. Empty where the file is read.
	Broken string
}

// readAtOnce is how many targets are on their way at a time.
const readAtOnce = 16

// Read asks the ledger of each target for its last entry: one listing and one object for
// each. What is wrong with one of them does not hide the others. Without a key nothing is
// verified.
func Read(ctx context.Context, s record.Records, wanted []Wanted, now time.Time) Fleet {
	f := Fleet{At: now.UTC(), Targets: make([]Target, len(wanted))}
	free := make(chan struct{}, readAtOnce)
	var all sync.WaitGroup
	for i, w := range wanted {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f.Targets[i] = read(ctx, s, w)
		})
	}
	all.Wait()
	return f
}

func read(ctx context.Context, s record.Records, w Wanted) Target {
	if w.Broken != "" {
		return Target{Target: w.Target, State: Unknown, Unread: w.Broken}
	}
	tip, err := ledger.Ledger{Records: s}.Tip(ctx, w.Target)
	if err != nil {
		return Target{Target: w.Target, State: Unknown, Unread: fmt.Sprintf("read the ledger of %s: %v", w.Target, err)}
	}
	t := Target{Target: w.Target, State: NotDeployed, Request: tip.Fold.Request, LastApply: tip.Fold.Apply}
	disabled := tip.Fold.Disabled
	switch {
	case disabled != nil && w.Properties.Uses(disabled.Property):
		t.State, t.Since = Disabled, disabled.At
	case t.Request != nil:
		t.State, t.Since = stateOf(*t.Request), t.Request.At
		t.WaitsFor = waitsFor(w, t.State, *t.Request)
	case t.LastApply != nil: // under a former name
		t.State, t.Since = State(pipeline.OutcomeApplied), t.LastApply.At
		if t.LastApply.Destroyed {
			t.State = Destroyed
		}
	}
	return t
}

func stateOf(r ledger.RequestStatus) State {
	switch r.Event {
	case ledger.Requested:
		return State(pipeline.OutcomeRequested)
	case ledger.Approved:
		return Approved
	case ledger.Applying:
		return State(pipeline.OutcomeApplying)
	case ledger.Destroyed:
		return Destroyed
	}
	return State(cmp.Or(string(r.Outcome), string(r.Event)))
}

func waitsFor(w Wanted, state State, r ledger.RequestStatus) string {
	switch state {
	case State(pipeline.OutcomeRequested):
		return "the plan job"
	case State(pipeline.OutcomeWaiting):
		if w.Gated || r.Gated {
			return "an approval in " + w.Gate(pipeline.WorkApply)
		}
		return "the apply job"
	case Approved, State(pipeline.OutcomeApplying):
		return "the apply job"
	}
	return ""
}

// AddDrift enters what the last scan knew, and the open issues where they are known.
func (f *Fleet) AddDrift(history scans.History, book issues.Book) {
	for i := range f.Targets {
		t := &f.Targets[i]
		known, looked := history.Targets[t.Target.String()]
		if !looked {
			continue
		}
		t.Drift = &Drift{Kinds: slices.Concat([]string{}, known.Kinds), Failed: known.Failed, FirstSeen: known.FirstSeen, CheckedAt: known.CheckedAt}
		if issue := book.Targets[t.Target.String()]; issue.Open {
			t.Drift.IssueURL = issue.URL
		}
	}
}
