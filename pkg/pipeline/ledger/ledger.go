package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Ledger is the append-only record of what was asked of a target, who decided
// and what was done: one write-once object per event, each holding the hash of
// the one before it. Each entry is a record, so that the seal of the last one verifies all.
//
// Without a Sealer nothing is verified, and what is read may be shown, or refuse something,
// and no more.
type Ledger struct {
	record.Records
	Now func() time.Time
	// Seen, when set, is where Append looks first for the last entry: what the command has
	// read of the ledger before. When another writer was faster, Append reads Store.
	Seen pipeline.Store
}

// Event says what an entry records.
type Event string

// The events of a target.
const (
	Requested  Event = "requested"  // a request with a proved origin was accepted for it
	Planned    Event = "planned"    // a plan ended, well or not
	Approved   Event = "approved"   // people let the apply pass its gate
	Applying   Event = "applying"   // an apply is about to use the plan
	Applied    Event = "applied"    // the apply ended well
	Destroyed  Event = "destroyed"  // the apply of a destroy ended well
	Refused    Event = "refused"    // the plan may not be applied; the reason says why
	Failed     Event = "failed"     // a plan or an apply failed or was stopped
	Superseded Event = "superseded" // a newer request took its place
	Closed     Event = "closed"     // no one will finish it any more: the finalizer or the sweep says so
	Unreported Event = "unreported" // GitHub will never accept a part of the report; the message says why
	Unlocking  Event = "unlocking"  // a lock of the state is about to be released
	Unlocked   Event = "unlocked"   // a lock of the state was released by hand or by the sweep
	Recovered  Event = "recovered"  // a kept state was brought back
	Rejected   Event = "rejected"   // a request was not accepted
	Restoring  Event = "restoring"  // a copy is about to replace what is in the place of the state
	Restored   Event = "restored"   // a lost state was restored from an earlier version
	Accepted   Event = "accepted"   // the operator accepted the state as it is
	Renamed    Event = "renamed"    // the customer has another name; the message says which
	Rekeyed    Event = "rekeyed"    // the entries up to this one count under a new key
	Changing   Event = "changing"   // a value outside of the store is about to be written; Change says which
	Changed    Event = "changed"    // it was written, and read back
	Unchanged  Event = "unchanged"  // it was not written; the message says why
	Disabled   Event = "disabled"   // a custom property has switched the tool of the target off; the message says which
)

// Entry is one record. Append fills in Version, Sequence, Previous and At.
type Entry struct {
	Version  int       `json:"version"`  // 1
	Sequence int       `json:"sequence"` // 1 for the first of its ledger
	Previous string    `json:"previous"` // SHA-256 of the entry before it, hexadecimal; empty for the first
	At       time.Time `json:"at"`
	Event    Event     `json:"event"`
	pipeline.Target
	Request pipeline.RequestID `json:"request,omitempty"`
	Commit  pipeline.SHA       `json:"commit,omitempty"`
	Actor   string             `json:"actor,omitempty"`    // who asked, approved or did it
	ActorID int64              `json:"actor_id,omitempty"` // 0: GitHub did not say; logins can change hands
	Receipt string             `json:"receipt,omitempty"`  // its SHA-256, hexadecimal
	Outcome pipeline.Outcome   `json:"outcome,omitempty"`
	Reason  pipeline.Reason    `json:"reason,omitempty"`
	Message string             `json:"message,omitempty"` // one line
	Run     pipeline.Run       `json:"run,omitzero"`
	// State is what the event left in the backend of the target; nil where it left none
	// or the version is not known. One without a lineage: no state, on purpose.
	State *pipeline.StateRecord `json:"state,omitempty"`
	// Ended is true in a "renamed" entry of a target that was destroyed under its old name
	// and not applied since, and in an "accepted" entry that leaves such a target as it is.
	Ended bool `json:"ended,omitempty"`
	// PlanOnly is true in a "requested" entry of a request that will not be applied.
	PlanOnly bool `json:"plan_only,omitempty"`
	// Gated is true in a "requested" entry of a request that needs an approval in any environment.
	Gated bool `json:"gated,omitempty"`
	// Destroy is true in a "requested" entry of a request that ends the target.
	Destroy bool `json:"destroy,omitempty"`
	// Property is the name of the custom property in a "disabled" entry.
	Property string `json:"property,omitempty"`
	// Host is the machine of an apply that begins. The tool writes it into the locks that it
	// takes, which is how a lock leads to its run.
	Host string `json:"host,omitempty"`
	// Attempt is the number of the entry that the apply began with which this one ends; 0 where
	// none had begun.
	Attempt int `json:"attempt,omitempty"`
	// Plan says what becomes of the plan of the request. Empty: what its event says, if anything.
	Plan PlanEffect `json:"plan,omitempty"`
	// Change is the value that is or was written outside of the store; nil: none.
	Change *Change `json:"change,omitempty"`
	Fold   Fold    `json:"fold,omitzero"`
}

