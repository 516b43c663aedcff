package pipeline

import "time"

// Role is the name of the cloud role that works on a target, or a Template for
// it with all placeholders. Empty means that the credentials of the job are used as they are.
type Role string

// Of returns the name for one target and one kind of work.
func (r Role) Of(t Target, work Work) string {
	return Template(r).Fill(t, work)
}

// sessionMargin is the time around the tool's own, for the store and the report of
// what was done.
const sessionMargin = 15 * time.Minute
