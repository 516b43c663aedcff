package spacelift

import (
	"regexp"
	"slices"
)

const (
	runTracked  = "TRACKED"
	runProposed = "PROPOSED"
	runDestroy  = "DESTROY"
)

const (
	stateNone          = "NONE"
	stateQueued        = "QUEUED"
	stateReady         = "READY"
	statePreparing     = "PREPARING"
	stateInitializing  = "INITIALIZING"
	statePlanning      = "PLANNING"
	stateUnconfirmed   = "UNCONFIRMED"
	statePendingReview = "PENDING_REVIEW"
	stateConfirmed     = "CONFIRMED"
	statePrepareApply  = "PREPARING_APPLY"
	stateApplying      = "APPLYING"
	stateDestroying    = "DESTROYING"
	stateFinished      = "FINISHED"
	stateFailed        = "FAILED"
	stateDiscarded     = "DISCARDED"
	stateCanceled      = "CANCELED"
	stateStopped       = "STOPPED"
	stateSkipped       = "SKIPPED"
)

var terminal = []string{stateFinished, stateFailed, stateDiscarded, stateCanceled, stateStopped, stateSkipped}

// stoppable are the states of a run that a worker has, in which it can be stopped. A run
// that is confirmed goes its way.
var stoppable = []string{statePreparing, stateInitializing, statePlanning, statePrepareApply, stateApplying, stateDestroying}

// withLogs are the states that write a log.
var withLogs = []string{statePreparing, stateInitializing, statePlanning, statePrepareApply, stateApplying, stateDestroying}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (r *Run) finished() bool { return slices.Contains(terminal, r.State) }

// blocks reports whether the run keeps others of its stack waiting: one that may apply,
// from its first step on.
func (r *Run) blocks() bool { return r.Type != runProposed && !r.finished() }

// source is the key of a stack in the heads of branches.
func (st *Stack) source() string { return st.Namespace + "/" + st.Repository + "@" + st.Branch }

// idle reports whether a stack starts no runs.
func (st *Stack) idle() bool { return st.Disabled || st.Deleting || st.LockedBy != "" }

// state is that of the newest run that may apply.
func (st *Stack) state() string {
	for i := len(st.Runs) - 1; i >= 0; i-- {
		if st.Runs[i].Type != runProposed {
			return st.Runs[i].State
		}
	}
	return stateNone
}

// blocker is the oldest unfinished run that may apply.
func (st *Stack) blocker() *Run {
	for i := range st.Runs {
		if st.Runs[i].blocks() {
			return &st.Runs[i]
		}
	}
	return nil
}

