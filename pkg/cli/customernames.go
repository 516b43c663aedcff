package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

func customerFile(name pipeline.CustomerName) string {
	return config.CustomersDir + "/" + string(name) + ".yml"
}

// noNewFile says what is wrong with a rename to a name without a file. The advice to move
// a file is given only where the store has the states under the first name: with the names
// the wrong way round, it would undo a rename.
func (m renaming) noNewFile(ctx context.Context, old, name pipeline.CustomerName) error {
	stored, err := registry.StoredCustomers(ctx, m.store)
	if err != nil {
		return err
	}
	before, stays := m.config.Customer(old)
	if !stays {
		return m.neitherFile(old, name, stored)
	}
	if m.sealer, err = m.keys().sealer(ctx); err != nil {
		return err
	}
	known, err := registry.LookUpNames(ctx, m.store, m.sealer, before, name)
	if err != nil {
		return err
	}
	swapped := fmt.Sprintf("the names look swapped; the old name comes first: `metapipe customer rename %s %s`", name, old)
	missing := customerFile(name) + " does not exist"
	switch {
	case known.Now == name:
		return pipeline.Usagef("the store has the states of customer %s under the name %s, not under %s, and %s",
			before.File, name, old, missing).
			Nextf("%s", swapped)
	case known.Begun:
		return pipeline.Usagef("the rename of customer %s to %s is not complete, and %s", name, old, missing).Nextf("%s", swapped)
	case known.Moved:
		return pipeline.Usagef("customer %s was renamed to %s, and %s", name, old, missing).
			Nextf("there is nothing to do; to give the customer its old name back, rename the file first: `git mv %s %s`",
				customerFile(old), customerFile(name))
	case known.Now == "" && !slices.Contains(stored, old) && slices.Contains(stored, name):
		return pipeline.Usagef("the store has nothing under the name %s, and has records of %s; %s", old, name, missing).
			Nextf("%s", swapped)
	case known.Now == "":
		return pipeline.Usagef("the store knows no customer of %s, and %s", before.File, missing).
			Nextf("there is nothing to move: rename the file alone; %s", storedChoices(stored))
	}
	return pipeline.Usagef("%s does not exist, and %s does", customerFile(name), customerFile(old)).
		Nextf("rename the file first: `git mv %s %s`", customerFile(old), customerFile(name))
}

// neitherFile is for two names that customers/ does not have.
func (m renaming) neitherFile(old, name pipeline.CustomerName, stored []pipeline.CustomerName) error {
	_, err := m.customer(string(name))
	if slices.Contains(stored, old) {
		return err // the choices of the new name
	}
	return pipeline.Usagef("the store has nothing under the name %s, and %s does not exist", old, customerFile(name)).
		Nextf("the old name: %s. The new name: %s", storedChoices(stored), m.config.Advice())
}

func storedChoices(stored []pipeline.CustomerName) string {
	if len(stored) == 0 {
		return "the store has no customer yet"
	}
	const most = 20
	if len(stored) > most {
		return fmt.Sprintf("the store has %s and %d more, as `metapipe state list` shows", pipeline.JoinNames(stored[:most]), len(stored)-most)
	}
	return "the store has " + pipeline.JoinNames(stored)
}