// isUnsigned reports whether the entry carries no seal: a lock must be released also where
// no key is at hand. Such an entry changes nothing of how its target stands.
func (e Entry) isUnsigned() bool { return e.Event == Unlocking || e.Event == Unlocked }

// Tip is the last entry of a ledger with its number and hash, and what all entries come to;
// zero for an empty ledger.
type Tip struct {
	pipeline.LedgerHead
	Last Entry
	Fold Fold
	// Decided is true of an entry that was appended now and has decided about its plan. False of one
	// that came behind the end of the plan, or while another apply of it goes on.
	Decided bool
}

// Name names a ledger for people: that of a target, of a customer, or of the fleet.
func Name(t pipeline.Target) string {
	if t.Environment != "" {
		return t.String()
	}
	return strings.TrimSuffix(strings.TrimSuffix(record.LedgerPrefix(t), "/"), "/ledger")
}

// Append adds an entry at the end of its ledger, unless the event is recorded
// there already (a step that runs again). When two append at once, one goes
// behind the other. It returns the last entry that the ledger has now. Behind an entry that
// cannot be verified it is a *pipeline.RefusedError.
func (l Ledger) Append(ctx context.Context, e Entry) (Tip, error) {
	tip, err := l.append(ctx, e)
	if errors.Is(err, pipeline.ErrUnknownKey) || errors.Is(err, pipeline.ErrTampered) {
		return Tip{}, record.TamperedOr(err, "the ledger of "+Name(e.Target))
	}
	if err != nil {
		return Tip{}, fmt.Errorf("record %q in the ledger of %s: %w", e.Event, Name(e.Target), err)
	}
	return tip, nil
}

// IsUnverified reports whether an error says that something has no valid signature, or one of
// a key that is not at hand.
func IsUnverified(err error) bool {
	var refused *pipeline.RefusedError
	return errors.Is(err, pipeline.ErrUnknownKey) || errors.Is(err, pipeline.ErrTampered) ||
		errors.As(err, &refused) && (refused.Reason == pipeline.ReasonUnknownKey || refused.Reason == pipeline.ReasonTampered)
}

// seen is the ledger as the command has read it before, if it has.
func (l Ledger) seen() Ledger {
	if l.Seen != nil {
		l.Store = l.Seen
	}
	return l
}

func (l Ledger) append(ctx context.Context, e Entry) (Tip, error) {
	e = e.plain()
	if err := e.check(); err != nil {
		return Tip{}, err
	}
	for seen, known := l.Seen != nil, 0; ; seen = false {
		from := l
		if seen {
			from = l.seen()
		}
		tip, err := from.tip(ctx, e.Target, known)
		if err != nil && !(errors.Is(err, pipeline.ErrUnknownKey) && e.mayFollowUnread()) {
			return Tip{}, err
		}
		if recorded, err := from.recorded(ctx, e, tip.Last, known-1); err != nil || recorded {
			return tip, err
		}
		next, err := l.put(ctx, tip, e)
		switch {
		case errors.Is(err, pipeline.ErrExists): // another writer was first
			known = tip.Sequence + 1
		case seen && errors.Is(err, ErrNotNext): // what was seen may be older than what decides
		default:
			return next, err
		}
	}
}

// mayFollowUnread reports whether the entry may come behind one under a key that is not at
// hand: it takes nothing from there, or an operator answers for what is there.
func (e Entry) mayFollowUnread() bool {
	return e.answersForState() || e.isUnsigned() || e.Environment == ""
}

