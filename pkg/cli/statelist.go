package cli

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// list reads the states of customers, and of those without a file. What is wrong with one of
// them does not hide the others.
func (m states) list(ctx context.Context, customers []pipeline.Customer, left []pipeline.CustomerName, only targetOptions) ([]targetState, error) {
	states := []targetState{}
	for _, c := range customers {
		targets, err := targetFlagsOf(m.manager).stored(ctx, c)
		if err != nil {
			one := targetState{Target: pipeline.Target{Customer: c.Name}, Unread: err.Error()}
			if err := m.goOn(ctx, err); err != nil {
				return nil, err
			}
			states = append(states, one)
		}
		for _, t := range targets {
			if !only.fits(t) {
				continue
			}
			state, err := m.target(ctx, c, t)
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

// filters reports whether the flags choose among the targets of a customer.
func (o targetOptions) filters() bool { return o.environment != "" || o.stack != "" }

// fits reports whether a target passes the flags that choose among targets.
func (o targetOptions) fits(t pipeline.Target) bool {
	return (o.environment == "" || o.environment == string(t.Environment)) && (o.stack == "" || o.stack == string(t.Stack))
}

// checkFilter checks as much of the flags that choose among targets as needs no store, which
// may know an environment and a stack that metapipe.yml does not declare any more.
func (m *manager) checkFilter(o targetOptions) error {
	if o.environment != "" {
		if _, err := m.storedEnvironment(o.environment, o.store); err != nil {
			return err
		}
	}
	if o.stack == "" {
		return nil
	}
	if _, err := pipeline.ParseStackName(o.stack); err != nil {
		return pipeline.Usagef("--stack").Because(err).Nextf("%s", m.stackChoices())
	}
	if _, declared := m.config.Manager.Stack(pipeline.StackName(o.stack)); !declared && m.place(o.store).isMissing() {
		return m.noStack(o.stack)
	}
	return nil
}

// nothingFits says that no target passes the flags that choose among targets.
func (m *manager) nothingFits(o targetOptions) error {
	if o.environment != "" {
		if _, err := m.environment("environment", o.environment); err != nil {
			return err
		}
	}
	if _, declared := m.config.Manager.Stack(pipeline.StackName(o.stack)); o.stack != "" && !declared {
		return m.noStack(o.stack)
	}
	what := fmt.Sprintf("an environment %q", o.environment)
	switch {
	case o.environment == "":
		what = fmt.Sprintf("a stack %q", o.stack)
	case o.stack != "":
		what += fmt.Sprintf(" with a stack %q", o.stack)
	}
	return pipeline.Usagef("no customer asked for has %s", what).Nextf("metapipe.yml and the customer's file say which there are")
}

func (m *manager) noStack(name string) error {
	known := make([]pipeline.StackName, len(m.config.Manager.Stacks))
	for i, s := range m.config.Manager.Stacks {
		known[i] = s.Name
	}
	return pipeline.Usagef("stack %s does not exist in %s", pipeline.QuoteTyped(name), config.ManagerFile).Nextf("%s%s", pipeline.DidYouMean(name, known), m.stackChoices())
}

// stackChoices says which stacks there are.
func (m *manager) stackChoices() string {
	if len(m.config.Manager.Stacks) == 0 {
		return config.ManagerFile + " names no stacks: leave --stack out"
	}
	return "one of " + pipeline.JoinNames(m.config.Manager.StackNames())
}
