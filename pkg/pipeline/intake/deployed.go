package intake

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// deployed notes the applies that GitHub remembers of targets that the store knows
// nothing of, and the targets without a record of an apply that are the customer's. The plan
// has neither a token nor a key to ask with, so the request carries the answers. The first
// plan of a target may be refused: the error is a *pipeline.RenamedEnvironmentError.
func (f *FetchVars) deployed(ctx context.Context, c pipeline.Customer, request *pipeline.Request) error {
	c.Repository, c.SharedRepository = request.Repository.Slug, request.SharedRepository
	checked := false // what a first plan is refused for is the same for each of them
	for i := range request.Targets {
		t := &request.Targets[i]
		recorded, left, err := ledger.Memories(ctx, f.viewed(), t.Target)
		if err != nil {
			return err
		}
		if left {
			if t.OwnerVerified, err = f.owned(ctx, c, t.Target); err != nil {
				return err
			}
		}
		if recorded || left {
			continue
		}
		if !checked {
			if err := registry.CheckFirstPlan(ctx, f.viewed(), c, t.Target); err != nil {
				return err
			}
			checked = true
		}
		if t.Deployed, err = ledger.FindDeployed(ctx, f.GitHub, c, t.Target); err != nil {
			return err
		}
	}
	return nil
}

// owned reports whether the registrations give a target whose applies have all failed to
// the customer.
func (f *FetchVars) owned(ctx context.Context, c pipeline.Customer, t pipeline.Target) (bool, error) {
	owned, err := registry.OwnsUnrecorded(ctx, f.records(), c, t)
	if err == nil && !owned {
		f.Logf("%s has no record of an apply, and no verified registration gives it to repository %d: its plan asks again", t, c.RepositoryID)
	}
	return owned, err
}
