package sourcesync

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Report is what a run has found, and what became of its plan.
type Report struct {
	Version int `json:"version"` // 1
	change.Report
	Repositories int            `json:"repositories"` // that can be written to
	Unchanged    int            `json:"unchanged"`    // values that are as their source says
	Sources      []SourceReport `json:"sources"`
	Findings     []Finding      `json:"findings"`
}

// SourceReport is how a source was read.
type SourceReport struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	Rows int    `json:"rows"` // of a whole read
	// Reason is why nothing of the source is used; empty: it was read as a whole.
	Reason string `json:"reason,omitempty"`
}

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	Unmatched   Kind = "unmatched"       // a row names no repository
	Unclaimed   Kind = "unclaimed"       // no source has a row for the repository
	NoValue     Kind = "missing"         // the source has no value, and on_missing is report
	Unclear     Kind = "unclear"         // the source has more than one answer
	Conflict    Kind = "conflict"        // two sources differ
	Overridden  Kind = "changed-by-hand" // the value is not the one that the last run left
	Invalid     Kind = "invalid"         // the organization does not take the value
	Unavailable Kind = "unavailable"     // a source that has a say could not be read
	Unread      Kind = "unread"          // the repository could not be read
	Archived    Kind = "archived"        // a file has values for a repository that no one can write to
)

// Finding is something to look at. Nothing was written for it, unless the message says so.
type Finding struct {
	Kind         Kind   `json:"kind"`
	Source       string `json:"source,omitempty"`
	Property     string `json:"property,omitempty"`
	Repository   string `json:"repository,omitempty"`
	RepositoryID int64  `json:"repository_id,omitempty"`
	Message      string `json:"message"`
}

// Incomplete reports whether something could not be read.
func (r Report) Incomplete() bool {
	for _, s := range r.Sources {
		if s.Reason != "" {
			return true
		}
	}
	return r.CountKind(Unread) > 0
}

// CountKind is how many findings are of a kind.
func (r Report) CountKind(k Kind) int {
	n := 0
	for _, f := range r.Findings {
		if f.Kind == k {
			n++
		}
	}
	return n
}

// Err is the error of what was applied, else a *pipeline.FailedError where something could not be read.
func (r Report) Err() error {
	if err := r.Report.Err(); err != nil {
		return err
	}
	if n := r.CountKind(Archived); n > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("%d of the values of the file are for archived repositories, and are not set", n),
			Next: "the other values were not held back; where these are meant, unarchive the repositories and run this again"}
	}
	if r.Incomplete() {
		return &pipeline.FailedError{Message: "not everything could be read, so nothing was written where it has a say",
			Next: "the list says what and why; the other values were not held back"}
	}
	return nil
}
