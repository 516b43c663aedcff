package pipeline

import (
	"context"
	"fmt"
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

// Moved says that a target which GitHub knows as applied has neither a record nor a
// state at the place that is looked at.
func (d Deployed) Moved(c CustomerName, env Environment, place string) *LostState {
	return &LostState{Customer: c, Environment: env, Moved: true,
		Why: fmt.Sprintf("the state of %s is not here: %s says that it was applied, and there is no state in %s and no record of that apply in the store", TargetName(c, env), d, place)}
}
