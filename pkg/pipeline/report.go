package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Report is everything that is to be reported about one request. It is a value:
// the renderers in pkg/render turn it into Markdown or JSON.
type Report struct {
	Request Request        `json:"request"`
	Manager Slug           `json:"manager"`
	Targets []TargetReport `json:"targets"`
	At      time.Time      `json:"at"`
	GitHub  *Budget        `json:"github,omitempty"` // what this report cost; nil when it was not counted
	// Unreported is what GitHub refuses to take, now and each time.
	Unreported []Unreported `json:"unreported,omitempty"`
	// Closed: this report has closed the request, so that nothing is left to report.
	Closed bool `json:"closed,omitempty"`
}

// TargetReport is one target of a report.
type TargetReport struct {
	Target
	Outcome Outcome `json:"outcome"`
	Reason  Reason  `json:"reason,omitempty"`
	// Message says in a sentence why the outcome is what it is; Next what to do.
	Message string `json:"message,omitempty"`
	Next    string `json:"next,omitempty"`
	// Operator is what the provider does about it. It stands in the summary of the
	// manager's run, and nowhere in the customer's repository.
	Operator string `json:"operator,omitempty"`
	// Applies: an apply is asked for, not only a plan. Gated: people approve it.
	Applies bool `json:"applies"`
	Gated   bool `json:"gated,omitempty"`
	// PlanOnly says why the environment is only planned.
	PlanOnly string `json:"plan_only,omitempty"`
	// Redaction is the level at which the target is reported; empty: everything.
	Redaction Redaction `json:"redaction,omitempty"`
	// Plan is nil when there is none (yet).
	Plan *Plan `json:"plan,omitempty"`
	// Receipt is the digest of the plan's receipt, ReceiptCode its short form; both
	// are empty without a plan.
	Receipt     string    `json:"receipt,omitempty"`
	ReceiptCode string    `json:"receipt_code,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
	// Reviewed compares the plan with the one its pull request showed.
	Reviewed Reviewed `json:"reviewed,omitempty"`
	// Diagnostics of a failed plan or apply.
	Diagnostics []Diagnostic      `json:"diagnostics,omitempty"`
	Done        []AppliedResource `json:"done,omitempty"`
	Outputs     []Output          `json:"outputs,omitempty"`
	// Composed is what controllers have made of the objects of the stack, as the apply has left it.
	Composed  Composition `json:"composed,omitzero"`
	RunURL    string      `json:"run_url,omitempty"`
	PlannedAt time.Time   `json:"planned_at,omitzero"`
	EndedAt   time.Time   `json:"ended_at,omitzero"`
}

// Reviewed says how a plan compares with the plan of its pull request.
type Reviewed string

// The answers; empty means that the request has no merged pull request.
const (
	ReviewedSame      Reviewed = "same"      // same fingerprint: it would do the same
	ReviewedDifferent Reviewed = "different" // it would do something else
	ReviewedOtherKey  Reviewed = "other-key" // made under a key that is no longer available: unknown
	ReviewedUnseen    Reviewed = "unseen"    // the pull request showed no plan for this target
)

// Overall sums the targets up: the worst final state wins, and anything open
// keeps the whole pending.
func (r Report) Overall() StatusState {
	if r.Request.Reason == ReasonSuperseded {
		return StatusError // nothing to correct: the newer commit's request carries on
	}
	if r.Request.Rejected() {
		return StatusFailure
	}
	if r.Request.NoTools() {
		return StatusSuccess
	}
	if len(r.Targets) == 0 {
		return StatusError // nothing was looked at, so that nothing is known to be done
	}
	worst := StatusSuccess
	rank := map[StatusState]int{StatusSuccess: 0, StatusError: 1, StatusFailure: 2}
	for _, t := range r.Targets {
		state := t.Outcome.Status()
		if state == StatusPending {
			return StatusPending
		}
		if rank[state] > rank[worst] {
			worst = state
		}
	}
	return worst
}

// Marker is the hidden first line of a comment or issue by which it is found
// again: a hash of who writes it, for which customer, and of what kind.
func Marker(manager Slug, customer CustomerName, kind string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(manager.String()) + "\x00" + string(customer) + "\x00" + kind))
	return "<!-- metapipe:" + hex.EncodeToString(sum[:8]) + " -->"
}

// OrNone is the answer for people; empty means that there is no pull request.
func (r Reviewed) OrNone() string {
	if r == "" {
		return "no pull request"
	}
	return string(r)
}
