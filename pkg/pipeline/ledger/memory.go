package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Remembered is what the store knows of the state that the last apply left. The record
// is sealed; the ledger is not, so it can only make a target look worse.
type Remembered struct {
	customer    pipeline.CustomerName
	environment pipeline.Environment
	Record      *record.LastApply  // nil: there is none that can be read
	entry       *Entry             // the newest that left a state; nil: there is none
	Unread      error              // why the record cannot be read; the ledger knows the state then
	deployed    *pipeline.Deployed // an apply that only GitHub remembers; nil: none, or not asked
}

// Nothing reports whether the store remembers no state.
func (r Remembered) Nothing() bool { return r.Record == nil && r.entry == nil }

// LastRequest is the request that left the newest state in the ledger; empty where the ledger
// knows none, such as behind a rename.
func (r Remembered) LastRequest() pipeline.RequestID {
	if r.entry == nil {
		return ""
	}
	return r.entry.Request
}

// Remember reads both memories of a target. A record under a key that is not at hand is
// as good as none where the ledger knows the state, and an error elsewhere: unknown is
// not fine.
func Remember(ctx context.Context, s record.Records, c pipeline.CustomerName, env pipeline.Environment) (Remembered, error) {
	known := Remembered{customer: c, environment: env}
	stored, found, err := record.LoadLastApply(ctx, s, c, env)
	if err != nil && !errors.Is(err, pipeline.ErrUnknownKey) {
		return known, record.TamperedOr(err, "the record of the last apply of "+pipeline.TargetName(c, env))
	}
	if err == nil && found {
		known.Record = &stored
	}
	entry, left, ledgerErr := (Ledger{Store: s.Store}).LastState(ctx, c, env)
	if ledgerErr != nil {
		return known, fmt.Errorf("look for the last apply in the ledger of %s: %w", Name(c, env), ledgerErr)
	}
	if left {
		known.entry = &entry
	}
	if err != nil && (known.entry == nil || known.entry.State == nil) {
		return known, record.TamperedOr(err, "the record of the last apply of "+pipeline.TargetName(c, env))
	}
	known.Unread = err
	return known, nil
}

// Lost compares the state that there is now with what is remembered; nil when it fits.
// place names where the state was looked for.
func (r Remembered) Lost(now pipeline.StateRecord, place string) *pipeline.LostState {
	lost := func(format string, args ...any) *pipeline.LostState {
		return &pipeline.LostState{Customer: r.customer, Environment: r.environment, Why: fmt.Sprintf("the state of %s ", pipeline.TargetName(r.customer, r.environment)) + fmt.Sprintf(format, args...)}
	}
	if r.Nothing() && r.deployed != nil && now.Lineage == "" {
		return r.deployed.Moved(r.customer, r.environment, place)
	}
	for _, left := range r.Left() {
		if left.None() {
			continue // accepted, or never there
		}
		switch {
		case left.ended && now.Lineage != left.state.Lineage: // nothing was left that could be lost
		case now.Lineage == "":
			return lost("is lost: %s, and %s holds no state", left, place)
		case left.state.Lineage != "" && now.Lineage != left.state.Lineage:
			return lost("is another one: %s with lineage %s, and %s holds lineage %s", left, left.state.Lineage, place, pipeline.PlainLine(now.Lineage))
		case left.state.Lineage != "" && now.Serial < left.state.Serial:
			return lost("is an older one: %s with serial %d, and %s holds serial %d", left, left.state.Serial, place, now.Serial)
		case now.Resources == 0 && left.state.Resources > 0:
			return lost("is empty: %s with %d resources, and %s holds none", left, left.state.Resources, place)
		}
	}
	return nil
}

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
func (l Left) None() bool { return l.exact && l.state.Lineage == "" }

func (l Left) String() string {
	happened := map[Event]string{Failed: "changed (by an apply that failed)", Recovered: "brought back", Restored: "restored", Accepted: "accepted", Destroyed: "destroyed", Renamed: "copied from the customer's old name"}[l.what]
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
		one := Left{state: pipeline.StateRecord{StateVersion: l.Receipt.State, Resources: pipeline.UnknownResources}, what: Applied, request: l.Receipt.Request, at: l.At}
		if l.State != nil {
			one.state, one.exact = *l.State, true
		}
		one.ended = l.Destroyed()
		if l.Accepted != nil {
			one.what, one.request, one.at = Accepted, "", l.Accepted.At
		}
		known = append(known, one)
	}
	if e := r.entry; e != nil {
		one := Left{state: pipeline.StateRecord{Resources: pipeline.UnknownResources}, what: e.Event, request: e.Request, at: e.At}
		if e.State != nil {
			one.state, one.exact = *e.State, true
		}
		one.ended = e.IsDestroyed()
		known = append(known, one)
	}
	return known
}

// CheckState refuses a plan that was made on a lost state.
func CheckState(ctx context.Context, s record.Records, request pipeline.Request, job pipeline.Job, planned pipeline.Planned) error {
	known, err := Remember(ctx, s, job.Customer.Name, job.Environment)
	if err != nil {
		return err
	}
	if apply, found := request.Deployed[job.Environment]; found {
		known.deployed = &apply
	}
	if lost := known.Lost(pipeline.StateRecord{StateVersion: planned.State, Resources: planned.Resources}, job.Backend.String()); lost != nil {
		return lost.Refusal()
	}
	return nil
}

// LookForLost compares a state with what the store remembers without a key: with the
// ledger, and with the names of the records of the last apply. It is for showing.
func LookForLost(ctx context.Context, s pipeline.Store, c pipeline.CustomerName, env pipeline.Environment, now pipeline.StateRecord, place string) (*pipeline.LostState, error) {
	known := Remembered{customer: c, environment: env}
	entry, left, err := (Ledger{Store: s}).LastState(ctx, c, env)
	if err != nil {
		return nil, fmt.Errorf("look for the last apply in the ledger of %s: %w", Name(c, env), err)
	}
	if !left {
		keys, err := s.List(ctx, record.LastApplyPrefix(c, env))
		if err != nil {
			return nil, fmt.Errorf("look for the last apply of %s: %w", pipeline.TargetName(c, env), err)
		}
		for _, key := range keys {
			if at, ok := record.LastAppliedAt(key); ok {
				entry, left = Entry{Event: Applied, At: at}, true
			}
		}
	}
	if left {
		known.entry = &entry
	}
	return known.Lost(now, place), nil
}
