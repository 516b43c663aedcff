package drift

import (
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// Result is what one check of a target found.
type Result struct {
	pipeline.Target
	Repository pipeline.Repository `json:"repository"`
	// Branch is where the desired configuration was read, Blob the git blob of File
	// there. Commit is one that holds that blob: the one that was applied last. It is
	// empty where something else was, since GitHub gives no commit beside a file.
	Branch string       `json:"branch,omitempty"`
	Commit pipeline.SHA `json:"commit,omitempty"`
	File   string       `json:"file,omitempty"`
	Blob   pipeline.SHA `json:"blob,omitempty"`
	// Kinds that were found; empty for a clean target. An error and a lost state stand
	// alone, with a failure.
	Kinds []pipeline.DriftKind `json:"kinds,omitempty"`
	// Skipped says why there was nothing to check, such as an environment that the
	// customer's file does not have; empty where there was.
	Skipped string `json:"skipped,omitempty"`
	// Message says since when, and why, a target is abandoned; empty for other kinds.
	Message string `json:"message,omitempty"`
	// Ended: a destroy left nothing of the target. Skipped says when.
	Ended bool `json:"ended,omitempty"`
	// Plan holds what differs and is not ignored, redacted at the customer's level; nil for a clean target
	// and for an error.
	Plan *pipeline.Plan `json:"plan,omitempty"`
	// Fingerprint is the keyed hash of Plan's changes and drift.
	Fingerprint string                 `json:"fingerprint,omitempty"`
	Ignored     []IgnoredDrift         `json:"ignored,omitempty"`
	Failure     *Failure               `json:"failure,omitempty"`
	Applied     *record.DriftLastApply `json:"applied,omitempty"` // nil: metapipe applied nothing here
	// FirstSeen is when a scan first met this state of affairs, with the same kinds.
	FirstSeen time.Time        `json:"first_seen,omitzero"`
	CheckedAt time.Time        `json:"checked_at"`
	Duration  pipeline.Seconds `json:"duration_seconds"`
}

// Clean reports whether the target is as it should be.
func (r Result) Clean() bool { return len(r.Kinds) == 0 }

// IgnoredDrift is a difference that a rule hides.
type IgnoredDrift struct {
	Address   string `json:"address"`
	Attribute string `json:"attribute,omitempty"` // empty: the whole resource
	Reason    string `json:"reason"`              // the rule's
}

// Failure says why a target could not be checked.
type Failure struct {
	// Cause is a word for people and programs: "timeout", "variables",
	// "repository", "permission", "rate-limit", "tool", "state", "state-lost" or
	// "internal".
	Cause       string                `json:"cause"`
	Message     string                `json:"message"`
	Next        string                `json:"next,omitempty"`
	Diagnostics []pipeline.Diagnostic `json:"diagnostics,omitempty"`
}

// Scan is one look at the fleet, or at a part of it.
type Scan struct {
	ID            string        `json:"id"`
	Manager       pipeline.Slug `json:"manager"`
	ManagerCommit pipeline.SHA  `json:"manager_commit"`
	StartedAt     time.Time     `json:"started_at"`
	EndedAt       time.Time     `json:"ended_at"`
	Results       []Result      `json:"results"`
	// Missing are targets of the scan that no shard has reported.
	Missing []string `json:"missing,omitempty"`
	// ExpiredRules are ignore rules whose date has passed: they hide nothing.
	ExpiredRules []string `json:"expired_rules,omitempty"`
	// EndingRules are ignore rules that end within 14 days.
	EndingRules []string `json:"ending_rules,omitempty"`
	// Issues are what became of the issues in customers' repositories, where they
	// were to be written.
	Issues []TargetIssue `json:"issues,omitempty"`
	// Before is what was known of the same targets after the scan before; nil for
	// the first.
	Before *scans.Trend `json:"before,omitempty"`
}

// Redacted returns what may be shown to a customer of a check that failed. The
// manager's own people read all of it.
func (f Failure) Redacted(l pipeline.Redaction) Failure {
	if !l.Hides() {
		return f
	}
	f.Message, f.Next = pipeline.Unquoted(f.Message, f.Next, "the check did not succeed; what the tool said is not shown here", f.Diagnostics)
	f.Diagnostics = pipeline.RedactedDiagnostics(f.Diagnostics, l)
	return f
}
