package registry

import (
	"context"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Names is what the store knows about two names of a customer.
type Names struct {
	// Now is the name that the states and records of the customer's place have; empty:
	// the store knows none.
	Now pipeline.CustomerName
	// StartRecord: the place was moved from the other name to Now, and the last write of that
	// is missing. Moved: that has come to its end.
	Begun, Moved bool
}

// LookUpNames asks the store under which name it has the place of a customer, and whether
// that was moved there from another one. Records that cannot be believed are an error.
func LookUpNames(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.Customer, other pipeline.CustomerName) (Names, error) {
	r := record.Records{Store: s, Sealer: sealer}
	k, err := NameRecords{Records: r}.knownAs(ctx, c)
	if err != nil {
		return Names{}, RegistrationError(err, c)
	}
	all, err := LoadRenames(ctx, r, c.RepositoryID, other)
	if err != nil {
		return Names{}, RegistrationError(err, c)
	}
	moved := k.name == c.Name && slices.ContainsFunc(all, func(r RenameRecord) bool { return r.To == c.Name })
	done := k.registered == k.name
	return Names{Now: k.name, Begun: moved && !done, Moved: moved && done}, nil
}
