package pipeline

import (
	"context"
	"fmt"
	"slices"
)

// Deployed is an apply that GitHub remembers: a deployment that report has made in the
// customer's repository. It outlasts a store that was moved, or emptied.
type Deployed struct {
	Deployment int64     `json:"deployment"` // id
	Commit     SHA       `json:"commit"`
	Request    RequestID `json:"request"`
}

func (d Deployed) String() string {
	return fmt.Sprintf("deployment %d on GitHub (commit %s, request %s)", d.Deployment, d.Commit.Short(), d.Request.Short())
}

// DeployedGitHub is the memory of applies outside of the store.
type DeployedGitHub interface {
	// FindDeployment returns the newest deployment of any commit to an environment that
	// fits; found is false when all were looked at and none does. Too many to look at
	// are an error.
	FindDeployment(ctx context.Context, repo Slug, environment string, fits func(Deployment) bool) (d Deployment, found bool, err error)
}

// FindDeployed returns the newest apply of a target that GitHub remembers, nil where it
// knows of none. It looks under the names that the environment of the deployments has
// with and without other customers in the repository.
func FindDeployed(ctx context.Context, github DeployedGitHub, c Customer, env Environment) (*Deployed, error) {
	fits := func(d Deployment) bool {
		return d.Payload.Customer == c.Name && d.Payload.Environment == env && d.Payload.Outcome == OutcomeApplied
	}
	for _, siblings := range []bool{c.SharedRepository, !c.SharedRepository} {
		name := Request{Customer: c.Name, SharedRepository: siblings}.DeploymentEnvironment(env)
		d, found, err := github.FindDeployment(ctx, c.Repository, name, fits)
		if err != nil {
			return nil, fmt.Errorf("the store has no record of an apply of %s: ask GitHub whether there was one: %w", TargetName(c.Name, env), err)
		}
		if found {
			return &Deployed{Deployment: d.ID, Commit: d.SHA, Request: d.Payload.Request}, nil
		}
	}
	return nil, nil
}

// NeverApplied reports whether the store holds no record of a state that an apply, or an
// operator, has left. It needs no key.
func NeverApplied(ctx context.Context, s Store, c CustomerName, env Environment) (bool, error) {
	keys, err := s.List(ctx, LastApplyPrefix(c, env))
	if err != nil {
		return false, fmt.Errorf("look for the last apply of %s: %w", TargetName(c, env), err)
	}
	if slices.ContainsFunc(keys, func(key string) bool { _, is := LastAppliedAt(key); return is }) {
		return false, nil
	}
	_, left, err := (Ledger{Store: s}).LastState(ctx, c, env)
	if err != nil {
		return false, fmt.Errorf("look for the last apply in the ledger of %s: %w", LedgerName(c, env), err)
	}
	return !left, nil
}

// deployed notes the applies that GitHub remembers of targets that the store knows
// nothing of. The plan has no token to ask with, so the request carries the answer.
func (f *FetchVars) deployed(ctx context.Context, c Customer, request *Request) error {
	c.Repository, c.SharedRepository = request.Repository.Slug, request.SharedRepository
	for _, env := range request.Targets {
		never, err := NeverApplied(ctx, f.Store, c.Name, env)
		if err != nil {
			return err
		}
		if !never {
			continue
		}
		apply, err := FindDeployed(ctx, f.GitHub, c, env)
		if err != nil {
			return err
		}
		if apply != nil {
			if request.Deployed == nil {
				request.Deployed = map[Environment]Deployed{}
			}
			request.Deployed[env] = *apply
		}
	}
	return nil
}

// Moved says that a target which GitHub knows as applied has neither a record nor a
// state at the place that is looked at.
func (d Deployed) Moved(c CustomerName, env Environment, place string) *LostState {
	return &LostState{Customer: c, Environment: env, Moved: true,
		Why: fmt.Sprintf("the state of %s is not here: %s says that it was applied, and there is no state in %s and no record of that apply in the store", TargetName(c, env), d, place)}
}

// CheckMoved compares a target without a state, and without a record of an apply in the
// store, with what GitHub remembers; nil where that is nothing either.
func CheckMoved(ctx context.Context, github DeployedGitHub, c Customer, env Environment, place string) (*LostState, error) {
	apply, err := FindDeployed(ctx, github, c, env)
	if err != nil || apply == nil {
		return nil, err
	}
	return apply.Moved(c.Name, env, place), nil
}
