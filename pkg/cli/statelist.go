package cli

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// list reads the states of customers, and of those without a file. What is wrong with one of
// them does not hide the others.
func (m states) list(ctx context.Context, customers []pipeline.Customer, left []pipeline.CustomerName, only string) ([]targetState, error) {
	states := []targetState{}
	for _, c := range customers {
		environments, err := targetFlagsOf(m.manager).stored(ctx, c)
		if err != nil {
			one := targetState{Target: pipeline.Target{Customer: c.Name}, Unread: err.Error()}
			if err := m.goOn(ctx, err); err != nil {
				return nil, err
			}
			states = append(states, one)
		}
		for _, env := range environments {
			if only != "" && only != string(env) {
				continue
			}
			state, err := m.target(ctx, c, c.Name.In(env))
			if err != nil {
				state.Unread = err.Error()
				if err := m.goOn(ctx, err); err != nil {
					return nil, err
				}
			}
			states = append(states, state)
		}
	}
	for _, name := range left {
		more, err := leftoversOf(m.manager).leftStates(ctx, name, only)
		if err != nil {
			return nil, err
		}
		states = append(states, more...)
	}
	return states, nil
}

// goOn returns err where nothing can be read at all: a store that does not answer is asked
// once more, and not for each target.
func (m states) goOn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if _, probe := m.store.Describe(ctx, "_metapipe/none"); probe != nil {
		return err
	}
	return nil
}

// name is that of the target; of the customer alone where its environments are not known.
func (s targetState) name() string {
	if s.Environment == "" {
		return string(s.Customer)
	}
	return s.Target.String()
}

// unreadStates is the error of states that could not be read.
func unreadStates(states []targetState) error {
	unread := 0
	for _, s := range states {
		if s.Unread != "" {
			unread++
		}
	}
	if unread == 0 {
		return nil
	}
	return &pipeline.FailedError{Message: fmt.Sprintf("%d of %d states could not be read", unread, len(states)), Next: "the list says why for each"}
}
