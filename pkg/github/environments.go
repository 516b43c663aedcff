package github

import (
	"context"
	"fmt"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// EnvironmentProtection reads the gate of an environment: whether it exists,
// how many people and teams may approve (one approval is enough), and how many
// minutes a deployment waits. One that the token may not see does not exist either:
// a gate that cannot be seen is none. GitHub creates a missing environment without any
// gate as soon as a job names it, so a gate must be seen to be relied on.
func (c *Client) EnvironmentProtection(ctx context.Context, slug pipeline.Slug, environment string) (exists bool, reviewers, waitMinutes int, err error) {
	k := get(slug, fmt.Sprintf("read the protection rules of environment %q", environment),
		"/repos/{owner}/{repo}/environments/{environment_name}", environment)
	var got environmentResponse
	_, err = c.send(ctx, k, nil, &got)
	if pipeline.NotVisible(err) {
		return false, 0, 0, nil
	}
	if err != nil {
		return false, 0, 0, err
	}
	for _, rule := range got.ProtectionRules {
		switch rule.Type {
		case "required_reviewers":
			for _, r := range rule.Reviewers {
				if r.Reviewer.ID > 0 { // one that is gone lets no one pass
					reviewers++
				}
			}
		case "wait_timer":
			waitMinutes = max(waitMinutes, rule.WaitTimer)
		}
	}
	return true, reviewers, waitMinutes, nil
}

// PendingEnvironments lists the environments for which a run waits: for a
// reviewer, or for a wait timer.
func (c *Client) PendingEnvironments(ctx context.Context, slug pipeline.Slug, run int64) ([]string, error) {
	k := get(slug, fmt.Sprintf("read what workflow run %d waits for", run),
		"/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments", strconv.FormatInt(run, 10))
	var got []pendingResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(got))
	for _, g := range got {
		names = append(names, g.Environment.Name)
	}
	return names, nil
}

// Approvals lists what reviewers said to the jobs of a run that waited for
// environments, in GitHub's order.
func (c *Client) Approvals(ctx context.Context, slug pipeline.Slug, run int64) ([]deploy.Approval, error) {
	k := get(slug, fmt.Sprintf("read who approved workflow run %d", run),
		"/repos/{owner}/{repo}/actions/runs/{run_id}/approvals", strconv.FormatInt(run, 10))
	var got []approvalResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	list := make([]deploy.Approval, 0, len(got))
	for _, g := range got {
		list = append(list, g.approval())
	}
	return list, nil
}
