package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// FindDeployed returns the newest apply of a target that GitHub remembers, nil where it
// knows of none. It looks under the names that the environment of the deployments has
// with and without other customers in the repository.
func FindDeployed(ctx context.Context, github pipeline.DeployedGitHub, c pipeline.Customer, env pipeline.Environment) (*pipeline.Deployed, error) {
	fits := func(d pipeline.Deployment) bool {
		return d.Payload.Customer == c.Name && d.Payload.Environment == env && d.Payload.Outcome == pipeline.OutcomeApplied
	}
	for _, siblings := range []bool{c.SharedRepository, !c.SharedRepository} {
		name := pipeline.Request{Customer: c.Name, SharedRepository: siblings}.DeploymentEnvironment(env)
		d, found, err := github.FindDeployment(ctx, c.Repository, name, fits)
		if err != nil {
			return nil, fmt.Errorf("the store has no record of an apply of %s: ask GitHub whether there was one: %w", pipeline.TargetName(c.Name, env), err)
		}
		if found {
			return &pipeline.Deployed{Deployment: d.ID, Commit: d.SHA, Request: d.Payload.Request}, nil
		}
	}
	return nil, nil
}

// NeverApplied reports whether the store holds no record of a state that an apply, or an
// operator, has left. It needs no key.
func NeverApplied(ctx context.Context, s pipeline.Store, c pipeline.CustomerName, env pipeline.Environment) (bool, error) {
	keys, err := s.List(ctx, record.LastApplyPrefix(c, env))
	if err != nil {
		return false, fmt.Errorf("look for the last apply of %s: %w", pipeline.TargetName(c, env), err)
	}
	if slices.ContainsFunc(keys, func(key string) bool { _, is := record.LastAppliedAt(key); return is }) {
		return false, nil
	}
	_, left, err := (Ledger{Store: s}).LastState(ctx, c, env)
	if err != nil {
		return false, fmt.Errorf("look for the last apply in the ledger of %s: %w", LedgerName(c, env), err)
	}
	return !left, nil
}

// CheckMoved compares a target without a state, and without a record of an apply in the
// store, with what GitHub remembers; nil where that is nothing either.
func CheckMoved(ctx context.Context, github pipeline.DeployedGitHub, c pipeline.Customer, env pipeline.Environment, place string) (*pipeline.LostState, error) {
	apply, err := FindDeployed(ctx, github, c, env)
	if err != nil || apply == nil {
		return nil, err
	}
	return apply.Moved(c.Name, env, place), nil
}
