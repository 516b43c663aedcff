package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// deploymentTask distinguishes the deployments that metapipe makes from a customer's own.
const deploymentTask = "deploy:infra"

// CommitDeployments lists the deployments of a commit to any environment, newest first,
// without their states. The payload of a deployment that metapipe did not write is zero.
func (c *Client) CommitDeployments(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.Deployment, error) {
	return c.listDeployments(ctx, slug, sha, "")
}

// Deployments lists the deployments of a commit to an environment, newest
// first, each with the state of its newest status (empty when it has none). An
// empty sha asks for those of any commit, and gets the newest few only.
// The payload of a deployment that metapipe did not write is zero.
func (c *Client) Deployments(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA, environment string) ([]pipeline.Deployment, error) {
	list, err := c.listDeployments(ctx, slug, sha, environment)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := c.readState(ctx, slug, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *Client) listDeployments(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA, environment string) ([]pipeline.Deployment, error) {
	k := get(slug, strings.TrimSuffix(fmt.Sprintf("list the deployments of %s to %s", sha.Short(), environment), " to "), "/repos/{owner}/{repo}/deployments")
	k.query = url.Values{}
	if environment != "" {
		k.query.Set("environment", environment)
	}
	var got []deploymentResponse
	var err error
	if sha == "" {
		k.query.Set("per_page", strconv.Itoa(newestDeployments)) // newest first
		_, err = c.send(ctx, k, nil, &got)
	} else {
		k.query.Set("sha", string(sha))
		got, err = collect[deploymentResponse](ctx, c, k)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(got, func(a, b deploymentResponse) int {
		if byTime := b.CreatedAt.Compare(a.CreatedAt); byTime != 0 {
			return byTime
		}
		return cmp.Compare(b.ID, a.ID)
	})
	list := make([]pipeline.Deployment, 0, len(got))
	for _, g := range got {
		if sha != "" && g.SHA != string(sha) || environment != "" && g.Environment != environment {
			continue // a server that ignores the filter must not mix them up
		}
		one, err := g.deployment()
		if err != nil {
			return nil, k.fail(err)
		}
		list = append(list, one)
	}
	return list, nil
}

// newestDeployments is how many deployments of any commit are looked at: the
// newest one counts, unless it failed.
const newestDeployments = 3

func (c *Client) readState(ctx context.Context, slug pipeline.Slug, d *pipeline.Deployment) error {
	k := get(slug, fmt.Sprintf("read the state of deployment %d", d.ID),
		"/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", strconv.FormatInt(d.ID, 10))
	k.query = url.Values{"per_page": {"1"}} // newest first
	var got []deploymentStateResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return err
	}
	if len(got) > 0 {
		d.State, d.LogURL = got[0].State, got[0].LogURL
	}
	return nil
}

// CreateDeployment records that d.SHA was deployed to d.Environment and gives
// it the state d.State ("success" when empty). A deployment of the same commit,
// environment and request that exists already is brought to that state instead,
// so it may be called again after any failure; it is not looked for where d is the
// First. It returns the deployment's id.
func (c *Client) CreateDeployment(ctx context.Context, slug pipeline.Slug, d pipeline.Deployment) (int64, error) {
	if d.State == "" {
		d.State = "success"
	}
	if err := checkLink(d.LogURL); err != nil {
		return 0, get(slug, "create a deployment", "").fail(err)
	}
	var there pipeline.Deployment
	if !d.First {
		var err error
		if there, err = c.deploymentOf(ctx, slug, d); err != nil {
			return 0, err
		}
	}
	if there.ID == 0 {
		id, err := c.newDeployment(ctx, slug, d)
		if err != nil {
			return 0, err
		}
		return id, c.setState(ctx, slug, id, d)
	}
	if err := c.readState(ctx, slug, &there); err != nil {
		return 0, err
	}
	if there.State == d.State {
		return there.ID, nil
	}
	return there.ID, c.setState(ctx, slug, there.ID, d)
}

// deploymentOf finds the deployment of the same commit, environment and request;
// its ID is 0 when there is none.
func (c *Client) deploymentOf(ctx context.Context, slug pipeline.Slug, d pipeline.Deployment) (pipeline.Deployment, error) {
	list, err := c.listDeployments(ctx, slug, d.SHA, d.Environment)
	if err != nil {
		return pipeline.Deployment{}, err
	}
	for _, o := range list {
		if o.Payload.Request != "" && o.Payload.Request == d.Payload.Request {
			return o, nil
		}
	}
	return pipeline.Deployment{}, nil
}

func (c *Client) newDeployment(ctx context.Context, slug pipeline.Slug, d pipeline.Deployment) (int64, error) {
	k := write(http.MethodPost, slug, fmt.Sprintf("create a deployment of %s to %s", d.SHA.Short(), d.Environment),
		"/repos/{owner}/{repo}/deployments")
	in := github.DeploymentRequest{
		// A branch would be resolved anew and could be another commit by now.
		Ref: github.String(string(d.SHA)), Environment: &d.Environment, Task: github.String(deploymentTask),
		Description: github.String(description(d.Description)), Payload: d.Payload,
		// By default GitHub merges the default branch into the ref and wants all
		// statuses to be green.
		AutoMerge: github.Bool(false), RequiredContexts: &[]string{},
	}
	var got deploymentResponse
	err := c.create(ctx, k, in, &got, func(ctx context.Context) (bool, error) {
		there, err := c.deploymentOf(ctx, slug, d)
		got = deploymentResponse{ID: there.ID}
		return there.ID != 0, err
	})
	if err != nil {
		return 0, err
	}
	c.noteLogin(got.Creator.Login)
	if got.ID <= 0 {
		return 0, k.fail(errors.New("the answer lacks the deployment's id"))
	}
	return got.ID, nil
}

// setState leaves auto_inactive at its default (true): older deployments to the
// same environment become inactive.
func (c *Client) setState(ctx context.Context, slug pipeline.Slug, id int64, d pipeline.Deployment) error {
	k := write(http.MethodPost, slug, fmt.Sprintf("set the state of deployment %d", id),
		"/repos/{owner}/{repo}/deployments/{deployment_id}/statuses", strconv.FormatInt(id, 10))
	in := github.DeploymentStatusRequest{
		State: &d.State, Environment: &d.Environment, Description: github.String(description(d.Description)),
	}
	if d.LogURL != "" {
		in.LogURL = &d.LogURL
	}
	return c.create(ctx, k, in, nil, func(ctx context.Context) (bool, error) {
		now := pipeline.Deployment{ID: id}
		err := c.readState(ctx, slug, &now)
		return now.State == d.State && now.LogURL == d.LogURL, err
	})
}
