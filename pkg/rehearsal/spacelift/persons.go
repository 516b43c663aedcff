package spacelift

import "fmt"

// What a person does in the web interface, or time. Each of these fails where the person
// would not succeed.

func (s *Server) onRun(what, stack, run string, do func(*Stack, *Run) *problem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stacks[stack]
	if st == nil || st.run(run) == nil {
		return fmt.Errorf("%s run %s of stack %s: not found", what, run, stack)
	}
	if p := do(st, st.run(run)); p != nil {
		return fmt.Errorf("%s run %s of stack %s: %s", what, run, stack, p.Message)
	}
	return nil
}

func (s *Server) onStack(what, stack string, do func(*Stack)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stacks[stack]
	if st == nil {
		return fmt.Errorf("%s stack %s: not found", what, stack)
	}
	do(st)
	return nil
}

// Confirm lets a run apply.
func (s *Server) Confirm(stack, run, who string) error {
	return s.onRun("confirm", stack, run, func(st *Stack, r *Run) *problem {
		_, p := s.confirm(st, r, who, "")
		return p
	})
}

// Discard ends a run that waits.
func (s *Server) Discard(stack, run, who string) error {
	return s.onRun("discard", stack, run, func(st *Stack, r *Run) *problem {
		_, p := s.discard(st, r, who, "")
		return p
	})
}

// Approve approves a run for the approval policy.
func (s *Server) Approve(stack, run, who string) error {
	return s.onRun("approve", stack, run, func(st *Stack, r *Run) *problem {
		_, p := s.review(st, r, who, "APPROVE", "")
		return p
	})
}

// Reject rejects a run for the approval policy, which ends it.
func (s *Server) Reject(stack, run, who, note string) error {
	return s.onRun("reject", stack, run, func(st *Stack, r *Run) *problem {
		_, p := s.review(st, r, who, "REJECT", note)
		return p
	})
}

// Expire takes away what a run has planned, as time does: it cannot be confirmed any more.
func (s *Server) Expire(stack, run string) error {
	return s.onRun("expire", stack, run, func(_ *Stack, r *Run) *problem {
		r.Expired = true
		return nil
	})
}

// EditConfig changes the value of an element, or adds a variable.
func (s *Server) EditConfig(stack, id, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stacks[stack]
	if st == nil {
		return fmt.Errorf("edit config of stack %s: not found", stack)
	}
	in := map[string]any{"id": id, "type": variable, "value": value}
	for _, e := range st.Config {
		if e.ID == id {
			in = map[string]any{"id": id, "type": e.Type, "value": value, "writeOnly": e.WriteOnly, "description": e.Description, "fileMode": e.FileMode}
		}
	}
	e, p := s.element(in)
	if p != nil {
		return fmt.Errorf("edit config of stack %s: %s", stack, p.Message)
	}
	st.setConfig(e)
	return nil
}

// SetAutodeploy turns autodeploy on or off.
func (s *Server) SetAutodeploy(stack string, on bool) error {
	return s.onStack("edit", stack, func(st *Stack) { st.Autodeploy = on })
}

// SetLabels replaces the labels.
func (s *Server) SetLabels(stack string, labels ...string) error {
	return s.onStack("edit", stack, func(st *Stack) { st.Labels = labels })
}

// DisableByHand disables a stack.
func (s *Server) DisableByHand(stack string) error {
	return s.onStack("disable", stack, func(st *Stack) { st.Disabled = true })
}

// LockByHand locks a stack for a person.
func (s *Server) LockByHand(stack, who, note string) error {
	return s.onStack("lock", stack, func(st *Stack) { st.LockedBy, st.LockNote, st.LockedAt = who, note, s.now() })
}

// UnlockByHand takes the lock of a stack away.
func (s *Server) UnlockByHand(stack string) error {
	return s.onStack("unlock", stack, func(st *Stack) { st.LockedBy, st.LockNote = "", "" })
}
