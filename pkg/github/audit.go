package github

import (
	"context"
	"fmt"
	"net/url"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// AllDeployments lists the deployments of any commit to an environment, newest
// first, with their creators and without their states.
func (c *Client) AllDeployments(ctx context.Context, slug pipeline.Slug, environment string) ([]pipeline.Deployment, error) {
	k := get(slug, "list the deployments to "+environment, "/repos/{owner}/{repo}/deployments")
	k.query = url.Values{"environment": {environment}}
	got, err := collect[*github.Deployment](ctx, c, k)
	if err != nil {
		return nil, err
	}
	list := make([]pipeline.Deployment, 0, len(got))
	for _, g := range got {
		if g.GetEnvironment() == environment { // a server that ignores the filter must not mix them up
			list = append(list, pipeline.Deployment{
				ID: g.GetID(), SHA: pipeline.SHA(g.GetSHA()), Ref: g.GetRef(), Environment: environment, Creator: g.GetCreator().GetLogin(),
				Description: g.GetDescription(), Payload: payload(g.Payload),
			})
		}
	}
	return list, nil
}

// StatusHistory lists every status that a commit has had, newest first, with
// their creators.
func (c *Client) StatusHistory(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	k := get(slug, fmt.Sprintf("read the history of the statuses of commit %s", sha.Short()), "/repos/{owner}/{repo}/commits/{ref}/statuses", string(sha))
	got, err := collect[*github.RepoStatus](ctx, c, k)
	if err != nil {
		return nil, err
	}
	list := make([]pipeline.Status, 0, len(got))
	for _, g := range got {
		s := status(g)
		s.Creator = g.GetCreator().GetLogin()
		list = append(list, s)
	}
	return list, nil
}
