package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
)

// The parts of GitHub's answers about settings that metapipe reads.
type (
	settingsResponse struct {
		repositoryResponse
		Private     *bool         `json:"private"`
		Fork        bool          `json:"fork"`
		Owner       ownerResponse `json:"owner"`
		Permissions struct {
			Push  bool `json:"push"`
			Admin bool `json:"admin"`
		} `json:"permissions"`
	}
	ownerResponse struct {
		Type string `json:"type"`
	}
	installationResponse struct {
		ID          int64             `json:"id"`
		Permissions map[string]string `json:"permissions"`
		Suspended   *time.Time        `json:"suspended_at"`
	}
	treeResponse struct {
		Truncated bool `json:"truncated"`
		Tree      []struct {
			Path string `json:"path"`
			Mode string `json:"mode"`
			Type string `json:"type"`
			SHA  string `json:"sha"`
		} `json:"tree"`
	}
	namedResponse struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// Settings reads a repository with what the token's user can do there, and its custom properties.
func (c *Client) Settings(ctx context.Context, slug pipeline.Slug) (doctor.Repository, error) {
	k := get(slug, "read the repository", "/repos/{owner}/{repo}")
	var got settingsResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return doctor.Repository{}, err
	}
	name, err := pipeline.ParseSlug(got.FullName)
	if err != nil {
		return doctor.Repository{}, k.fail(err)
	}
	if got.ID <= 0 || got.DefaultBranch == "" || got.Private == nil {
		return doctor.Repository{}, k.fail(errors.New("the answer lacks the id, the default branch or the visibility"))
	}
	return doctor.Repository{
		Repository: pipeline.Repository{Slug: name, ID: got.ID, DefaultBranch: got.DefaultBranch, Archived: got.Archived},
		Private:    *got.Private, Fork: got.Fork, Organization: got.Owner.Type == "Organization", Push: got.Permissions.Push, Admin: got.Permissions.Admin,
		Properties: knownProperties(got.CustomProperties),
	}, nil
}

// Installation reads the GitHub App's installation for a repository, and lets the App's token for
// it read only what the installation allows.
func (c *Client) Installation(ctx context.Context, slug pipeline.Slug) (doctor.Installation, error) {
	k := get(slug, "find the GitHub App's installation for the repository", "/repos/{owner}/{repo}/installation")
	k.asApp, k.advice = true, appAdvice
	if c.app == nil {
		return doctor.Installation{}, k.fail(errors.New("the token is not a GitHub App"))
	}
	var got installationResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return doctor.Installation{}, err
	}
	if got.ID <= 0 || got.Permissions == nil {
		return doctor.Installation{}, k.fail(errors.New("the answer lacks the installation's id or its permissions"))
	}
	t := c.app.of(slug)
	select {
	case <-t.refreshLock:
	case <-ctx.Done():
		return doctor.Installation{}, k.fail(ctx.Err())
	}
	t.installation, t.token = got.ID, "" // an older token may have more or fewer permissions
	t.grants = map[string]string{"metadata": "read"}
	for _, name := range []string{"actions", "contents"} {
		if got.Permissions[name] != "" {
			t.grants[name] = "read"
		}
	}
	t.refreshLock <- struct{}{}
	return doctor.Installation{Permissions: got.Permissions, Suspended: got.Suspended != nil}, nil
}

// Tree lists the files of a branch.
func (c *Client) Tree(ctx context.Context, slug pipeline.Slug, branch string) (doctor.Tree, error) {
	k := get(slug, fmt.Sprintf("list the files of branch %q", branch), "/repos/{owner}/{repo}/git/trees/{+tree_sha}", branch)
	k.query = url.Values{"recursive": {"1"}}
	var got treeResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return doctor.Tree{}, err
	}
	tree := doctor.Tree{Truncated: got.Truncated}
	for _, e := range got.Tree {
		if e.Type == "tree" {
			continue
		}
		id, err := pipeline.ParseSHA(e.SHA)
		if err != nil || e.Path == "" || e.Mode == "" {
			return doctor.Tree{}, k.fail(fmt.Errorf("an entry has no path, no mode or no id: %q", e.Path))
		}
		tree.Files = append(tree.Files, doctor.TreeFile{Path: e.Path, Mode: e.Mode, ID: id})
	}
	return tree, nil
}

