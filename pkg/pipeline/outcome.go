package pipeline

// Outcome is how one target of a request ended, or stands.
type Outcome string

// The outcomes. The first three are not final.
const (
	OutcomeRequested  Outcome = "requested"  // accepted, nothing planned yet
	OutcomePlanning   Outcome = "planning"   // a plan has begun
	OutcomeWaiting    Outcome = "waiting"    // planned; the apply is to come
	OutcomeApplying   Outcome = "applying"   // an apply has begun
	OutcomeApplied    Outcome = "applied"    // the plan under review was applied
	OutcomeNoChanges  Outcome = "no-changes" // the plan is empty, nothing to apply
	OutcomePlanned    Outcome = "planned"    // planned, and no apply was asked for
	OutcomeDeferred   Outcome = "deferred"   // not planned: outputs of another stack are not known yet
	OutcomeRejected   Outcome = "rejected"   // the request or its variables were not accepted
	OutcomeRefused    Outcome = "refused"    // the plan may not be applied; the reason says why
	OutcomeFailed     Outcome = "failed"     // the tool, or a part it needs, failed
	OutcomeCancelled  Outcome = "cancelled"  // someone stopped it, or the runner was lost
	OutcomeExpired    Outcome = "expired"    // no one applied the plan in its time to live
	OutcomeSuperseded Outcome = "superseded" // a newer request took its place
	OutcomeSkipped    Outcome = "skipped"    // an earlier environment did not succeed
)

// Final reports whether nothing more will happen to the target.
func (o Outcome) Final() bool {
	switch o {
	case OutcomeRequested, OutcomePlanning, OutcomeWaiting, OutcomeApplying, "":
		return false
	}
	return true
}

// Succeeded reports whether the target got what was asked for.
func (o Outcome) Succeeded() bool {
	return o == OutcomeApplied || o == OutcomeNoChanges || o == OutcomePlanned
}

// Stops reports whether the targets after this one are not started. A deferred plan stops
// none: it is one of a pull request, which plans them all.
func (o Outcome) Stops() bool { return o.Final() && !o.Succeeded() && o != OutcomeDeferred }

// StatusState is the state of a GitHub commit status.
type StatusState string

// The four states that GitHub knows.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
	StatusError   StatusState = "error"
)

// Status maps the outcome to a commit status: failure is "you can correct it in
// your repo", error is "something broke or was stopped on our side".
func (o Outcome) Status() StatusState {
	switch {
	case !o.Final():
		return StatusPending
	case o.Succeeded(), o == OutcomeDeferred: // a merge plans it, and must be possible
		return StatusSuccess
	case o == OutcomeRejected || o == OutcomeRefused || o == OutcomeFailed:
		return StatusFailure
	}
	return StatusError
}
