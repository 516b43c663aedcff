package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/store"
)

// leftovers finds what the store has of customers without a file.
type leftovers struct{ *manager }

func leftoversOf(m *manager) leftovers { return leftovers{m} }

// unregistered are the customers that the store knows and customers/ does not, in
// ascending order: they were renamed or removed.
func (m leftovers) unregistered(ctx context.Context) ([]pipeline.CustomerName, error) {
	names, err := registry.StoredCustomers(ctx, m.store)
	if err != nil {
		return nil, err
	}
	var left []pipeline.CustomerName
	for _, name := range names {
		if _, registered := m.config.Customer(name); !registered {
			left = append(left, name)
		}
	}
	return left, nil
}

// isUnregistered reports whether the store knows a name that customers/ does not. Of a
// registered one nothing is asked, so that a role of one customer is enough.
func (m leftovers) isUnregistered(ctx context.Context, name string) (bool, error) {
	if _, registered := m.config.Customer(pipeline.CustomerName(name)); registered {
		return false, nil
	}
	left, err := m.unregistered(ctx)
	return slices.Contains(left, pipeline.CustomerName(name)), err
}

// stateCustomers are the customers whose states are shown: all, or the one that is named.
func (m leftovers) stateCustomers(ctx context.Context, name string) (registered []pipeline.Customer, left []pipeline.CustomerName, err error) {
	if name == "" {
		left, err = m.unregistered(ctx)
		return m.config.Customers, left, err
	}
	is, err := m.isUnregistered(ctx, name)
	if err != nil || is {
		return nil, []pipeline.CustomerName{pipeline.CustomerName(name)}, err
	}
	c, err := m.customer(name)
	return []pipeline.Customer{c}, nil, err
}

// leftStates are the states that a customer without a file has in the store. Which
// customer's backend another kind of state is in is not known without the file.
func (m leftovers) leftStates(ctx context.Context, name pipeline.CustomerName, only targetOptions) ([]targetState, error) {
	stored, err := registry.StoredTargets(ctx, m.store, name)
	if err != nil {
		return []targetState{{Target: pipeline.Target{Customer: name}, Unregistered: true, Unread: err.Error()}}, statesOf(m.manager).goOn(ctx, err)
	}
	to, unread := m.renamedTo(ctx, name)
	var states []targetState
	c := pipeline.Customer{Name: name, Manager: m.config.Manager}
	for _, t := range c.InOrder(stored) {
		if !only.fits(t) {
			continue
		}
		state := targetState{Target: t, Place: m.backend(t).String(), Unregistered: to == "", RenamedTo: to, RenameUnread: unread}
		if err := m.leftState(ctx, c, &state); err != nil {
			state.Unread = err.Error()
			if err := statesOf(m.manager).goOn(ctx, err); err != nil {
				return nil, err
			}
		}
		states = append(states, state)
	}
	return states, nil
}

// leftState fills in what the store has of one of them.
func (m leftovers) leftState(ctx context.Context, c pipeline.Customer, state *targetState) error {
	kept, err := m.store.List(ctx, record.KeptPrefix(state.Target))
	if err != nil {
		return err
	}
	state.Kept = record.KeptStates(kept)
	if m.config.Manager.StateInStore(state.Target) {
		err = statesOf(m.manager).stateInStore(ctx, c, state.Target, state)
	} else {
		state.LockUnknown = "in the backend " + m.backend(state.Target).Type
	}
	if err != nil {
		return err
	}
	return statesOf(m.manager).end(ctx, state)
}

// renamedTo is the name that a customer without a file has now. It is verified with a key
// where there is one: without it, who can write to the store can say what they like.
func (m leftovers) renamedTo(ctx context.Context, name pipeline.CustomerName) (to pipeline.CustomerName, unread string) {
	why := ""
	if m.sealer == nil { // the same for all names
		s, err := m.keys().sealer(ctx)
		if err == nil {
			m.sealer = s
		} else {
			why = m.keyTrouble(err)
		}
	}
	var sealer pipeline.Sealer
	if m.sealer != nil {
		sealer = m.sealer
	}
	to, err := registry.RenamedTo(ctx, m.store, sealer, name)
	switch {
	case err != nil:
		return "", operatorLine(err)
	case to != "" && sealer == nil:
		return to, why + ", so the record of the rename is not verified"
	}
	return to, ""
}

// operatorLine is an error in the words that are for the operator alone.
func operatorLine(err error) string {
	var refused *pipeline.RefusedError
	if errors.As(err, &refused) && refused.Detail != "" {
		return refused.Detail + "; " + cmp.Or(refused.Operator, refused.Next)
	}
	return err.Error()
}

// keyTrouble says in part of a sentence why there is no key to verify with: none is set,
// or what is set is malformed, or the key service does not give it.
func (m leftovers) keyTrouble(err error) string {
	secret := m.app.getenv(envKey)
	if secret == "" && len(m.config.Manager.SealingKeys) == 0 {
		return envKey + " is not set"
	}
	if secret != "" {
		if _, err := store.ParseKeys(secret); err != nil {
			return fmt.Sprintf("%s is malformed (%v)", envKey, err)
		}
	}
	if len(m.config.Manager.SealingKeys) > 0 {
		return fmt.Sprintf("the keys of sealing_keys in %s cannot be used (%v)", config.ManagerFile, err)
	}
	return fmt.Sprintf("%s cannot be used (%v)", envKey, err)
}

// printUnregistered names the customers of a list that have no file any more.
func (a *App) printUnregistered(states []targetState) {
	environments := map[pipeline.CustomerName][]string{}
	var order []targetState // the first of each customer
	for _, s := range states {
		if s.Environment == "" || s.RenamedTo == "" && (!s.Unregistered || s.Ended != nil) { // an ended customer needs no file
			continue
		}
		if environments[s.Customer] == nil {
			order = append(order, s)
		}
		environments[s.Customer] = append(environments[s.Customer], s.Name())
	}
	for _, s := range order {
		envs := strings.Join(environments[s.Customer], ", ")
		if s.RenamedTo != "" {
			fmt.Fprintf(a.Out, "\nRENAMED %s (%s): it is customer %s now, and these states are of no use any more\n", s.Customer, envs, s.RenamedTo)
		} else {
			fmt.Fprintf(a.Out, "\nNOT REGISTERED %s (%s): %s/%s.yml does not exist\n→ %s\n", s.Customer, envs, config.CustomersDir, s.Customer, unregisteredNext)
		}
		if s.RenameUnread != "" {
			fmt.Fprintf(a.Out, "warning: %s\n", render.TerminalLine(s.RenameUnread))
		}
	}
}

// printLeft names the applied targets of a list that nothing plans any more.
func (a *App) printLeft(states []targetState) {
	for _, s := range states {
		if s.Left != "" {
			fmt.Fprintf(a.Out, "\nLEFT %s: %s\n→ %s\n", s.name(), render.TerminalLine(pipeline.LeftMessage("it", s.Left)), pipeline.LeftNext)
		}
	}
}

const unregisteredNext = "if the file was renamed, give it its old name, or move everything to the new one with `metapipe customer rename`"
