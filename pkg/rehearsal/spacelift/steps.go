package spacelift

import (
	"slices"
	"strings"
)

// Plan sets what runs find to change, those of type DESTROY too. f gets copies of the stack
// and of the run, and must not call the server. Without one a run finds a change unless its
// commit and configuration are those of the last tracked run that finished.
func (s *Server) Plan(f func(Stack, Run) Delta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = f
}

// Push is a push of a commit to a branch of a repository, as "owner/name" or as a name. It
// starts a tracked run on each stack of that branch that is enabled and not locked, and
// returns the ids of these stacks.
func (s *Server) Push(repository, branch, sha string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	namespace, name, hasOwner := strings.Cut(repository, "/")
	if !hasOwner {
		namespace, name = "", repository
	}
	s.heads[namespace+"/"+name+"@"+branch] = sha
	var started []string
	for _, id := range s.stackIDs() {
		st := s.stacks[id]
		if st.Repository != name || st.Branch != branch || hasOwner && st.Namespace != "" && st.Namespace != namespace {
			continue
		}
		s.heads[st.source()] = sha
		if !st.idle() {
			s.startRun(st, Run{Type: runTracked, Commit: sha, Title: "Push " + sha[:min(len(sha), 8)], TriggeredBy: "push"})
			started = append(started, id)
		}
	}
	return started
}

// Step advances every run by one state, the oldest first, and ends deletions. A run that
// waits for a person, or for another run of its stack, stays.
func (s *Server) Step() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What runs is decided before anything moves: a run that this step starts, or sets
	// free, takes its turn in the next one.
	type turn struct {
		st *Stack
		id string
	}
	var turns []turn
	for _, id := range s.stackIDs() {
		st := s.stacks[id]
		blocker := st.blocker()
		for i := range st.Runs {
			if r := &st.Runs[i]; r == blocker || r.Type == runProposed && !r.finished() {
				turns = append(turns, turn{st, r.ID})
			}
		}
		if st.Deleting && !st.destroy && blocker == nil {
			delete(s.stacks, id)
		}
	}
	for _, t := range turns {
		s.advance(t.st, t.st.run(t.id))
	}
}

// next are the states that follow each other without a decision.
var next = map[string]string{
	stateQueued: stateReady, stateReady: statePreparing, stateConfirmed: statePrepareApply, statePrepareApply: stateApplying,
	statePreparing: stateInitializing, stateInitializing: statePlanning,
}

// advance takes one run to its next state.
func (s *Server) advance(st *Stack, r *Run) {
	switch {
	case r.State == stateQueued && r.NeedsApproval:
	case r.State == stateQueued && st.LockedBy != "": // runs of a locked stack wait
	case r.State == statePreparing && r.Type == runDestroy:
		s.move(r, stateDestroying, "", "")
	case r.State == stateDestroying:
		s.destroyed(st, r)
	case r.State == statePlanning:
		s.planned(st, r)
	case r.State == stateApplying:
		s.finish(st, r)
	case next[r.State] != "":
		s.move(r, next[r.State], "", "")
	}
}

// delta is what a run finds to change.
func (s *Server) delta(st *Stack, r *Run) Delta {
	if s.plan != nil {
		return s.plan(s.copyOf(st), r.clone())
	}
	last := st.lastFinished()
	if r.Type == runTracked || r.Type == runProposed {
		same := func(a, b ConfigElement) bool { return a.ID == b.ID && a.Type == b.Type && a.Value == b.Value }
		if last != nil && last.Commit == r.Commit && slices.EqualFunc(last.Config, r.Config, same) {
			return Delta{}
		}
	}
	return Delta{Change: 1, Resources: 1}
}

// planned decides what follows a plan. A stack that deploys by itself does not stop in
// UNCONFIRMED, so its approval policy is never asked; a warning of a plan policy stops it
// there nevertheless.
func (s *Server) planned(st *Stack, r *Run) {
	d := s.delta(st, r)
	r.Delta = &d
	warns := !d.none() && s.hasPolicy(st, "PLAN")
	asks := s.hasPolicy(st, "APPROVAL")
	switch {
	case d.Err != "":
		s.move(r, stateFailed, d.Err, "")
	case r.Type == runProposed && warns && asks:
		s.move(r, statePendingReview, "", "")
		r.NeedsApproval = true
	case r.Type == runProposed:
		s.move(r, stateFinished, "", "")
		s.reconcile(st, r.Drift && !d.none())
	case d.none():
		s.finish(st, r)
	case st.Autodeploy && !warns:
		s.move(r, statePrepareApply, "", "")
	default:
		s.move(r, stateUnconfirmed, "", "")
		r.NeedsApproval = asks
	}
}

// reconcile starts the run that undoes drift, where the schedule says so.
func (s *Server) reconcile(st *Stack, drifted bool) {
	if drifted && st.Drift != nil && st.Drift.Reconcile && !st.idle() {
		s.startRun(st, Run{Type: runTracked, Title: "Drift reconciliation", TriggeredBy: "drift detection", Commit: s.commitOf(st), Drift: true})
	}
}

// finish ends a tracked run and starts those of the stacks that depend on it: each one that
// refers to no output, or to one that has changed. The others are skipped.
func (s *Server) finish(st *Stack, r *Run) {
	s.move(r, stateFinished, "", "")
	before := st.appliedOutputs
	st.appliedOutputs = map[string]string{}
	for _, o := range st.Outputs {
		st.appliedOutputs[o.ID] = o.Value
	}
	for _, other := range s.dependentsOf(st.ID) {
		if other.idle() || s.commitOf(other) == "" {
			continue
		}
		for _, d := range other.Dependencies {
			if d.DependsOn != st.ID {
				continue
			}
			wakes := len(d.References) == 0 || slices.ContainsFunc(d.References, func(ref Reference) bool {
				old, had := before[ref.Output]
				now, has := st.appliedOutputs[ref.Output]
				return ref.TriggerAlways || has && (!had || old != now)
			})
			run := s.startRun(other, Run{Type: runTracked, Title: "Dependency " + st.ID, TriggeredBy: "dependency/" + st.ID, Commit: s.commitOf(other)})
			if !wakes {
				s.move(run, stateSkipped, "no outputs have changed", "")
			}
		}
	}
}

// destroyed ends the run of a deletion: the stack goes with its resources, or stays when
// they could not be destroyed.
func (s *Server) destroyed(st *Stack, r *Run) {
	var d Delta
	if s.plan != nil {
		d = s.plan(s.copyOf(st), r.clone())
	}
	r.Delta = &d
	if d.Err != "" {
		s.move(r, stateFailed, d.Err, "")
		st.Deleting, st.destroy = false, false
		return
	}
	s.move(r, stateFinished, "", "")
	delete(s.stacks, st.ID)
}
