package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Change is one value that metapipe writes outside of the store: what it was, and what it is to be.
type Change struct {
	Plan string `json:"plan"` // the id of the plan of writes: a UUID
	// Place is where the value stands, for people: owner/name of a repository, or an organization.
	Place   string `json:"place"`
	PlaceID int64  `json:"place_id,omitempty"` // the id of the repository; 0: the place has none
	What    string `json:"what"`
	Old     string `json:"old"` // JSON; null: no value
	New     string `json:"new"`
}

// MaxChangeValue is how long each of the two values of a change can be, in bytes.
const MaxChangeValue = 24 << 10

// same reports whether two changes are about one value: ids outlast names.
func (c Change) same(o Change) bool {
	return c.What == o.What && c.PlaceID == o.PlaceID && (c.PlaceID != 0 || c.Place == o.Place)
}

var changeEvents = []Event{Changing, Changed, Unchanged}

// checkChange holds the change of an entry to its form.
func (e Entry) checkChange() error {
	c := e.Change
	if slices.Contains(changeEvents, e.Event) != (c != nil) {
		return errors.New("ledger entry: a change without its event, or an event without its change")
	}
	if c == nil {
		return nil
	}
	plain := c.Place != "" && c.What != "" && pipeline.PlainLine(c.Place) == c.Place && pipeline.PlainLine(c.What) == c.What
	values := all([]string{c.Old, c.New}, func(v string) bool { return len(v) <= MaxChangeValue && json.Valid([]byte(v)) })
	if !plain || !values || c.PlaceID < 0 || !pipeline.IsUUID(c.Plan) {
		return errors.New("ledger entry: its change is none")
	}
	return nil
}

// AppendNext adds an entry right behind tip, which Tip or AppendNext has returned. It is
// pipeline.ErrExists where another entry stands there: then what was decided on that tip has to be
// decided again.
func (l Ledger) AppendNext(ctx context.Context, tip Tip, e Entry) (Tip, error) {
	e = e.plain()
	if err := e.check(); err != nil {
		return Tip{}, err
	}
	return l.put(ctx, tip, e)
}

// LastChange looks back from tip for the newest entry about the same value. It looks at the last 100
// entries; false: none of them is.
func (l Ledger) LastChange(ctx context.Context, tip Tip, c Change) (Entry, bool, error) {
	var found Entry
	looked := 0
	err := l.backFrom(ctx, tip.Last, time.Time{}, func(e Entry) bool {
		if e.Change != nil && e.Change.same(c) {
			found = e
		}
		looked++
		return found.Sequence == 0 && looked < maxLookBack
	})
	return found, found.Sequence > 0, err
}