// answersForState reports whether the entry is the word of an operator about the state, whatever
// was recorded before.
func (e Entry) answersForState() bool {
	return slices.Contains([]Event{Accepted, Restoring, Restored}, e.Event)
}

// AppendAfter is Append for an entry that follows one of our own, and cannot be
// there yet: in most cases after is still the last one, and nothing has to be read.
func (l Ledger) AppendAfter(ctx context.Context, after Tip, e Entry) (Tip, error) {
	return l.AppendPrepared(ctx, l.Prepare(ctx, after, e))
}

// Prepared is an entry that is not written yet.
type Prepared struct {
	entry  Entry
	stored []byte // nil where the place of the entry is not known
	next   Tip    // once it is written
}

// Head is what the entry will be; nil where its place is not known.
func (p Prepared) Head() *pipeline.LedgerHead {
	if p.stored == nil {
		return nil
	}
	return &p.next.LedgerHead
}

// Prepare makes the entry that AppendAfter appends.
func (l Ledger) Prepare(ctx context.Context, after Tip, e Entry) Prepared {
	p := Prepared{entry: e.plain()}
	if after.Sequence > 0 && p.entry.check() == nil {
		if stored, next, err := l.follow(ctx, after, p.entry); err == nil {
			p.stored, p.next = stored, next
		}
	}
	return p
}

// AppendPrepared writes a prepared entry. Where another one is in its place it is made anew.
func (l Ledger) AppendPrepared(ctx context.Context, p Prepared) (Tip, error) {
	if p.stored == nil || l.write(ctx, p.entry.Target, p.next, p.stored) != nil {
		return l.Append(ctx, p.entry) // which says what is the matter with the store
	}
	return p.next, nil
}

// Holds reports whether the ledger has the end of an apply, for a head that is believed: there must
// be no other entry in its place, and that of the head must not be about something else.
func (l Ledger) Holds(ctx context.Context, end Entry, head pipeline.LedgerHead) (bool, error) {
	read := l.entry(ctx, end.Target, head.Sequence)
	if errors.Is(read.err, pipeline.ErrNotFound) || errors.Is(read.err, ErrBroken) {
		return false, nil
	}
	same := read.Event == end.Event && read.Request == end.Request && read.Receipt == end.Receipt && read.Attempt == end.Attempt
	return same && read.sum == head.SHA256, read.err
}

// Finish appends how an apply ended, when the ledger knows of its beginning alone.
func (l Ledger) Finish(ctx context.Context, e Entry) error {
	tip, err := l.seen().Tip(ctx, e.Target)
	if err != nil {
		return fmt.Errorf("read the ledger of %s: %w", Name(e.Target), err)
	}
	if p, open := tip.Fold.Plan(e.Request); !open || !p.Applying || p.Attempt != e.Attempt {
		return nil
	}
	_, err = l.AppendAfter(ctx, tip, e)
	return err
}

// put writes e behind tip. It is ErrExists when tip is not the last entry.
func (l Ledger) put(ctx context.Context, tip Tip, e Entry) (Tip, error) {
	stored, next, err := l.follow(ctx, tip, e)
	if err == nil {
		err = l.write(ctx, e.Target, next, stored)
	}
	if err != nil {
		return Tip{}, err
	}
	return next, nil
}

// follow makes the stored form of e behind tip, and the tip that it will be.
func (l Ledger) follow(ctx context.Context, tip Tip, e Entry) (stored []byte, next Tip, err error) {
	if err := tip.Fold.checkNext(e); err != nil {
		return nil, Tip{}, err
	}
	e.Version, e.At = 1, l.Now().UTC()
	e.Sequence, e.Previous = tip.Sequence+1, tip.SHA256
	e.Fold = tip.Fold.After(e)
	next = Tip{Fold: e.Fold, Decided: e.Plan != "" && !slices.Equal(tip.Fold.Plans, e.Fold.Plans)}
	key := record.LedgerKey(e.Target, e.Sequence)
	switch {
	case e.isUnsigned():
		e.Fold = Fold{}
		stored, err = record.Unsigned(key, e)
	case l.Sealer == nil:
		err = errors.New("no key is at hand that seals it")
	default:
		stored, err = l.Sign(ctx, record.LedgerOf(e.Target), key, e)
	}
	if err == nil && len(stored) > maxEntry {
		err = fmt.Errorf("the entry has %d bytes, and an entry has at most %d: %w", len(stored), maxEntry, record.ErrTooLarge)
	}
	next.Last, next.LedgerHead = e, pipeline.LedgerHead{Sequence: e.Sequence, SHA256: pipeline.SHA256Hex(stored)}
	return stored, next, err
}

