package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/config"
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
	if err := m.storeExists(o); err != nil {
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
	if _, err := pipeline.ParseEnvironment(o.environment); err == nil && !m.noStore(o.store) {
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

// noStore reports whether the store is a directory that is not there: nothing is in it.
func (m *manager) noStore(override string) bool {
	m.chooseStore(override)
	state := m.config.Manager.State
	return state.Bucket.Name == "" && absent(state.Directory)
}

// storeExists refuses a directory that was named and is not there: what a command
// reads from it would look as if nothing was ever deployed. Where metapipe.yml names
// it, the manager may be new: a list of states says so.
func (m *manager) storeExists(o stateOptions) error {
	if o.store == "" && m.app.getenv(envStore) == "" {
		return m.directoryExists(o.list)
	}
	if m.noStore(o.store) {
		return m.storeIsMissing(o.store)
	}
	return nil
}

// storeIsMissing refuses a directory that is not there, and says who named it. chooseStore
// comes before it.
func (m *manager) storeIsMissing(override string) error {
	named, by := override, "--store"
	if named == "" {
		named, by = m.app.getenv(envStore), envStore
	}
	if named != "" {
		return &pipeline.UsageError{Message: fmt.Sprintf("the store %s of %s does not exist", m.app.absolute(named), by), Next: "correct the path, or leave it out for the place that " + config.ManagerFile + " names"}
	}
	directory := m.config.Manager.State.Directory
	if directory != filepath.Join(m.dir, config.DefaultStateDirectory) {
		return &pipeline.UsageError{Message: fmt.Sprintf("the store %s of state.directory in %s does not exist", directory, config.ManagerFile), Next: "correct the path, or mount what it is on; the first plan of a new manager makes it"}
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("no store is named, and %s does not exist", directory),
		Next: "set " + envBucket + " to the bucket of the workflows, or name a directory with --store; the first plan of a new manager makes the directory"}
}

// directoryExists looks at the directory that is used without a flag.
func (m *manager) directoryExists(list bool) error {
	named := m.config.Manager.State.Directory != ""
	m.chooseStore("")
	state := m.config.Manager.State
	switch {
	case state.Bucket.Name != "" || !absent(state.Directory):
		return nil
	case list:
		m.app.logf("no state yet: %s does not exist", state.Directory)
		return nil
	case !named:
		return nil
	}
	return m.storeIsMissing("")
}

func absent(dir string) bool {
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}
