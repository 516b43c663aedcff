package pipeline

import (
	"context"
	"fmt"
	"slices"
)

// DeployWorkflow is the manager's workflow that carries a request out.
const DeployWorkflow = "infra-deploy.yml"

// Remediator asks for an apply where a scan found something and the manager's rules
// allow it. It applies nothing itself: the request that it starts is planned,
// gated and applied as any other.
type Remediator struct {
	Store  Store
	GitHub workflowStarter
}

type workflowStarter interface {
	Repository(ctx context.Context, repo Slug) (Repository, error)
	// StartWorkflow starts a workflow by workflow_dispatch.
	StartWorkflow(ctx context.Context, repo Slug, file, branch string, inputs map[string]string) error
}

// Remediation is one target that a request was started for, or why it was not.
type Remediation struct {
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment"`
	Started     bool         `json:"started"`
	Why         string       `json:"why,omitempty"` // not started
}

// Run starts the requests. A target that has an open request gets no second one: it
// would only supersede the first.
func (r Remediator) Run(ctx context.Context, manager Slug, scan DriftScan, customers []Customer) ([]Remediation, error) {
	var todo []DriftResult
	for _, result := range scan.Results {
		i := slices.IndexFunc(customers, func(c Customer) bool { return c.Name == result.Customer })
		if i >= 0 && len(result.Kinds) > 0 && result.Failure == nil && customers[i].Manager.Drift.MayRemediate(result.Environment) {
			todo = append(todo, result)
		}
	}
	if len(todo) == 0 {
		return nil, nil
	}
	// A workflow started elsewhere than on the default branch is refused.
	repo, err := r.GitHub.Repository(ctx, manager)
	if err != nil {
		return nil, fmt.Errorf("look up the manager's repository: %w", err)
	}
	var done []Remediation
	for _, result := range todo {
		one := Remediation{Customer: result.Customer, Environment: result.Environment}
		if one.Why, err = r.open(ctx, result); err != nil {
			return done, err
		}
		if one.Why == "" {
			inputs := map[string]string{"customer": string(result.Customer), "environment": string(result.Environment), "mode": string(ModeApply)}
			if err := r.GitHub.StartWorkflow(ctx, repo.Slug, DeployWorkflow, repo.DefaultBranch, inputs); err != nil {
				return done, fmt.Errorf("ask for an apply of %s/%s: %w", result.Customer, result.Environment, err)
			}
			one.Started = true
		}
		done = append(done, one)
	}
	return done, nil
}

// open says which request for the target has not ended, "" where all have.
func (r Remediator) open(ctx context.Context, result DriftResult) (string, error) {
	keys, err := r.Store.List(ctx, queuePrefix(result.Customer, result.Environment))
	if err != nil || len(keys) == 0 {
		return "", err
	}
	request, err := loadRequest(ctx, r.Store, result.Customer, requestOf(keys[len(keys)-1]))
	if err != nil {
		return "", err
	}
	standing, err := targetStanding(ctx, r.Store, request, result.Environment)
	if err != nil || standing.ended.Outcome.Final() {
		return "", err
	}
	return fmt.Sprintf("request %s is open (%s)", request.ID.Short(), standing.ended.Outcome), nil
}
