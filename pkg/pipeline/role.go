package pipeline

import "time"

// Work is what is done on a target, where that decides about its credentials.
type Work string

// The kinds of work. Plans, also those that look for drift, need to read only.
const (
	WorkPlan  Work = "plan"
	WorkApply Work = "apply"
)

// Role is the name of the cloud role that works on a target, or a Template for
// it with all placeholders. Empty means that the credentials of the job are used as they are.
type Role string

// Of returns the name for one target and one kind of work.
func (r Role) Of(c CustomerName, env Environment, work Work) string {
	return Template(r).Fill(c, env, work)
}

// sessionMargin is the time around the tool's own, for the store and the report of
// what was done.
const sessionMargin = 15 * time.Minute

// SessionTime is how long credentials must last for the work.
func (l Limits) SessionTime(work Work) time.Duration {
	if work == WorkApply {
		return l.ApplyTimeout + sessionMargin
	}
	return l.PlanTimeout + sessionMargin
}
