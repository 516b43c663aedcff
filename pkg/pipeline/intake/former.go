package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// formerly finds the customer whose trigger still uses its name from before a rename; nil
// where there is none. Only customers of the same repository id and path are candidates, and
// only verified records of renames of that place count: the answer says nothing about others.
func (f *FetchVars) formerly(ctx context.Context, repo pipeline.Repository, ask pipeline.DispatchRequest) (*pipeline.Customer, error) {
	if ask.Customer == "" {
		return nil, nil
	}
	for _, c := range f.Customers.ByRepository(repo.ID) {
		if c.Path != ask.Path {
			continue
		}
		now, err := registry.NameRecords{Records: f.records()}.NameSince(ctx, ask.Customer, c)
		if errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey) {
			f.Logf("whether customer %s was renamed is not known: %v", ask.Customer, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for the new name of customer %s: %w", ask.Customer, err)
		}
		if now == c.Name {
			return &c, nil
		}
	}
	return nil, nil
}

// formerName is the answer to a trigger that uses the name from before a rename.
func formerName(old, now pipeline.CustomerName) *pipeline.RejectedError {
	return &pipeline.RejectedError{Reason: pipeline.ReasonInvalidPayload, Problems: pipeline.Problems{{Position: pipeline.Position{File: TriggerWorkflow}, Rule: "former-name",
		Message: fmt.Sprintf("the trigger step asks for customer %s, which has the name %s now", old, now), Remedy: fmt.Sprintf("change the trigger's `customer` from %s to %s", old, now)}}}
}

// renamedTo says what the name of a customer without a file is now, for an operator; empty
// where no record says it.
func (f *FetchVars) renamedTo(ctx context.Context, name pipeline.CustomerName) string {
	now, err := registry.RenamedTo(ctx, f.Store, f.Sealer, name)
	if err != nil {
		f.Logf("whether customer %s was renamed is not known: %v", name, err)
	}
	if now == "" {
		return "see the files in customers/"
	}
	return fmt.Sprintf("it has the name %s now: use `--customer %s`", now, now)
}
