package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Remembered is what the store knows of the state that the last apply left. What the ledger
// says under a key that is not at hand is not verified: it can only make a target look worse.
type Remembered struct {
	target   pipeline.Target
	Record   *record.LastApply  // nil: there is none that can be read
	left     *LeftState         // what the ledger knows; nil: it knows of none
	Disabled *DisabledStatus    // a custom property switches its tool off; nil: none does, as far as the ledger knows
	Unread   error              // why the record cannot be read; the ledger knows the state then
	Doubted  error              // why the ledger cannot be verified
	deployed *pipeline.Deployed // an apply that only GitHub remembers; nil: none, or not asked
}

// Nothing reports whether the store remembers no state.
func (r Remembered) Nothing() bool { return r.Record == nil && r.left == nil }

// LastRequest is the request that left the newest state in the ledger; empty where the ledger
// knows none, such as behind a rename.
func (r Remembered) LastRequest() pipeline.RequestID {
	if r.left == nil {
		return ""
	}
	return r.left.Request
}

// Remember reads both memories of a target. A record under a key that is not at hand is
// as good as none where the ledger knows the state, and an error elsewhere: unknown is
// not fine.
func Remember(ctx context.Context, s record.Records, t pipeline.Target) (Remembered, error) {
	stored, found, err := record.LoadLastApply(ctx, s, t)
	if err != nil && !errors.Is(err, pipeline.ErrUnknownKey) {
		return Remembered{target: t}, record.TamperedOr(err, "the record of the last apply of "+t.String())
	}
	known, ledgerErr := RememberLedger(ctx, s, t)
	if err == nil && found {
		known.Record = &stored
	}
	if ledgerErr != nil {
		return known, ledgerErr
	}
	if err != nil && (known.left == nil || known.left.State == nil) {
		return known, record.TamperedOr(err, "the record of the last apply of "+t.String())
	}
	known.Unread = err
	return known, nil
}

// RememberLedger is what the ledger alone knows of a target.
func RememberLedger(ctx context.Context, s record.Records, t pipeline.Target) (Remembered, error) {
	tip, err := Ledger{Records: s}.Tip(ctx, t)
	known := Remembered{target: t, left: tip.Fold.State, Disabled: tip.Fold.Disabled}
	if errors.Is(err, pipeline.ErrUnknownKey) {
		known.Doubted = err
		return known, nil
	}
	if err != nil {
		err = record.TamperedOr(fmt.Errorf("look for the last apply in the ledger of %s: %w", Name(t), err), "the ledger of "+Name(t))
	}
	return known, err
}

// LastState returns what the newest event that left a state has left, nil where none did. It
// is ErrTampered where the ledger is. What stands under a key that is not at hand is returned
// as it is.
func (l Ledger) LastState(ctx context.Context, t pipeline.Target) (*LeftState, error) {
	known, err := RememberLedger(ctx, l.Records, t)
	return known.left, err
}

// Ended reports whether the ledger says that a destroy left nothing of the target.
func (r Remembered) Ended() bool { return r.left != nil && r.left.IsDestroyed() }

// Lost compares the state that there is now with what is remembered; nil when it fits.
// place names where the state was looked for.
func (r Remembered) Lost(now pipeline.StateRecord, place string) *pipeline.LostState {
	lost := func(format string, args ...any) *pipeline.LostState {
		return &pipeline.LostState{Target: r.target, Why: fmt.Sprintf("the state of %s ", r.target) + fmt.Sprintf(format, args...)}
	}
	if r.Nothing() && r.deployed != nil && now.Lineage == "" {
		return r.deployed.Moved(r.target, place)
	}
	for _, left := range r.Left() {
		if left.None() || left.Unkept() {
			continue // accepted, never there, or not known to the tool itself
		}
		switch {
		case left.state.Lineage == "" && now == pipeline.NoState(): // an apply that did not come to say that it left none
		case left.ended && now.Lineage != left.state.Lineage: // nothing was left that could be lost
		case now.Lineage == "":
			return lost("is lost: %s, and %s holds no state", left, place)
		case left.state.Lineage != "" && now.Lineage != left.state.Lineage:
			return lost("is another one: %s with lineage %s, and %s holds lineage %s", left, left.state.Lineage, place, pipeline.PlainLine(now.Lineage))
		case left.state.Lineage != "" && now.Serial < left.state.Serial:
			return lost("is an older one: %s with serial %d, and %s holds serial %d", left, left.state.Serial, place, now.Serial)
		case now.Resources == 0 && left.state.Resources > 0:
			return lost("is empty: %s with %d resources, and %s holds none", left, left.state.Resources, place)
		case left.contradicts(now):
			return lost("is another one: %s with serial %d and %d resources, and %s holds %d resources under that serial", left, left.state.Serial, left.state.Resources, place, now.Resources)
		}
	}
	return nil
}

// Doubt says why a state that is not lost is not known to be the one that was left; empty
// where it is.
func (r Remembered) Doubt(now pipeline.StateRecord) string {
	left := r.Left()
	compared := slices.ContainsFunc(left, func(l Left) bool { return l.state.Lineage != "" && !l.ended })
	switch {
	case len(left) == 0:
		return "no apply is on record"
	case !compared && slices.ContainsFunc(left, Left.None):
		return "it was accepted that there is no state"
	case !compared:
		return "no record says which state was left"
	case slices.ContainsFunc(left, func(l Left) bool { return l.exact && l.state.Lineage == now.Lineage }) &&
		!slices.ContainsFunc(left, func(l Left) bool { return l.state.Lineage == now.Lineage && l.state.Serial >= now.Serial }):
		return "it is newer than what the last apply left"
	case now.Resources < 0:
		return "its resources cannot be counted, such as in an encrypted state; lineage and serial fit"
	}
	return ""
}

// CheckState refuses a plan that was made on a lost state.
func CheckState(ctx context.Context, s record.Records, request pipeline.Request, job pipeline.Job, planned pipeline.Planned) error {
	known, err := Remember(ctx, s, job.Target())
	if err != nil {
		return err
	}
	known.deployed = request.Find(job.Target()).Deployed
	if lost := known.Lost(planned.Found(), job.Backend.String()); lost != nil {
		return lost.Refusal()
	}
	return nil
}

// LookForLost compares a state with what the store remembers without a key: with the
// ledger, and with the names of the records of the last apply. It is for showing.
func LookForLost(ctx context.Context, s pipeline.Store, t pipeline.Target, now pipeline.StateRecord, place string) (*pipeline.LostState, error) {
	known, err := RememberLedger(ctx, record.Records{Store: s}, t)
	if err != nil {
		return nil, err
	}
	if known.Nothing() {
		keys, err := s.List(ctx, record.LastApplyPrefix(t))
		if err != nil {
			return nil, fmt.Errorf("look for the last apply of %s: %w", t, err)
		}
		for _, key := range keys {
			if at, ok := record.LastAppliedAt(key); ok {
				known.left = &LeftState{Event: Applied, At: at}
			}
		}
	}
	return known.Lost(now, place), nil
}
