package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// stateManager opens the manager and its store for a command that reads states or
// records. check looks at the arguments: whatever it can refuse without the store, it
// refuses before the store is looked for.
func (a *App) stateManager(ctx context.Context, o stateOptions, check func(*manager) error) (*manager, error) {
	s, err := a.newStep()
	if err != nil {
		return nil, err
	}
	s.only = o.customer
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return nil, err
	}
	if err := check(m); err != nil {
		return nil, err
	}
	if err := m.place(o.store).exists(o.list); err != nil {
		return nil, err
	}
	return m, m.openStore(ctx, o.store)
}

// onStoredTarget opens the manager and the target that the flags name: one that the
// customer may use, or one that the store still has something of.
func (a *App) onStoredTarget(ctx context.Context, o targetOptions) (m *manager, c pipeline.Customer, env pipeline.Environment, err error) {
	m, err = a.stateManager(ctx, stateOptions{targetOptions: o}, func(m *manager) error { return m.checkTarget(o) })
	if err != nil {
		return nil, c, "", err
	}
	c, env, err = m.target(ctx, o)
	return m, c, env, err
}

// checkTarget checks as much of the flags that name a target as needs no store. An
// environment that metapipe.yml does not have any more may be in the store.
func (m *manager) checkTarget(o targetOptions) error {
	c, err := m.customer(o.customer)
	if err != nil {
		return err
	}
	env, missing := m.environment("environment", o.environment)
	if missing == nil && c.Allows(env) {
		return nil
	}
	if _, err := pipeline.ParseEnvironment(o.environment); err == nil && !m.place(o.store).isMissing() {
		return nil
	}
	if missing != nil {
		return missing
	}
	return allowed(c, env)
}

// checkStoredName checks a flag that names a customer, also one without a file: the store
// may know it.
func checkStoredName(name string) error {
	if name == "" {
		return nil
	}
	if _, err := pipeline.ParseCustomerName(name); err != nil {
		return &pipeline.UsageError{Message: "--customer", Err: err, Next: "`metapipe state list` shows the names that the store has"}
	}
	return nil
}
