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
	s.only, s.tolerant = o.customer, o.tolerant
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

// checkStoredName checks a flag that names a customer, also one without a file: the store
// may know it.
func checkStoredName(name string) error {
	if name == "" {
		return nil
	}
	if _, err := pipeline.ParseCustomerName(name); err != nil {
		return pipeline.Usagef("--customer").Because(err).Nextf("`metapipe state list` shows the names that the store has")
	}
	return nil
}

type stateOptions struct {
	targetOptions
	json, log    bool
	list         bool // a manager that has deployed nothing yet has no directory
	file, unlock string
}
