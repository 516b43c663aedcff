package change

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Report is what a command prints about a plan.
type Report struct {
	Plan    string   `json:"plan"` // its id
	Applied bool     `json:"applied"`
	Rows    []Result `json:"rows"`
	// Limit is how many places a plan can change without --max-changes.
	Limit int    `json:"limit"`
	Undo  string `json:"undo,omitempty"` // the file that takes back what was written
	// Notes are what was left out, and why.
	Notes []string `json:"notes,omitempty"`
}

// Show is the report of a plan that is not applied.
func (p Plan) Show() Report {
	r := Report{Plan: p.ID, Rows: []Result{}, Limit: p.Limit()}
	for _, row := range p.Rows {
		r.Rows = append(r.Rows, Result{Row: row, Status: Planned})
	}
	for _, row := range p.Same {
		r.Rows = append(r.Rows, Result{Row: row, Status: Same})
	}
	return r
}

// Count is how many rows have one of the statuses.
func (r Report) Count(statuses ...Status) int {
	n := 0
	for _, row := range r.Rows {
		for _, s := range statuses {
			if row.Status == s {
				n++
			}
		}
	}
	return n
}

// Err is a *pipeline.FailedError where a row failed or was not tried, else a *pipeline.RefusedError
// where one was refused.
func (r Report) Err() error {
	if n := r.Count(Failed, Uncertain, Left); n > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("%d of %d values are not written, or not known to be", n, len(r.Rows)),
			Next: "the list says why for each; what is written stays. Run the same command again: it writes the rest"}
	}
	if n := r.Count(Refused); n > 0 {
		return &pipeline.RefusedError{Message: fmt.Sprintf("%d of %d values were refused: they are not what the plan was made for", n, len(r.Rows)),
			Next: "the list says why for each, and what to do about it; then show the plan again, and look at it"}
	}
	return nil
}
