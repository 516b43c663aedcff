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
	for _, env := range request.Targets {
		recorded, left, err := ledger.Memories(ctx, f.Store, c.Name.In(env))
		if err != nil {
			return err
		}
		if left {
			if err := f.owned(ctx, c, env, request); err != nil {
				return err
			}
		}
		if recorded || left {
			continue
		}
		if !checked {
			if err := registry.CheckFirstPlan(ctx, f.records(), c, env); err != nil {
				return err
			}
			checked = true
		}
		apply, err := ledger.FindDeployed(ctx, f.GitHub, c, env)
		if err != nil {
			return err
		}
		if apply != nil {
			if request.Deployed == nil {
				request.Deployed = map[pipeline.Environment]pipeline.Deployed{}
			}
			request.Deployed[env] = *apply
		}
	}
	return nil
}

// owned notes a target whose applies have all failed as the customer's, where the
// registrations say so.
func (f *FetchVars) owned(ctx context.Context, c pipeline.Customer, env pipeline.Environment, request *pipeline.Request) error {
	owned, err := registry.OwnsUnrecorded(ctx, f.records(), c, env)
	if err != nil {
		return err
	}
	if owned {
		request.Owned = append(request.Owned, env)
		return nil
	}
	f.Logf("%s has no record of an apply, and no verified registration gives it to repository %d: its plan asks again", c.Name.In(env), c.RepositoryID)
	return nil
}
