package intake

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// deployed notes the applies that GitHub remembers of targets that the store knows
// nothing of. The plan has no token to ask with, so the request carries the answer.
func (f *FetchVars) deployed(ctx context.Context, c pipeline.Customer, request *pipeline.Request) error {
	c.Repository, c.SharedRepository = request.Repository.Slug, request.SharedRepository
	for _, env := range request.Targets {
		never, err := ledger.NeverApplied(ctx, f.Store, c.Name, env)
		if err != nil {
			return err
		}
		if !never {
			continue
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
