package change

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// Place is where a value stands.
type Place struct {
	ID   int64  `json:"id,omitempty"` // of the repository; 0: the place has no id, such as an organization
	Name string `json:"name"`         // owner/name of the repository, or the organization
}

// Row is one intended write.
type Row struct {
	Place
	What string `json:"what"` // the name of the value, such as that of a custom property
	// Old and New are JSON in the form of Canonical; null: no value.
	Old    json.RawMessage `json:"old"`
	New    json.RawMessage `json:"new"`
	Reason string          `json:"reason,omitempty"`
	// Customers are those that live in the repository. The ledger of the first one records the write;
	// without any that of the fleet does.
	Customers []pipeline.CustomerName `json:"customers,omitempty"`
}

// String names the value for people.
func (r Row) String() string { return r.What + " of " + r.Name }

// Ledger is whose ledger records the write.
func (r Row) Ledger() pipeline.Target {
	if len(r.Customers) == 0 {
		return pipeline.Target{}
	}
	return pipeline.Target{Customer: r.Customers[0]}
}

func (r Row) key() string { return fmt.Sprintf("%d %s %s", r.ID, r.placeKey(), r.What) }

// placeKey is the place without its name where it has an id.
func (r Row) placeKey() string {
	if r.ID != 0 {
		return fmt.Sprint(r.ID)
	}
	return r.Name
}

// change is the row as the ledger has it.
func (r Row) change(plan string) *ledger.Change {
	return &ledger.Change{Plan: plan, Place: r.Name, PlaceID: r.ID, What: r.What, Old: string(r.Old), New: string(r.New)}
}

// Plan is a list of intended writes.
type Plan struct {
	ID   string // a UUID
	Kind string // of the values: only a file of the same kind is accepted
	Rows []Row
	// Same are rows whose value is there already. Nothing is written for them.
	Same []Row
	// Fleet is how many places there are in all, for the guard.
	Fleet int
}

// NewPlan sorts out the rows whose value is there already.
func NewPlan(kind string, fleet int, rows []Row) Plan {
	p := Plan{ID: string(pipeline.NewRequestID()), Kind: kind, Fleet: fleet}
	for _, r := range rows {
		if bytes.Equal(r.Old, r.New) {
			p.Same = append(p.Same, r)
		} else {
			p.Rows = append(p.Rows, r)
		}
	}
	return p
}

// Places is how many places the plan writes to.
func (p Plan) Places() int {
	seen := map[string]bool{}
	for _, r := range p.Rows {
		seen[r.placeKey()] = true
	}
	return len(seen)
}

// The plans that need no --max-changes: at most 30 places, and at most a tenth of all. One place
// never needs it.
const (
	freePlaces = 30
	freePart   = 10 // one of
)

// Limit is how many places can be written to without --max-changes.
func (p Plan) Limit() int { return min(freePlaces, max(1, p.Fleet/freePart)) }

// Guard refuses a plan that writes to more places than Limit and allowed, the number of
// --max-changes. It is a *pipeline.UsageError.
func (p Plan) Guard(allowed int) error {
	places := p.Places()
	if places <= max(p.Limit(), allowed) {
		return nil
	}
	return pipeline.Usagef("the plan changes %d of %d, and %d are possible without --max-changes: at most 30, and at most a tenth of all", places, max(p.Fleet, places), p.Limit()).
		Nextf("look at each line of the plan, then add --max-changes %d", places)
}

// Check refuses a row that no ledger can record.
func (p Plan) Check() error {
	seen := map[string]bool{}
	for _, r := range p.Rows {
		if len(r.Old) > ledger.MaxChangeValue || len(r.New) > ledger.MaxChangeValue {
			return pipeline.Usagef("%s: a value is longer than the %d bytes that the ledger records", r, ledger.MaxChangeValue)
		}
		if seen[r.key()] {
			return pipeline.Usagef("%s is written twice", r).Nextf("name each value once")
		}
		seen[r.key()] = true
	}
	return nil
}

// None is the value of a row where there is none.
var None = json.RawMessage("null")

// IsNone reports whether a value says that there is none.
func IsNone(value json.RawMessage) bool { return string(value) == string(None) }

// Canonical brings JSON into the form in which values are compared: without white space, with sorted
// keys. What is no JSON is an error.
func Canonical(raw []byte) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, pipeline.ErrTrailingData
	}
	return json.Marshal(v)
}
