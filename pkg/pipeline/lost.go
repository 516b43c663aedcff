package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// StateRecord is a version of a state with the number of resources in it.
type StateRecord struct {
	StateVersion
	Resources int `json:"resources"` // managed ones; UnknownResources where the state does not say
}

// UnknownResources is the number of resources of a state that cannot be read, such as
// an encrypted one.
const UnknownResources = -1

// Remembered is what the store knows of the state that the last apply left. The record
// is sealed; the ledger is not, so it can only make a target look worse.
type Remembered struct {
	customer    CustomerName
	environment Environment
	Record      *LastApply   // nil: there is none that can be read
	entry       *LedgerEntry // the newest that left a state; nil: there is none
	Unread      error        // why the record cannot be read; the ledger knows the state then
	deployed    *Deployed    // an apply that only GitHub remembers; nil: none, or not asked
}

// Nothing reports whether the store remembers no state.
func (r Remembered) Nothing() bool { return r.Record == nil && r.entry == nil }

// Remember reads both memories of a target. A record under a key that is not at hand is
// as good as none where the ledger knows the state, and an error elsewhere: unknown is
// not fine.
func Remember(ctx context.Context, s Records, c CustomerName, env Environment) (Remembered, error) {
	known := Remembered{customer: c, environment: env}
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil && !errors.Is(err, ErrUnknownKey) {
		return known, TamperedOr(err, "the record of the last apply of "+TargetName(c, env))
	}
	if err == nil && found {
		known.Record = &stored
	}
	entry, left, ledgerErr := (Ledger{Store: s.Store}).LastState(ctx, c, env)
	if ledgerErr != nil {
		return known, fmt.Errorf("look for the last apply in the ledger of %s: %w", LedgerName(c, env), ledgerErr)
	}
	if left {
		known.entry = &entry
	}
	if err != nil && (known.entry == nil || known.entry.State == nil) {
		return known, TamperedOr(err, "the record of the last apply of "+TargetName(c, env))
	}
	known.Unread = err
	return known, nil
}

// LostState says why a state is not the one that an apply has left.
type LostState struct {
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment"`
	// Why is for the operator: what was expected and what is there.
	Why string `json:"reason"`
	// Moved: the store has no record of the apply either, so that the store is
	// probably another one than before.
	Moved bool `json:"-"`
}

// Restore is the command that lists what a state can be restored from.
func (l LostState) Restore() string {
	return fmt.Sprintf("metapipe state restore --customer %s --environment %s", l.Customer, l.Environment)
}

// Operator says what the operator does about it.
func (l LostState) Operator() string {
	if l.Moved {
		return fmt.Sprintf("has the store moved (`state` in metapipe.yml, TF_STATE_BUCKET, `--store`)? Then name the old place again, or copy all of it to the new one (docs/RECOVERY.md, \"The store has moved\"); where the infrastructure is gone on purpose: `metapipe state accept --customer %s --environment %s --reason TEXT`", l.Customer, l.Environment)
	}
	return fmt.Sprintf("list what it can be restored from: `%s`; where it is gone on purpose: `metapipe state accept --customer %s --environment %s --reason TEXT`", l.Restore(), l.Customer, l.Environment)
}

// The customer can do nothing about a lost state, so that is what they read.
const (
	lostMessage = "the record of what was built here is missing or out of date, so nothing was planned and nothing was changed"
	lostNext    = "you have nothing to do: your service provider restores the record, and then runs this again"
)

// Refusal is the error of a plan that was made on a lost state.
func (l LostState) Refusal() *RefusedError {
	return &RefusedError{Reason: ReasonStateLost, Message: lostMessage, Next: lostNext, Detail: l.Why, Operator: l.Operator()}
}

// Lost compares the state that there is now with what is Remembered; nil when it fits.
// place names where the state was looked for.
func (r Remembered) Lost(now StateRecord, place string) *LostState {
	lost := func(format string, args ...any) *LostState {
		return &LostState{Customer: r.customer, Environment: r.environment, Why: fmt.Sprintf("the state of %s ", TargetName(r.customer, r.environment)) + fmt.Sprintf(format, args...)}
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
			return lost("is another one: %s with lineage %s, and %s holds lineage %s", left, left.state.Lineage, place, PlainLine(now.Lineage))
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
	state   StateRecord
	what    LedgerEvent
	request RequestID
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
	command := map[LedgerEvent]string{LedgerFailed: "changed (by an apply that failed)", LedgerRecovered: "brought back", LedgerRestored: "restored", LedgerAccepted: "accepted", LedgerDestroyed: "destroyed", LedgerRenamed: "copied from the customer's old name"}[l.what]
	if command == "" {
		command = "applied"
	}
	text := "it was " + command + " at " + l.at.UTC().Format(time.RFC3339)
	if l.request != "" {
		text += " (request " + l.request.Short() + ")"
	}
	return text
}

// Left are the states that both memories know, one for each.
func (r Remembered) Left() []Left {
	var known []Left
	if l := r.Record; l != nil {
		one := Left{state: StateRecord{StateVersion: l.Receipt.State, Resources: UnknownResources}, what: LedgerApplied, request: l.Receipt.Request, at: l.At}
		if l.State != nil {
			one.state, one.exact = *l.State, true
		}
		one.ended = l.Destroyed()
		if l.Accepted != nil {
			one.what, one.request, one.at = LedgerAccepted, "", l.Accepted.At
		}
		known = append(known, one)
	}
	if e := r.entry; e != nil {
		one := Left{state: StateRecord{Resources: UnknownResources}, what: e.Event, request: e.Request, at: e.At}
		if e.State != nil {
			one.state, one.exact = *e.State, true
		}
		one.ended = e.IsDestroyed()
		known = append(known, one)
	}
	return known
}

// CheckState refuses a plan that was made on a lost state.
func CheckState(ctx context.Context, s Records, request Request, job Job, planned Planned) error {
	known, err := Remember(ctx, s, job.Customer.Name, job.Environment)
	if err != nil {
		return err
	}
	if apply, found := request.Deployed[job.Environment]; found {
		known.deployed = &apply
	}
	if lost := known.Lost(StateRecord{StateVersion: planned.State, Resources: planned.Resources}, job.Backend.String()); lost != nil {
		return lost.Refusal()
	}
	return nil
}

// RekeyNext is what the operator does about a record under a key that is not at hand.
const RekeyNext = "add the key of that id behind the first one, run `metapipe rekey`, and run this again; where the key is gone, see docs/RECOVERY.md, \"A key or token has leaked\""
