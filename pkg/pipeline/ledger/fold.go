package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Fold is what the entries of a ledger come to. Each entry holds the fold up to itself, so
// that the last one says how its target stands. An audit makes it anew of all entries.
type Fold struct {
	// Request is the newest request that was to be applied; nil where there was none.
	Request *RequestStatus `json:"request,omitempty"`
	// Apply is the newest apply that went well, also of a destroy.
	Apply *ApplyStatus `json:"apply,omitempty"`
	// State is what the newest event that left a state left; nil where none did.
	State *LeftState `json:"state,omitempty"`
	// Plans are those that can be applied or are being applied, the oldest first.
	Plans []OpenPlan `json:"plans,omitempty"`
	// Disabled is since when a custom property switches the tool of the target off; nil where it
	// does not. The next request to plan the target ends it, and so does an apply, also of a destroy.
	Disabled *DisabledStatus `json:"disabled,omitempty"`
}

// DisabledStatus is a target whose tool a custom property has switched off. What was built stays.
type DisabledStatus struct {
	Request  pipeline.RequestID `json:"request"` // that was accepted with the property
	At       time.Time          `json:"at"`
	Property string             `json:"property"` // its name
}

func (f Fold) isZero() bool {
	return f.Request == nil && f.Apply == nil && f.State == nil && len(f.Plans) == 0 && f.Disabled == nil
}

// RequestStatus is the newest event of a request.
type RequestStatus struct {
	ID        pipeline.RequestID `json:"id"`
	Commit    pipeline.SHA       `json:"commit,omitempty"`
	Actor     string             `json:"actor,omitempty"`     // who asked
	Approvers []string           `json:"approvers,omitempty"` // of its plan, at most maxApprovers
	Event     Event              `json:"event"`
	Outcome   pipeline.Outcome   `json:"outcome,omitempty"`
	Reason    pipeline.Reason    `json:"reason,omitempty"`
	At        time.Time          `json:"at"` // of the event
	Receipt   string             `json:"receipt,omitempty"`
	RunURL    string             `json:"run_url,omitempty"` // of the run that recorded the event
	Gated     bool               `json:"gated,omitempty"`   // its apply needs an approval in any environment
}

// ApplyStatus is an apply that went well.
type ApplyStatus struct {
	Request   pipeline.RequestID `json:"request"`
	Commit    pipeline.SHA       `json:"commit,omitempty"`
	Actor     string             `json:"actor,omitempty"` // who asked; empty where a newer request had come
	Approvers []string           `json:"approvers,omitempty"`
	Receipt   string             `json:"receipt,omitempty"`
	At        time.Time          `json:"at"`
	Destroyed bool               `json:"destroyed,omitempty"`
}

// LeftState is what an event left in the backend of the target.
type LeftState struct {
	Event   Event              `json:"event"`
	Request pipeline.RequestID `json:"request,omitempty"`
	At      time.Time          `json:"at"`
	// State is nil where the version is not known, and without a lineage where no state was
	// left, on purpose.
	State *pipeline.StateRecord `json:"state,omitempty"`
	Ended bool                  `json:"ended,omitempty"` // as Entry.Ended
}

// IsDestroyed reports whether the event is a destroy that left nothing, or a rename or an
// acceptance of a target that was ended by one.
func (l LeftState) IsDestroyed() bool {
	return (l.Event == Destroyed || (l.Event == Renamed || l.Event == Accepted) && l.Ended) && l.State.LeftNothing()
}

// leftState reports whether a state is in the backend since this entry, of whatever
// version.
func (e Entry) leftState() bool {
	return e.State != nil || slices.Contains([]Event{Applied, Destroyed, Recovered, Restored, Accepted}, e.Event)
}

// maxApprovers is more than GitHub lets an environment have as reviewers, who are people
// and teams. Source: https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
const maxApprovers = 16

