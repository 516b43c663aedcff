package intake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// noneLeft refuses a new path of a repository while a customer without a file has states
// of another path of it: its file may have changed its name and its path at once. One that
// was ended, or moved to another name, has none. A new repository shows nothing of that.
func (f *FetchVars) noneLeft(ctx context.Context, c pipeline.Customer) error {
	s := registry.NameRecords{Records: f.viewed()}
	own, found, err := s.Evidence(ctx, c.Name, c)
	if err != nil {
		return err
	}
	if found && own.RepositoryID == c.RepositoryID {
		return nil // only its path has changed
	}
	if err := s.CheckUnrecorded(ctx, c); err != nil {
		return err
	}
	names, err := registry.StoredCustomers(ctx, s)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name pipeline.CustomerName) bool {
		_, registered := f.Customers.Customer(name)
		return registered
	})
	name, left, err := s.FirstName(ctx, names, c, func(name pipeline.CustomerName, e pipeline.Evidence) (bool, error) {
		if e.RepositoryID != c.RepositoryID {
			return false, nil
		}
		if now, err := registry.RenamedTo(ctx, s.Store, s.Sealer, name); err != nil || now != "" {
			return false, err
		}
		empty, err := s.Empty(ctx, name)
		return !empty, err
	})
	if err != nil {
		return err
	}
	if name == "" { // failed applies alone have changed something
		if name, left, err = f.formerPath(ctx, c); err != nil || name == "" {
			return err
		}
	}
	return &pipeline.RenamedError{Old: name, New: c, Left: &left}
}

// formerPath is a name without a file that has a state, and a registration of another path
// of the repository of c; empty where there is none.
func (f *FetchVars) formerPath(ctx context.Context, c pipeline.Customer) (pipeline.CustomerName, pipeline.Evidence, error) {
	s := registry.NameRecords{Records: f.viewed()}
	r, found, err := s.FormerPath(ctx, c, func(name pipeline.CustomerName) (bool, error) {
		if _, registered := f.Customers.Customer(name); registered || name == c.Name {
			return false, nil
		}
		empty, err := s.Empty(ctx, name)
		return !empty, err
	})
	if err != nil || !found {
		return "", pipeline.Evidence{}, err
	}
	return r.Customer, pipeline.Evidence{RepositoryID: r.RepositoryID, Path: r.Path}, nil
}

// look asks for what fetch-vars needs of the names in the store in any case, in the order in
// which later questions are answered by it: the registrations of the repository, and where
// it has none, the customers. It reports whether the store has nothing of the customer.
func (f *FetchVars) look(ctx context.Context, c pipeline.Customer) (fresh bool, err error) {
	seen := f.viewed()
	keys, err := seen.List(ctx, registry.RegistrationsOf(c.RepositoryID))
	if err != nil {
		return false, fmt.Errorf("look for the registrations of repository %d: %w", c.RepositoryID, err)
	}
	if len(keys) > 0 {
		return false, nil
	}
	names, err := registry.StoredCustomers(ctx, seen)
	return err == nil && !slices.Contains(names, c.Name), err
}

// Register writes down which customer a path of a repository is, before its first
// request, and again where that is recorded under a key that is not at hand. Where the
// store knows another name, it is a *RenamedError.
func (f *FetchVars) Register(ctx context.Context, c pipeline.Customer) error {
	_, err := f.register(ctx, c)
	return err
}

// register returns the number of the registration; 0 where it is another run's.
func (f *FetchVars) register(ctx context.Context, c pipeline.Customer) (int, error) {
	seen := f.viewed()
	last, number, err := registry.LoadRegistration(ctx, seen, seen, c)
	unknown := errors.Is(err, pipeline.ErrUnknownKey)
	if unknown {
		err = registry.CheckClaim(ctx, seen, c)
		last = registry.Registration{Customer: c.Name} // it claims to be of this name
	}
	if err == nil {
		err = registry.NameRecords{Records: f.viewed()}.SameName(ctx, c, last, number)
	}
	if err != nil || number > 0 && !unknown {
		return number, registry.RegistrationError(err, c)
	}
	former, err := registry.NameRecords{Records: f.viewed()}.NameByApplies(ctx, c)
	if err != nil {
		return 0, err
	}
	if former != "" && former != c.Name {
		return 0, &pipeline.RenamedError{Old: former, New: c}
	}
	if err := f.nameIsFree(ctx, c); err != nil {
		return 0, err
	}
	if number == 0 {
		if err := f.noneLeft(ctx, c); err != nil {
			return 0, err
		}
	}
	err = registry.Create(ctx, f.records(), c, number+1, f.Now())
	if errors.Is(err, pipeline.ErrExists) { // another run was quicker
		return 0, registry.CheckRegistered(ctx, f.Store, f.Sealer, c)
	}
	return number + 1, err
}

// nameIsFree refuses a new customer under a name with the history of another repository:
// its plan would change what is not its own.
func (f *FetchVars) nameIsFree(ctx context.Context, c pipeline.Customer) error {
	err := registry.CheckOwners(ctx, f.viewed(), c)
	var other *pipeline.OwnerError
	if errors.As(err, &other) {
		return &pipeline.RenamedError{New: c, Taken: other}
	}
	return err
}

// registered registers the customer of a request whose origin is proved. One that has
// another name in the store gets an answer, and nothing is planned.
func (f *FetchVars) registered(ctx context.Context, from *origin) (*pipeline.RenamedError, error) {
	if from.customer.Offboarded && from.mode != pipeline.ModeDestroy {
		return nil, nil // only a customer that is there gets a registration
	}
	var err error
	from.registered, err = f.register(ctx, from.customer)
	var renamed *pipeline.RenamedError
	if errors.As(err, &renamed) {
		if old, stays := f.Customers.Customer(renamed.Old); stays && old.RepositoryID == from.customer.RepositoryID && old.Path != from.customer.Path {
			renamed.Stays = old.File
		}
		from.rejection = renamed.Answer(path.Join(from.customer.Path, pipeline.VariablesFile))
		return renamed, nil
	}
	return nil, err
}