// write writes an entry in its place.
func (l Ledger) write(ctx context.Context, t pipeline.Target, next Tip, stored []byte) error {
	key := record.LedgerKey(t, next.Sequence)
	err := l.Store.Create(ctx, key, bytes.NewReader(stored))
	if err != nil { // the answer may have been lost, and no two seals are the same
		if there, readErr := record.ReadAtMost(ctx, l.Store, key, maxEntry); readErr == nil && bytes.Equal(there, stored) {
			return nil
		}
	}
	return err
}

// maxLookBack is how many entries are asked whether they record an event. Anyone who
// sends requests without end must not make each of them dearer than the one before;
// an entry that stands there twice does no harm.
const maxLookBack = 100

// recorded looks back from the last entry as far as the same event can stand: to
// where its request began, and not to entries up to seen, which were asked before.
func (l Ledger) recorded(ctx context.Context, e, last Entry, seen int) (bool, error) {
	switch e.Event {
	case Planned, Applying, Unlocking, Unlocked, Restoring, Restored, Accepted, Renamed, Rekeyed, Changing, Changed, Unchanged:
		return false, nil // each is about another plan, attempt, lock, state or write
	}
	first := e.Event == Requested || e.Event == Rejected || e.Event == Disabled
	end := max(seen, last.Sequence-maxLookBack, 0)
	for at := last; at.Sequence > end; {
		switch {
		case at.same(e):
			return true, nil
		case at.Event == Requested && at.Request == e.Request && !first:
			return false, nil
		case at.Event == Planned && at.Request == e.Request && at.Receipt == e.Receipt && (e.Event == Approved || e.carriedOut()):
			return false, nil // what is recorded of a plan stands behind it
		case first && at.At.Before(e.Run.CreatedAt.Add(-clockSkew)), first && e.Run.CreatedAt.IsZero():
			return false, nil // older than the run that records it
		case at.Sequence == end+1:
			return false, nil
		}
		before, err := l.before(ctx, at)
		if err != nil {
			return false, err
		}
		at = before
	}
	return false, nil
}

// LastOf looks back for the last entry of a request that was made at a time.
func (l Ledger) LastOf(ctx context.Context, t pipeline.Target, id pipeline.RequestID, made time.Time) (Entry, bool, error) {
	var last Entry
	err := l.back(ctx, t, made, func(e Entry) bool {
		if e.Request == id && !e.isUnsigned() { // that is about a lock, and not about its plan
			last = e
		}
		return last.Sequence == 0
	})
	return last, last.Sequence > 0, err
}

// clockSkew is how far the clocks of runners and of GitHub may be apart.
const clockSkew = 10 * time.Minute

// wrongClock is how far the clock of a machine that wrote an entry may be behind, where entries are
// looked for: those of a target in one day are few. The time of an entry without a seal says nothing.
const wrongClock = 24 * time.Hour

// same reports whether two entries record one event. What may happen to a plan
// several times counts once for each attempt of a run. e stands in the ledger.
func (e Entry) same(o Entry) bool {
	if e.Event != o.Event || e.Request != o.Request || e.Receipt != o.Receipt || e.Actor != o.Actor || e.ActorID != o.ActorID || e.Outcome != o.Outcome || e.Reason != o.Reason {
		return false
	}
	if o.Plan == PlanRevoked || o.Plan != "" && (o.Attempt != e.Attempt || o.Plan != e.Plan) {
		return false // the plan that is revoked may be another one
	}
	switch e.Event {
	case Failed, Refused:
		return e.Run.ID != 0 && e.Run.ID == o.Run.ID && e.Run.Attempt == o.Run.Attempt
	case Rejected:
		return e.Run.ID == o.Run.ID
	}
	return true
}
