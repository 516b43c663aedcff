package spacelift

import (
	"slices"
)

// runTrigger starts a run of the tracked commit, or of the one that is asked for.
func runTrigger(q *query, st *Stack, args map[string]any) (any, *problem) {
	kind := str(args, "runType")
	if kind == "" {
		kind = runTracked
	}
	sha := str(args, "commitSha")
	if sha == "" {
		sha = q.s.commitOf(st)
	}
	switch {
	case kind != runTracked && kind != runProposed:
		return nil, wrong("could not trigger run: runs of type %s cannot be triggered", kind)
	case st.Deleting:
		return nil, wrong("could not trigger run: stack is being deleted")
	case st.Disabled:
		return nil, wrong("could not trigger run: stack is disabled")
	case st.LockedBy != "":
		return nil, wrong("could not trigger run: stack is locked by %s", st.LockedBy)
	case !commitForm.MatchString(sha):
		return nil, wrong("could not trigger run: could not find commit %q", sha)
	}
	r := q.s.startRun(st, Run{Type: kind, Commit: sha, Title: "Trigger " + sha[:8], TriggeredBy: q.who(), Runtime: input(args, "runtimeConfig")})
	return st.runFields(r), nil
}

// runConfirm lets a run apply that has been planned and, where a policy asks for it,
// approved.
func runConfirm(q *query, st *Stack, r *Run, args map[string]any) (any, *problem) {
	return q.s.confirm(st, r, q.who(), str(args, "note"))
}

func (s *Server) confirm(st *Stack, r *Run, who, note string) (any, *problem) {
	switch {
	case r.State != stateUnconfirmed:
		return nil, wrong("could not confirm run: run is in state %s", r.State)
	case r.Expired:
		return nil, wrong("could not confirm run: run has expired")
	case r.NeedsApproval:
		return nil, wrong("could not confirm run: run needs to be approved")
	case st.LockedBy != "" && st.LockedBy != who:
		return nil, wrong("could not confirm run: stack is locked by %s", st.LockedBy)
	}
	s.move(r, stateConfirmed, note, who)
	return st.runFields(r), nil
}

func runDiscard(q *query, st *Stack, r *Run, args map[string]any) (any, *problem) {
	return q.s.discard(st, r, q.who(), str(args, "note"))
}

// discard ends a run that waits: for a worker, or for a person.
func (s *Server) discard(st *Stack, r *Run, who, note string) (any, *problem) {
	if r.State != stateQueued && r.State != stateUnconfirmed && r.State != statePendingReview {
		return nil, wrong("could not discard run: run is in state %s", r.State)
	}
	s.move(r, stateDiscarded, note, who)
	s.deletionEnded(st, r)
	return st.runFields(r), nil
}

// deletionEnded keeps a stack whose deletion has lost its run.
func (s *Server) deletionEnded(st *Stack, r *Run) {
	if r.Type == runDestroy {
		st.Deleting, st.destroy = false, false
	}
}

// runCancel ends a run that no worker has begun.
func runCancel(q *query, st *Stack, r *Run, _ map[string]any) (any, *problem) {
	if r.State != stateQueued && r.State != stateReady {
		return nil, wrong("could not cancel run: run is in state %s", r.State)
	}
	q.s.move(r, stateCanceled, "", q.who())
	q.s.deletionEnded(st, r)
	return st.runFields(r), nil
}

// runStop ends a run that a worker has.
func runStop(q *query, st *Stack, r *Run, args map[string]any) (any, *problem) {
	if !slices.Contains(stoppable, r.State) {
		return nil, wrong("could not stop run: run is in state %s", r.State)
	}
	q.s.move(r, stateStopped, str(args, "note"), q.who())
	q.s.deletionEnded(st, r)
	return st.runFields(r), nil
}

// runDiscardAll ends all runs that wait.
func runDiscardAll(q *query, st *Stack, _ map[string]any) (any, *problem) {
	discarded, failed := []any{}, []any{}
	for i := range st.Runs {
		r := &st.Runs[i]
		if r.finished() {
			continue
		}
		if fields, p := q.s.discard(st, r, q.who(), ""); p == nil {
			discarded = append(discarded, fields)
		} else {
			failed = append(failed, st.runFields(r))
		}
	}
	return object{"discardedRuns": discarded, "failedDiscarding": failed}, nil
}

// runRetry starts a failed proposed run once more.
func runRetry(q *query, st *Stack, r *Run, _ map[string]any) (any, *problem) {
	if r.State != stateFailed || r.Type != runProposed {
		return nil, wrong("could not retry run: run cannot be retried")
	}
	if st.idle() {
		return nil, wrong("could not retry run: stack is disabled or locked")
	}
	again := q.s.startRun(st, Run{Type: r.Type, Commit: r.Commit, Title: r.Title, TriggeredBy: q.who(), Runtime: r.Runtime})
	return st.runFields(again), nil
}

func runReview(q *query, st *Stack, r *Run, args map[string]any) (any, *problem) {
	review, p := q.s.review(st, r, q.who(), str(args, "decision"), str(args, "note"))
	if p != nil {
		return nil, p
	}
	return review.fields(), nil
}

// review notes an approval or a rejection of a run that waits for one. A rejected run ends.
func (s *Server) review(st *Stack, r *Run, who, decision, note string) (Review, *problem) {
	if !r.NeedsApproval {
		return Review{}, wrong("could not review run: run does not need a review")
	}
	review := Review{ID: s.id("review"), Author: who, Decision: decision, Note: note, State: r.State, At: s.now()}
	r.Reviews = append(r.Reviews, review)
	switch {
	case decision != "APPROVE":
		to := stateDiscarded
		if r.Type == runProposed {
			to = stateFailed
		}
		s.move(r, to, note, who)
		s.deletionEnded(st, r)
	case r.State == statePendingReview:
		s.move(r, stateFinished, note, who)
		s.reconcile(st, r.Drift && r.Delta != nil && !r.Delta.none())
	default:
		r.NeedsApproval = false
	}
	return review, nil
}
