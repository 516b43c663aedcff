package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// AllDeployments lists the deployments of any commit to an environment, newest
// first, with their creators and without their states.
func (c *Client) AllDeployments(ctx context.Context, slug pipeline.Slug, environment string) ([]pipeline.Deployment, error) {
	k := get(slug, "list the deployments to "+environment, "/repos/{owner}/{repo}/deployments")
	k.query = url.Values{"environment": {environment}}
	got, err := collect[deploymentResponse](ctx, c, k)
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

// FindDeployment returns the newest deployment of any commit to an environment, or to
// any one where that is empty, that fits. It reads at most maxDeploymentPages pages, and fails when there are more and
// none has fitted: what was not looked at may be there.
func (c *Client) FindDeployment(ctx context.Context, slug pipeline.Slug, environment string, fits func(pipeline.Deployment) bool) (found pipeline.Deployment, is bool, err error) {
	k := get(slug, strings.TrimSuffix("look for deployments to "+environment, " to "), "/repos/{owner}/{repo}/deployments")
	if environment != "" {
		k.query = url.Values{"environment": {environment}}
	}
	pages := 0
	err = c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		if pages++; pages > maxDeploymentPages {
			return false, nil
		}
		var page []deploymentResponse
		if err := json.Unmarshal(raw, &page); err != nil {
			return false, err
		}
		for _, g := range page {
			one, err := g.deployment()
			if err != nil {
				return false, err
			}
			if (environment == "" || g.Environment == environment) && fits(one) { // a server that ignores the filter must not mix them up
				found, is = one, true
				return false, nil
			}
		}
		return true, nil
	})
	if err == nil && pages > maxDeploymentPages {
		err = k.fail(fmt.Errorf("there are more than %d, and metapipe made none of the newest", maxDeploymentPages*100))
	}
	return found, is, err
}

// maxDeploymentPages bounds the search for a deployment.
const maxDeploymentPages = 5

// StatusHistory lists every status that a commit has had, newest first, with
// their creators. A commit that does not exist is a *pipeline.GoneError where the
// token can read other statuses of the repository.
func (c *Client) StatusHistory(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	k := get(slug, fmt.Sprintf("read the history of the statuses of commit %s", sha.Short()), "/repos/{owner}/{repo}/commits/{ref}/statuses", string(sha))
	got, err := collect[statusResponse](ctx, c, k)
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