// After is the fold behind the entry e. Other events of older requests change nothing:
// they end while the newest one is on its way. The entry of a rename may bring the fold of
// the ledger of the former name, which goes on in this one: all but the state, which the
// entry itself knows, and the plans: each is of one name.
func (f Fold) After(e Entry) Fold {
	if e.Event == Renamed && !e.Fold.isZero() {
		f.Request, f.Apply, f.Disabled = e.Fold.Request, e.Fold.Apply, e.Fold.Disabled
	}
	switch {
	case e.Event == Requested && !e.Destroy, e.carriedOut():
		f.Disabled = nil
	case e.Event == Disabled && f.Disabled == nil:
		f.Disabled = &DisabledStatus{Request: e.Request, At: e.At, Property: e.Property}
	}
	f.Plans = f.plansAfter(e)
	if e.leftState() {
		f.State = &LeftState{Event: e.Event, Request: e.Request, At: e.At, State: e.State, Ended: e.Ended}
	}
	if e.carriedOut() {
		f.Apply = &ApplyStatus{Request: e.Request, Commit: e.Commit, Receipt: e.Receipt, At: e.At, Destroyed: e.Event == Destroyed}
		if f.Request != nil && f.Request.ID == e.Request {
			f.Apply.Actor, f.Apply.Approvers = f.Request.Actor, f.Request.Approvers
		}
	}
	if r := f.Request; r != nil && r.ID == e.Request && (r.Event == Applied || r.Event == Destroyed) && slices.Contains(decisions, e.Event) {
		return f // a late step of the request was refused, which takes nothing back
	}
	next := RequestStatus{ID: e.Request, Commit: e.Commit}
	switch {
	case e.Event == Requested && e.PlanOnly || !e.isStep():
		return f
	case e.Event == Requested:
		next.Actor, next.Gated = e.Actor, e.Gated
	case f.Request == nil || f.Request.ID != e.Request:
		return f
	default:
		next = *f.Request
	}
	next.Event, next.Outcome, next.Reason, next.At, next.RunURL = e.Event, e.Outcome, e.Reason, e.At, e.Run.URL
	if e.Receipt != "" {
		next.Receipt = e.Receipt
	}
	switch {
	case e.Event == Planned:
		next.Approvers = nil
	case e.Event == Approved && len(next.Approvers) < maxApprovers && !slices.Contains(next.Approvers, e.Actor):
		next.Approvers = append(slices.Clip(next.Approvers), e.Actor)
	}
	f.Request = &next
	return f
}

// IsNewest reports whether a request is the newest that was to be applied.
func (f Fold) IsNewest(id pipeline.RequestID) bool { return f.Request != nil && f.Request.ID == id }

// equals compares what two folds say.
func (f Fold) equals(o Fold) bool {
	own, err := json.Marshal(f)
	other, otherErr := json.Marshal(o)
	return err == nil && otherErr == nil && bytes.Equal(own, other)
}

// isStep reports whether the event is a step of a request, and not of a lock or a state.
func (e Entry) isStep() bool {
	switch e.Event {
	case Requested, Planned, Approved, Applying, Applied, Destroyed, Refused, Failed, Superseded, Closed, Rejected:
		return true
	}
	return false
}

// check holds a fold to the form that After gives it.
func (f Fold) check() error {
	var texts, receipts []string
	var commits []pipeline.SHA
	if r := f.Request; r != nil {
		texts = append(texts, r.Actor, string(r.Outcome), string(r.Reason), r.RunURL)
		texts, receipts, commits = append(texts, r.Approvers...), append(receipts, r.Receipt), append(commits, r.Commit)
		if !pipeline.IsUUID(string(r.ID)) || !(Entry{Event: r.Event}).isStep() || len(r.Approvers) > maxApprovers || !isRunURL(r.RunURL) {
			return errFold
		}
	}
	if a := f.Apply; a != nil {
		texts, receipts, commits = append(append(texts, a.Actor), a.Approvers...), append(receipts, a.Receipt), append(commits, a.Commit)
		if a.Request != "" && !pipeline.IsUUID(string(a.Request)) || len(a.Approvers) > maxApprovers {
			return errFold
		}
	}
	if l := f.State; l != nil && (!isState(l.State) || l.Request != "" && !pipeline.IsUUID(string(l.Request)) || !(Entry{Event: l.Event, State: l.State}).leftState()) {
		return errFold
	}
	if d := f.Disabled; d != nil {
		if texts = append(texts, d.Property); d.Property == "" || !pipeline.IsUUID(string(d.Request)) {
			return errFold
		}
	}
	for _, p := range f.Plans {
		receipts = append(receipts, p.Receipt)
		if !pipeline.IsUUID(string(p.Request)) || p.Attempt < 0 || p.Applying && p.Attempt == 0 {
			return errFold
		}
	}
	if len(f.Plans) > maxPlans {
		return errFold
	}
	plain := func(text string) bool { return pipeline.PlainLine(text) == text }
	receipt := func(text string) bool { return text == "" || pipeline.IsDigest(text) }
	if !all(texts, plain) || !all(receipts, receipt) || !all(commits, isCommit) {
		return errFold
	}
	return nil
}

var errFold = errors.New("ledger entry: its fold is none")

func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

func isState(s *pipeline.StateRecord) bool {
	return s == nil || pipeline.PlainLine(s.Lineage) == s.Lineage
}

func isCommit(sha pipeline.SHA) bool {
	return sha == "" || pipeline.ConsistsOf(string(sha), 40, pipeline.Digits+"abcdef")
}

func isRunURL(url string) bool {
	return len(url) <= 2048 && all([]rune(url), func(r rune) bool { return r > ' ' && r <= '~' })
}