func (st *Stack) run(id string) *Run {
	i := slices.IndexFunc(st.Runs, func(r Run) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &st.Runs[i]
}

// lastFinished is the last tracked run that finished.
func (st *Stack) lastFinished() *Run {
	for i := len(st.Runs) - 1; i >= 0; i-- {
		if r := &st.Runs[i]; r.Type == runTracked && r.State == stateFinished {
			return r
		}
	}
	return nil
}

// commitOf is the commit that a run gets that names none: the tracked one, or the head of
// the branch where none is tracked yet; empty when both are unknown.
func (s *Server) commitOf(st *Stack) string {
	if st.Commit != "" {
		return st.Commit
	}
	return s.heads[st.source()]
}

// startRun queues a run with the configuration as it is now.
func (s *Server) startRun(st *Stack, r Run) *Run {
	r.ID, r.Stack, r.Branch, r.Created = s.id("run"), st.ID, st.Branch, s.now()
	r.Config = s.effectiveConfig(st, r.Runtime)
	if r.Type == runTracked {
		st.Commit = r.Commit
	}
	st.Runs = append(st.Runs, r)
	out := &st.Runs[len(st.Runs)-1]
	s.move(out, stateQueued, "", "")
	out.NeedsApproval = s.ApproveQueued && r.Type == runTracked && s.hasPolicy(st, "APPROVAL")
	return out
}

// effectiveConfig is what a run sees: contexts by their priority, the outputs that the stack
// refers to, the configuration of the stack, and the environment of the run, each one over
// those before it.
func (s *Server) effectiveConfig(st *Stack, runtime map[string]any) []ConfigElement {
	var all Stack
	list := s.contextsOf(st)
	slices.SortStableFunc(list, func(a, b Attachment) int { return b.Priority - a.Priority })
	for _, a := range list {
		for _, e := range s.contexts[a.Of].config {
			all.setConfig(e)
		}
	}
	for _, d := range st.Dependencies {
		for _, r := range d.References {
			if on := s.stacks[d.DependsOn]; on != nil {
				for _, o := range on.Outputs {
					if o.ID == r.Output {
						all.setConfig(ConfigElement{ID: r.Input, Type: r.Type, Value: o.Value, WriteOnly: o.Sensitive})
					}
				}
			}
		}
	}
	for _, e := range st.Config {
		all.setConfig(e)
	}
	for _, pair := range objects(runtime, "environment") {
		all.setConfig(ConfigElement{ID: str(pair, "key"), Type: variable, Value: str(pair, "value")})
	}
	return all.Config
}

func (s *Server) hasPolicy(st *Stack, kind string) bool {
	return slices.ContainsFunc(s.policiesOf(st), func(a Attachment) bool { return s.policies[a.Of].kind == kind })
}

// move brings a run to a state.
func (s *Server) move(r *Run, state, note, who string) {
	r.State, r.Updated = state, s.now()
	r.History = append(r.History, Transition{State: state, Note: note, Username: who, At: s.now()})
	r.NeedsApproval = false
}

// runFields are the fields of a run of the stack.
func (st *Stack) runFields(r *Run) object {
	history := []any{}
	for i, h := range r.History {
		history = append(history, object{
			"state": h.State, "stateVersion": i + 1, "timestamp": unix(h.At), "note": orNull(h.Note), "username": orNull(h.Username),
			"terminal": slices.Contains(terminal, h.State), "hasLogs": slices.Contains(withLogs, h.State),
		})
	}
	slices.Reverse(history) // the newest first
	reviews := []any{}
	for _, one := range r.Reviews {
		reviews = append(reviews, one.fields())
	}
	v := object{
		"id": r.ID, "stackId": st.ID, "title": r.Title, "type": r.Type, "state": r.State, "commit": commit(r.Commit), "branch": r.Branch,
		"triggeredBy": orNull(r.TriggeredBy), "createdAt": unix(r.Created), "updatedAt": unix(r.Updated), "driftDetection": r.Drift,
		"needsApproval": r.NeedsApproval, "expired": r.Expired, "finished": r.finished(), "isMostRecent": st.Runs[len(st.Runs)-1].ID == r.ID,
		"canConfirm": r.State == stateUnconfirmed && !r.NeedsApproval && !r.Expired, "canRetry": r.State == stateFailed && r.Type == runProposed,
		"history": history, "reviews": reviews, "delta": nil,
	}
	if d := r.Delta; d != nil {
		v["delta"] = object{"addCount": d.Add, "changeCount": d.Change, "deleteCount": d.Delete, "resources": d.Resources}
	}
	return v
}

func (v Review) fields() object {
	return object{"id": v.ID, "author": v.Author, "decision": v.Decision, "note": orNull(v.Note), "state": v.State, "timestamp": unix(v.At)}
}

func (st *Stack) runField(_ *query, args map[string]any) (any, *problem) {
	if r := st.run(str(args, "id")); r != nil {
		return st.runFields(r), nil
	}
	return nil, nil
}

func (st *Stack) runResourceState(_ *query, args map[string]any) (any, *problem) {
	if r := st.run(str(args, "id")); r != nil {
		return object{"id": r.ID, "state": r.State, "finished": r.finished()}, nil
	}
	return nil, nil
}

// runList is a page of the runs of a stack, the newest first: those before a run.
func (st *Stack) runList(args map[string]any, proposed bool) (any, *problem) {
	out := []any{}
	before := str(args, "before")
	if before != "" && st.run(before) == nil {
		return nil, wrong("run not found")
	}
	for i := len(st.Runs) - 1; i >= 0 && len(out) < maxPage; i-- {
		r := &st.Runs[i]
		if before != "" {
			if r.ID == before {
				before = ""
			}
			continue
		}
		if (r.Type == runProposed) == proposed {
			out = append(out, st.runFields(r))
		}
	}
	return out, nil
}

func runByID(q *query, args map[string]any) (any, *problem) {
	for _, st := range q.visibleStacks() {
		if r := st.run(str(args, "id")); r != nil {
			return st.runFields(r), nil
		}
	}
	return nil, nil
}
