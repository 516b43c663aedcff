package pipeline

// Overall sums the targets up: the worst final state wins, and anything open
// keeps the whole pending.
func (r Report) Overall() StatusState {
	if r.Request.Reason == ReasonSuperseded {
		return StatusError // nothing to mend: the newer commit's request carries on
	}
	if r.Request.Rejected() {
		return StatusFailure
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
