package recovery

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// names seals again which customer each repository is, and which name a renamed one has.
// Of registrations the last one counts, of the records about old names each.
func (r *Rekeyer) names(ctx context.Context, keys []string, apply bool, result *RekeyResult) error {
	folders := map[string][]string{}
	var order []string
	for _, key := range keys {
		if !strings.HasPrefix(key, registry.Registrations) {
			continue
		}
		folder := path.Dir(key) + "/"
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], key)
	}
	for _, folder := range order {
		all := registry.NewestOf(folder, folders[folder])
		_, from, renamed := registry.RenameOf(all[0])
		if !renamed {
			all = all[len(all)-1:]
		}
		for _, key := range all {
			var err error
			if renamed {
				err = r.rename(ctx, from, key, apply, result)
			} else {
				err = r.registration(ctx, folder, key, len(folders[folder])+1, apply, result)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rename seals the record of a rename again.
func (r *Rekeyer) rename(ctx context.Context, from pipeline.CustomerName, key string, apply bool, result *RekeyResult) error {
	load := func(s record.Reader) (registry.RenameRecord, error) { return registry.LoadRename(ctx, s, key) }
	lost := fmt.Sprintf("run `metapipe customer rename %s NEW --apply` with the name NEW that customer %s has now; where it has none, remove this object", from, from)
	if r.customer(from) != nil {
		lost = fmt.Sprintf("remove this object: customer %s has a file, and the object says only that the name was left once", from)
	}
	_, err := rekeyFleet(ctx, r, rekeyName[registry.RenameRecord]{key: key, again: registry.AgainKey(key, r.Now()), load: load, lost: lost}, apply, result)
	return err
}

// registration seals the last registration of a path again. Where no key opens it, it is of
// use only while a customer has the repository and the name that it claims: otherwise it only
// keeps other repositories out, which it does without its key.
func (r *Rekeyer) registration(ctx context.Context, folder, key string, next int, apply bool, result *RekeyResult) error {
	load := func(s record.Reader) (registry.Registration, error) {
		return registry.LoadRegistrationAt(ctx, s, folder, key)
	}
	lost := "the next request of the customer registers it again, and `metapipe state accept` does"
	stored, err := rekeyFleet(ctx, r, rekeyName[registry.Registration]{key: key, again: fmt.Sprintf("%s%06d.json", folder, next), load: load, lost: lost}, apply, result)
	if err != nil || stored == nil || stored.State != RekeyUnknown {
		return err
	}
	claimed, err := load(record.UnverifiedReader{Store: r.Store})
	if errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrNotFound) {
		return nil // it stays in the list as it is
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(r.Customers, func(c pipeline.Customer) bool {
		return c.RepositoryID == claimed.RepositoryID && (c.Path == claimed.Path || c.Name == claimed.Customer)
	}) {
		stored.State, stored.Until = RekeyUnused, "nothing: no customer has this repository and path, and the object keeps other repositories out without its key"
	}
	return nil
}

// customer is the customer with a file of that name; nil: there is none.
func (r *Rekeyer) customer(name pipeline.CustomerName) *pipeline.Customer {
	if i := slices.IndexFunc(r.Customers, func(c pipeline.Customer) bool { return c.Name == name }); i >= 0 {
		return &r.Customers[i]
	}
	return nil
}

// rekeyName is a record of the fleet about a name: its key, the key when it is sealed again,
// and what to do where no key opens it.
type rekeyName[T any] struct {
	key, again, lost string
	load             func(record.Reader) (T, error)
}

// rekeyFleet seals one record of the fleet again. It returns its place in the result; nil
// where it is under the first key.
func rekeyFleet[T any](ctx context.Context, r *Rekeyer, n rekeyName[T], apply bool, result *RekeyResult) (*RekeyRecord, error) {
	result.Checked++
	_, first := n.load(record.Records{Store: r.Store, Sealer: r.First})
	value, all := n.load(record.Records{Store: r.Store, Sealer: r.All})
	listed := len(result.Records)
	err := result.add(ctx, resealed(n.lost), n.key, first, all, apply, func(ctx context.Context) error {
		return record.CreateFleet(ctx, record.Records{Store: r.Store, Sealer: r.First}, n.again, value)
	})
	if err != nil || len(result.Records) == listed {
		return nil, err
	}
	return &result.Records[listed], nil
}
