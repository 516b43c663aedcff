package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// attempt is one of attempts.
type attempt struct {
	method, route string
	args          []string
	body          any
}

// attempts are requests that need one permission and change nothing: reads of one entry, and writes that GitHub refuses
// after it has looked at the permission, since they name a commit, an issue, a workflow, a secret, a variable or a ruleset
// that cannot be, or lack what each of their kind must have. Names of secrets and variables begin with no digit.
func attempts() map[string]attempt {
	return map[string]attempt{
		"actions=read":            {http.MethodGet, "/repos/{owner}/{repo}/actions/workflows", nil, nil},
		"contents=read":           {http.MethodGet, "/repos/{owner}/{repo}/branches", nil, nil},
		"deployments=read":        {http.MethodGet, "/repos/{owner}/{repo}/deployments", nil, nil},
		"pull_requests=read":      {http.MethodGet, "/repos/{owner}/{repo}/pulls", nil, nil},
		"issues=read":             {http.MethodGet, "/repos/{owner}/{repo}/issues", nil, nil},
		"statuses=read":           {http.MethodGet, "/repos/{owner}/{repo}/commits/{+ref}/statuses", []string{"HEAD"}, nil},
		"actions_variables=read":  {http.MethodGet, "/repos/{owner}/{repo}/actions/variables", nil, nil},
		"administration=read":     {http.MethodGet, "/repos/{owner}/{repo}/actions/permissions", nil, nil},
		"secrets=read":            {http.MethodGet, "/repos/{owner}/{repo}/actions/secrets", nil, nil},
		"actions_variables=write": {http.MethodDelete, "/repos/{owner}/{repo}/actions/variables/{name}", []string{"0"}, nil},
		"administration=write":    {http.MethodDelete, "/repos/{owner}/{repo}/rulesets/{ruleset_id}", []string{"0"}, nil},
		"secrets=write":           {http.MethodDelete, "/repos/{owner}/{repo}/actions/secrets/{secret_name}", []string{"0"}, nil},
		"actions=write":           {http.MethodPost, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", []string{"0"}, map[string]any{"ref": ""}},
		"contents=write":          {http.MethodPost, "/repos/{owner}/{repo}/dispatches", nil, map[string]any{"event_type": ""}},
		"deployments=write":       {http.MethodPost, "/repos/{owner}/{repo}/deployments", nil, map[string]any{"ref": ""}},
		"issues=write":            {http.MethodPost, "/repos/{owner}/{repo}/issues", nil, map[string]any{"title": ""}},
		"pull_requests=write":     {http.MethodPost, "/repos/{owner}/{repo}/issues/{issue_number}/comments", []string{"0"}, map[string]any{"body": ""}},
		"statuses=write":          {http.MethodPost, "/repos/{owner}/{repo}/statuses/{sha}", []string{strings.Repeat("0", 40)}, map[string]any{"state": ""}},
	}
}

// Try finds out whether the token has a permission of a repository, without a change. For a write it sends one that GitHub
// refuses in any case. nil: the token has it. An error whose Needed says forbidden: it does not. Any other error: it is not known.
func (c *Client) Try(ctx context.Context, slug pipeline.Slug, permission, level string) error {
	a, known := attempts()[permission+"="+level]
	k := call{op: fmt.Sprintf("try the permission %s: %s", permission, level), repo: slug, method: a.method, route: a.route, args: a.args}
	if !known {
		return k.fail(errors.New("no request shows whether a token has it"))
	}
	k.repeatable, k.harmless = true, true
	if a.method == http.MethodGet {
		k.query = url.Values{"per_page": {"1"}}
	}
	return c.attempt(ctx, k, a.body)
}

// attempt sends a request of attempts, and reads its answer.
func (c *Client) attempt(ctx context.Context, k call, body any) error {
	_, err := c.send(ctx, k, body, nil)
	var refused *Error
	switch {
	case k.method == http.MethodGet:
		return err
	case err == nil:
		return k.fail(errors.New("GitHub has accepted a write that it must refuse"))
	case !errors.As(err, &refused):
		return err
	}
	// The permission was there: what GitHub misses is the thing itself.
	switch refused.Status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusGone:
		return nil
	case http.StatusNotFound:
		if !refused.lacksScope {
			return nil
		}
	}
	return err
}

// TryOrganization is Try for a permission of an organization.
func (c *Client) TryOrganization(ctx context.Context, org, permission, level string) error {
	k := call{op: fmt.Sprintf("try the permission %s: %s of %s", permission, level, org), method: http.MethodGet, args: []string{org}, repeatable: true, harmless: true}
	var body any
	switch permission + "=" + level {
	case "members=read":
		k.route, k.query = "/orgs/{org}/teams", url.Values{"per_page": {"1"}}
	case "organization_custom_properties=read":
		k.route, k.query = "/orgs/{org}/properties/values", url.Values{"per_page": {"1"}}
	case "organization_custom_properties=write":
		k.method, k.route = http.MethodPatch, "/orgs/{org}/properties/values"
		body = map[string]any{"repository_names": []string{}, "properties": []string{}}
	default:
		return k.fail(errors.New("no request shows whether a token has it"))
	}
	if k.method == http.MethodGet {
		_, err := c.send(ctx, k, nil, nil)
		return err
	}
	_, err := c.send(ctx, k, body, nil)
	var refused *Error
	if err == nil || errors.As(err, &refused) && (refused.Status == http.StatusUnprocessableEntity || refused.Status == http.StatusBadRequest) {
		return nil // no repository was named, so nothing has changed
	}
	return err
}
