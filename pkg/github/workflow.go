package github

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// StartWorkflow starts a workflow of a repository on a branch by workflow_dispatch.
// The token needs actions: write; that of a run may do it in its own repository.
// https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *Client) StartWorkflow(ctx context.Context, repo pipeline.Slug, file, branch string, inputs map[string]string) error {
	k := write(http.MethodPost, repo, fmt.Sprintf("start workflow %q", file), "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", file)
	in := github.CreateWorkflowDispatchEventRequest{Ref: branch, Inputs: make(map[string]any, len(inputs))}
	for name, value := range inputs {
		in.Inputs[name] = value
	}
	_, err := c.send(ctx, k, in, nil)
	return err
}
