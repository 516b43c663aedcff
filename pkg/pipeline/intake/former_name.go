package intake

import (
	"context"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// noneLeft refuses a new path of a repository while a customer without a file has states
// of another path of it: its file may have changed its name and its path at once. One that
// was ended, or moved to another name, has none. A new repository shows nothing of that.
func (f *FetchVars) noneLeft(ctx context.Context, c pipeline.Customer) error {
	s := f.records()
	own, found, err := registry.NameRecords{Records: s}.Evidence(ctx, c.Name, c)
	if err != nil || found && own.RepositoryID == c.RepositoryID { // only its path has changed
		return err
	}
	names, err := registry.StoredCustomers(ctx, f.Store)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name pipeline.CustomerName) bool {
		_, registered := f.Customers.Customer(name)
		return registered
	})
	name, left, err := registry.NameRecords{Records: s}.FirstName(ctx, names, c, func(name pipeline.CustomerName, e pipeline.Evidence) (bool, error) {
		if e.RepositoryID != c.RepositoryID {
			return false, nil
		}
		if now, err := registry.RenamedTo(ctx, s.Store, s.Sealer, name); err != nil || now != "" {
			return false, err
		}
		empty, err := registry.NameRecords{Records: s}.Empty(ctx, name)
		return !empty, err
	})
	if err != nil || name == "" {
		return err
	}
	return &pipeline.RenamedError{Old: name, New: c, Left: &left}
}
