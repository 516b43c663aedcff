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
// with and without other customers in the repository. Beside others, a former name of the
// customer is part of that name and not known here, so it looks at all deployments.
func FindDeployed(ctx context.Context, github pipeline.DeployedGitHub, c pipeline.Customer, t pipeline.Target) (*pipeline.Deployed, error) {
	names := make([]string, 0, 3)
	for _, siblings := range []bool{c.SharedRepository, !c.SharedRepository} {
		names = append(names, pipeline.Request{Customer: t.Customer, SharedRepository: siblings}.DeploymentEnvironment(t))
	}
	if c.SharedRepository {
		names = append(names, "")
	}
	fits := func(d pipeline.Deployment) bool { return mayBeOf(d, c, t) }
	for _, name := range names {
		d, found, err := github.FindDeployment(ctx, c.Repository, name, fits)
		if err != nil {
			return nil, fmt.Errorf("the store has no record of an apply of %s: ask GitHub whether there was one: %w", t, err)
		}
		if found {
			return &pipeline.Deployed{Deployment: d.ID, Commit: d.SHA, Request: d.Payload.Request}, nil
		}
	}
	return nil, nil
}

// mayBeOf reports whether a deployment is that of an apply of a target. The customer may
// have had another name or another path then. Only a deployment of another customer that
// is still in the repository is known to be none of its own: the path distinguishes them,
// and the name where the deployment has no path.
func mayBeOf(d pipeline.Deployment, c pipeline.Customer, t pipeline.Target) bool {
	of := d.Payload
	if of.Environment != t.Environment || of.Stack != t.Stack || of.Outcome != pipeline.OutcomeApplied || of.Customer == "" ||
		!slices.Contains([]string{
			pipeline.Request{Customer: of.Customer}.DeploymentEnvironment(t),
			pipeline.Request{Customer: of.Customer, SharedRepository: true}.DeploymentEnvironment(t),
		}, d.Environment) {
		return false
	}
	if of.Path == c.Path || of.Path == "" && of.Customer == t.Customer {
		return true
	}
	return !slices.ContainsFunc(c.Siblings, func(other pipeline.Sibling) bool {
		return of.Path == other.Path || of.Customer == other.Name
	})
}

// NeverApplied reports whether the store holds no record of a state that an apply, or an
// operator, has left. Without a key nothing is verified.
func NeverApplied(ctx context.Context, s record.Records, t pipeline.Target) (bool, error) {
	recorded, left, err := Memories(ctx, s, t)
	return err == nil && !recorded && !left, err
}

// Memories reports whether the store holds a record of an apply of a target, and where not,
// whether the ledger knows of a state. Without a key nothing is verified.
func Memories(ctx context.Context, s record.Records, t pipeline.Target) (recorded, left bool, err error) {
	keys, err := s.List(ctx, record.LastApplyPrefix(t))
	if err != nil {
		return false, false, fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	if slices.ContainsFunc(keys, func(key string) bool { _, is := record.LastAppliedAt(key); return is }) {
		return true, false, nil
	}
	last, err := Ledger{Records: s}.LastState(ctx, t)
	return false, last != nil, err
}

// CheckMoved compares a target without a state, and without a record of an apply in the
// store, with what GitHub remembers; nil where that is nothing either.
func CheckMoved(ctx context.Context, github pipeline.DeployedGitHub, c pipeline.Customer, t pipeline.Target, place string) (*pipeline.LostState, error) {
	apply, err := FindDeployed(ctx, github, c, t)
	if err != nil || apply == nil {
		return nil, err
	}
	return apply.Moved(t, place), nil
}