// Blob reads the content with a git id.
func (c *Client) Blob(ctx context.Context, slug pipeline.Slug, id pipeline.SHA) ([]byte, error) {
	k := get(slug, "read blob "+id.Short(), "/repos/{owner}/{repo}/git/blobs/{file_sha}", string(id))
	var got struct {
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		Size     int64  `json:"size"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	if got.Encoding != "base64" {
		return nil, k.fail(fmt.Errorf("the answer has the unknown encoding %q", got.Encoding))
	}
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(got.Content, "\n", ""))
	if err != nil {
		return nil, k.fail(fmt.Errorf("decode the content: %w", err))
	}
	if blobID(content) != id {
		return nil, k.fail(fmt.Errorf("the content does not belong to blob %s", id.Short()))
	}
	return content, nil
}

// listed reads the first page of a list with its length. A longer list is an error, since the rest is unknown.
func listed[T any](ctx context.Context, c *Client, k call, field string, size int) ([]T, error) {
	k.query = url.Values{"per_page": {fmt.Sprint(size)}}
	var got map[string]json.RawMessage
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	var total *int
	var list []T
	err := json.Unmarshal(got["total_count"], &total)
	if err == nil {
		err = json.Unmarshal(got[field], &list)
	}
	switch {
	case err != nil || total == nil || list == nil:
		return nil, k.fail(fmt.Errorf("the answer lacks %s or their number", field))
	case len(list) != *total:
		return nil, k.fail(fmt.Errorf("GitHub counts %d %s, and one answer holds %d of them", *total, field, len(list)))
	}
	return list, nil
}

// Workflows lists the workflows that GitHub knows of a repository, with their states.
func (c *Client) Workflows(ctx context.Context, slug pipeline.Slug) ([]doctor.Workflow, error) {
	type workflow struct{ Path, State string }
	list, err := listed[workflow](ctx, c, get(slug, "list the workflows", "/repos/{owner}/{repo}/actions/workflows"), "workflows", maxPageSize)
	var out []doctor.Workflow
	for _, w := range list {
		out = append(out, doctor.Workflow(w))
	}
	return out, err
}

// BranchRules lists the types of the rules that hold for a branch, of all active rulesets. Types that this program does not
// know are among them.
func (c *Client) BranchRules(ctx context.Context, slug pipeline.Slug, branch string) ([]string, error) {
	k := get(slug, fmt.Sprintf("read the rules of branch %q", branch), "/repos/{owner}/{repo}/rules/branches/{+branch}", branch)
	k.query = url.Values{"per_page": {fmt.Sprint(maxPageSize)}}
	var got []struct {
		Type string `json:"type"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	types := make([]string, 0, len(got))
	for _, rule := range got {
		types = append(types, oneLine(rule.Type, 60))
	}
	return types, nil
}

// ActionsPermissions reads whether Actions is on.
func (c *Client) ActionsPermissions(ctx context.Context, slug pipeline.Slug) (doctor.ActionsPermissions, error) {
	k := get(slug, "read the Actions permissions", "/repos/{owner}/{repo}/actions/permissions")
	var got struct {
		Enabled *bool  `json:"enabled"`
		Allowed string `json:"allowed_actions"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return doctor.ActionsPermissions{}, err
	}
	if got.Enabled == nil {
		return doctor.ActionsPermissions{}, k.fail(errors.New("the answer lacks enabled"))
	}
	return doctor.ActionsPermissions{Enabled: *got.Enabled, Allowed: got.Allowed}, nil
}

// WorkflowPermissions reads what the GITHUB_TOKEN of a job without permissions can do.
func (c *Client) WorkflowPermissions(ctx context.Context, slug pipeline.Slug) (doctor.WorkflowPermissions, error) {
	k := get(slug, "read the default permissions of workflows", "/repos/{owner}/{repo}/actions/permissions/workflow")
	var got struct {
		Token    string `json:"default_workflow_permissions"`
		Approves bool   `json:"can_approve_pull_request_reviews"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return doctor.WorkflowPermissions{}, err
	}
	if got.Token == "" {
		return doctor.WorkflowPermissions{}, k.fail(errors.New("the answer lacks default_workflow_permissions"))
	}
	return doctor.WorkflowPermissions{Token: got.Token, Approves: got.Approves}, nil
}

// Environments lists the environments of a repository with their protection rules.
func (c *Client) Environments(ctx context.Context, slug pipeline.Slug) ([]doctor.Environment, error) {
	list, err := listed[environmentSettings](ctx, c, get(slug, "list the environments", "/repos/{owner}/{repo}/environments"), "environments", maxPageSize)
	var out []doctor.Environment
	for _, e := range list {
		out = append(out, e.environment())
	}
	return out, err
}

// environmentSettings are all rules of an environment.
type environmentSettings struct {
	Name   string `json:"name"`
	Bypass *bool  `json:"can_admins_bypass"`
	Policy *struct {
		Protected bool `json:"protected_branches"`
		Named     bool `json:"custom_branch_policies"`
	} `json:"deployment_branch_policy"`
	Rules []struct {
		Type              string `json:"type"`
		WaitTimer         int    `json:"wait_timer"`
		PreventSelfReview bool   `json:"prevent_self_review"`
		Reviewers         []struct {
			Reviewer accountResponse `json:"reviewer"`
		} `json:"reviewers"`
	} `json:"protection_rules"`
}

func (e environmentSettings) environment() doctor.Environment {
	out := doctor.Environment{Name: e.Name, Bypass: e.Bypass}
	switch {
	case e.Policy == nil:
	case e.Policy.Named:
		out.Branches = doctor.NamedBranches
	case e.Policy.Protected:
		out.Branches = doctor.ProtectedBranches
	}
	for _, rule := range e.Rules {
		switch rule.Type {
		case "required_reviewers":
			out.PreventSelfReview = rule.PreventSelfReview
			for _, r := range rule.Reviewers {
				if r.Reviewer.ID > 0 { // one that is gone lets no one pass
					out.Reviewers++
				}
			}
		case "wait_timer":
			out.Wait = max(out.Wait, time.Duration(rule.WaitTimer)*time.Minute)
		}
	}
	return out
}

// DeploymentBranches lists the patterns of the branches and tags that can deploy to an environment with named branches. A tag
// has "tag:" before its pattern.
func (c *Client) DeploymentBranches(ctx context.Context, slug pipeline.Slug, environment string) ([]string, error) {
	k := get(slug, fmt.Sprintf("list the branches of environment %q", environment),
		"/repos/{owner}/{repo}/environments/{environment_name}/deployment-branch-policies", environment)
	type policy struct{ Name, Type string }
	list, err := listed[policy](ctx, c, k, "branch_policies", maxPageSize)
	var out []string
	for _, p := range list {
		if p.Type == "tag" {
			p.Name = "tag:" + p.Name
		}
		out = append(out, p.Name)
	}
	return out, err
}

// SecretNames lists the names of the secrets of a repository. GitHub shows no values.
func (c *Client) SecretNames(ctx context.Context, slug pipeline.Slug) ([]string, error) {
	list, err := listed[namedResponse](ctx, c, get(slug, "list the names of its secrets", "/repos/{owner}/{repo}/actions/secrets"), "secrets", maxPageSize)
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, err
}

// maxVariables is the largest page of variables that GitHub gives.
const maxVariables = 30

// Variables reads the variables of a repository.
func (c *Client) Variables(ctx context.Context, slug pipeline.Slug) (map[string]string, error) {
	list, err := listed[namedResponse](ctx, c, get(slug, "read its variables", "/repos/{owner}/{repo}/actions/variables"), "variables", maxVariables)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string, len(list))
	for _, v := range list {
		values[strings.ToUpper(v.Name)] = v.Value
	}
	return values, nil
}
