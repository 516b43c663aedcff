package record

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// StoredNeeded are the outputs of the stacks that a target needs, as they are on record now.
func StoredNeeded(ctx context.Context, s Records, c pipeline.Customer, t pipeline.Target) ([]pipeline.NeededOutputs, error) {
	var all []pipeline.NeededOutputs
	for _, of := range c.Needed(t) {
		needed, err := NeededOf(ctx, s, c, of)
		if err != nil {
			return nil, err
		}
		all = append(all, needed)
	}
	return all, nil
}

// NeededOf are the outputs of a needed target, as they are on record now.
func NeededOf(ctx context.Context, s Records, c pipeline.Customer, of pipeline.Target) (pipeline.NeededOutputs, error) {
	left, found, err := OwnOutputs(ctx, s, c, of)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	if !found {
		return pipeline.NeededOutputs{Stack: of.Stack, Unknown: fmt.Sprintf("no outputs of %s are on record", of.Name())}, nil
	}
	return pipeline.NeededOutputs{Stack: of.Stack, Values: left.Values}, nil
}

// OwnOutputs are the outputs of a target on record, unless they are those of a repository
// that had the name before.
func OwnOutputs(ctx context.Context, s Records, c pipeline.Customer, of pipeline.Target) (LeftOutputs, bool, error) {
	left, found, err := LoadOutputs(ctx, s, of)
	switch {
	case err != nil:
		return left, false, TamperedOr(err, fmt.Sprintf("the record of the outputs of %s", of))
	case found && left.RepositoryID != c.RepositoryID:
		return left, false, &pipeline.RefusedError{
			Reason:   pipeline.ReasonOtherRepository,
			Message:  fmt.Sprintf("the outputs of %s on record are of another repository (id %d), and customer %s has id %d", of.Name(), left.RepositoryID, c.Name, c.RepositoryID),
			Next:     pipeline.ProviderNext,
			Operator: fmt.Sprintf("apply %s once for customer %s, which writes its own outputs", of, c.Name),
		}
	}
	return left, found, nil
}
