package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

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
// any one where that is empty, that metapipe made and that fits. It reads at most
// maxDeploymentPages pages, and fails when there are more and none has fitted: what was
// not looked at may be there.
func (c *Client) FindDeployment(ctx context.Context, slug pipeline.Slug, environment string, fits func(pipeline.Deployment) bool) (found pipeline.Deployment, is bool, err error) {
	newest, err := c.newestOwn(ctx, slug)
	if err != nil {
		return pipeline.Deployment{}, false, err
	}
	matches := func(d pipeline.Deployment) bool {
		return (environment == "" || d.Environment == environment) && fits(d) // a server that ignores the filter must not mix them up
	}
	if i := slices.IndexFunc(newest.list, matches); i >= 0 {
		return newest.list[i], true, nil
	}
	if newest.all {
		return pipeline.Deployment{}, false, nil
	}
	k := ownDeployments(slug, environment)
	pages := 0
	err = c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		if pages++; pages > maxDeploymentPages {
			return false, nil
		}
		page, err := decodeDeployments(raw)
		if i := slices.IndexFunc(page, matches); err == nil && i >= 0 {
			found, is = page[i], true
		}
		return !is, err
	})
	if err == nil && pages > maxDeploymentPages {
		err = k.fail(fmt.Errorf("there are more than %d, and none of the newest is of the environment that is looked for", maxDeploymentPages*100))
	}
	return found, is, err
}

// ownDeployments lists those that metapipe made.
func ownDeployments(slug pipeline.Slug, environment string) call {
	k := get(slug, strings.TrimSuffix("look for deployments to "+environment, " to "), "/repos/{owner}/{repo}/deployments")
	k.query = url.Values{"task": {deploymentTask}}
	if environment != "" {
		k.query.Set("environment", environment)
	}
	return k
}

// newestOwn is the first page of the deployments that metapipe made in a repository: most
// have no more. It serves all environments of one command.
func (c *Client) newestOwn(ctx context.Context, slug pipeline.Slug) (deploymentPage, error) {
	now := c.transport.now()
	c.mu.Lock()
	known := c.deployments
	c.mu.Unlock()
	if age := now.Sub(known.at); known.slug.Equal(slug) && age >= 0 && age < freshDeployments {
		return known, nil
	}
	read := deploymentPage{slug: slug, at: now}
	k := ownDeployments(slug, "")
	k.query.Set("per_page", "100")
	var raw json.RawMessage
	resp, err := c.send(ctx, k, nil, &raw)
	if err != nil {
		return deploymentPage{}, err
	}
	if read.list, err = decodeDeployments(raw); err != nil {
		return deploymentPage{}, k.fail(err)
	}
	read.all = resp.NextPage == 0
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deployments = read
	return read, nil
}

// freshDeployments is how long a page of deployments serves.
const freshDeployments = 10 * time.Second

func decodeDeployments(raw json.RawMessage) ([]pipeline.Deployment, error) {
	var got []deploymentResponse
	if err := json.Unmarshal(raw, &got); err != nil {
		return nil, err
	}
	list := make([]pipeline.Deployment, 0, len(got))
	for _, g := range got {
		one, err := g.deployment()
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
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
