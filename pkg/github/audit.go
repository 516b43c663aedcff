package github

import (
	"context"
	"fmt"
	"net/url"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// AllDeployments lists the deployments of any commit to an environment, newest
// first, with their creators and without their states.
func (c *Client) AllDeployments(ctx context.Context, slug pipeline.Slug, environment string) ([]pipeline.Deployment, error) {
	k := get(slug, "list the deployments to "+environment, "/repos/{owner}/{repo}/deployments")
	k.query = url.Values{"environment": {environment}}
	got, err := collect[deploymentAnswer](ctx, c, k)
	if err != nil {
		return nil, err
	}
	list := make([]pipeline.Deployment, 0, len(got))
	for _, g := range got {
		if g.Environment != environment {
			continue // a server that ignores the filter must not mix them up
		}
		one, err := g.deployment()
		if err != nil {
			return nil, k.fail(err)
		}
		one.Creator = g.Creator.Login
		list = append(list, one)
	}
	return list, nil
}

// StatusHistory lists every status that a commit has had, newest first, with
// their creators. A commit that does not exist is a *pipeline.GoneError where the
// token can read other statuses of the repository.
func (c *Client) StatusHistory(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	k := get(slug, fmt.Sprintf("read the history of the statuses of commit %s", sha.Short()), "/repos/{owner}/{repo}/commits/{ref}/statuses", string(sha))
	got, err := collect[statusAnswer](ctx, c, k)
	if pipeline.NotVisible(err) {
		err = c.statusGone(ctx, slug, err)
	}
	if err != nil {
		return nil, err
	}
	list := make([]pipeline.Status, 0, len(got))
	for _, g := range got {
		s := g.status()
		s.Creator = g.Creator.Login
		list = append(list, s)
	}
	return list, nil
}

// statusGone is err, or a *pipeline.GoneError where the token can read the statuses
// of the default branch.
func (c *Client) statusGone(ctx context.Context, slug pipeline.Slug, err error) error {
	repo, repoErr := c.Repository(ctx, slug)
	if repoErr != nil {
		return err
	}
	return c.goneUnless(ctx, err, get(slug, "read the statuses of the default branch", "/repos/{owner}/{repo}/commits/{ref}/statuses", repo.DefaultBranch))
}
