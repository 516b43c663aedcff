package sweep

import "time"

// sweepForeign is for how long an operator reads of a run of another repository before its
// request is closed.
const sweepForeign = 24 * time.Hour

// managerReplaced reports whether the request is older than any of its plans may be. The record
// is verified, so a manager with the same key has written it: one that was lost, and that
// this repository has replaced. Its run cannot be asked for, and is not cancelled; its
// plans have expired, and an apply that began before has run out of time.
func (w *sweeping) managerReplaced() bool {
	l := w.customer.Manager.Limits
	return w.Now().Sub(w.request.CreatedAt) >= l.PlanTTL+l.PlanTimeout+l.ApplyTimeout+sweepForeign
}
