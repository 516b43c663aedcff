package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/onboarding"
)

// OnboardingRepository implements onboarding.GitHub.
func (c *Client) OnboardingRepository(ctx context.Context, slug pipeline.Slug) (onboarding.Repository, error) {
	k := get(slug, "read the repository", "/repos/{owner}/{repo}")
	var got struct {
		repositoryResponse
		Fork  *bool `json:"fork"`
		Owner struct {
			Type string `json:"type"`
		} `json:"owner"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return onboarding.Repository{}, err
	}
	name, err := pipeline.ParseSlug(got.FullName)
	if err != nil {
		return onboarding.Repository{}, k.fail(err)
	}
	if got.ID <= 0 || got.DefaultBranch == "" || got.Fork == nil || got.Owner.Type == "" {
		return onboarding.Repository{}, k.fail(errors.New("the answer lacks the id, the default branch, the kind of owner or whether it is a fork"))
	}
	return onboarding.Repository{
		Repository: pipeline.Repository{Slug: name, ID: got.ID, DefaultBranch: got.DefaultBranch, Archived: got.Archived}, Fork: *got.Fork, ByPerson: got.Owner.Type != "Organization",
	}, nil
}

// gitCommitResponse is a commit as the git database has it.
type gitCommitResponse struct {
	SHA     string `json:"sha"`
	Message string `json:"message"`
	Tree    struct {
		SHA string `json:"sha"`
	} `json:"tree"`
}

// Commit implements onboarding.GitHub.
func (c *Client) Commit(ctx context.Context, slug pipeline.Slug, id pipeline.SHA) (onboarding.Commit, error) {
	k := get(slug, "read commit "+id.Short(), "/repos/{owner}/{repo}/git/commits/{commit_sha}", string(id))
	var got gitCommitResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return onboarding.Commit{}, err
	}
	tree, err := pipeline.ParseSHA(got.Tree.SHA)
	if err == nil && got.SHA != string(id) {
		err = fmt.Errorf("the answer is about commit %q", got.SHA)
	}
	if err != nil {
		return onboarding.Commit{}, k.fail(err)
	}
	return onboarding.Commit{Tree: tree, Message: got.Message}, nil
}

// workflowAdvice is for writes that hold a workflow: GitHub hides them from a classic token without the scope.
var workflowAdvice = map[int]string{
	http.StatusNotFound:  "a classic token needs the scopes repo and workflow for this: the files have a workflow",
	http.StatusForbidden: "the token needs the permissions contents: write and, since the files have a workflow, workflows: write",
	http.StatusConflict:  "the repository has no commit yet: make a first one, such as a README, and run this again",
}

// MakeCommit implements onboarding.GitHub. Done twice it makes a commit that nothing points to.
func (c *Client) MakeCommit(ctx context.Context, slug pipeline.Slug, n onboarding.NewCommit) (pipeline.SHA, error) {
	type entry struct {
		Path    string `json:"path"`
		Mode    string `json:"mode"`
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	var in struct {
		Base string  `json:"base_tree"`
		Tree []entry `json:"tree"`
	}
	in.Base = string(n.Tree)
	for _, name := range slices.Sorted(maps.Keys(n.Files)) {
		in.Tree = append(in.Tree, entry{name, "100644", "blob", string(n.Files[name])})
	}
	k := write(http.MethodPost, slug, "write files to git", "/repos/{owner}/{repo}/git/trees")
	k.repeatable, k.advice = true, workflowAdvice
	var tree struct {
		SHA string `json:"sha"`
	}
	var made gitCommitResponse
	if _, err := c.send(ctx, k, in, &tree); err != nil {
		return "", err
	}
	if _, err := pipeline.ParseSHA(tree.SHA); err != nil {
		return "", k.fail(err)
	}
	k = write(http.MethodPost, slug, "make a commit", "/repos/{owner}/{repo}/git/commits")
	k.repeatable = true
	if _, err := c.send(ctx, k, map[string]any{"message": n.Message, "tree": tree.SHA, "parents": []string{string(n.Parent)}}, &made); err != nil {
		return "", err
	}
	sha, err := pipeline.ParseSHA(made.SHA)
	if err != nil {
		return "", k.fail(err)
	}
	return sha, nil
}

// MakeBranch implements onboarding.GitHub. It never moves a branch that is there.
func (c *Client) MakeBranch(ctx context.Context, slug pipeline.Slug, branch string, at pipeline.SHA) error {
	k := write(http.MethodPost, slug, fmt.Sprintf("make the branch %q", branch), "/repos/{owner}/{repo}/git/refs")
	return c.create(ctx, k, map[string]string{"ref": "refs/heads/" + branch, "sha": string(at)}, nil, func(ctx context.Context) (bool, error) {
		head, err := c.BranchHead(ctx, slug, branch)
		if pipeline.Gone(err) {
			return false, nil
		}
		return head == at, err
	})
}

// MoveBranch implements onboarding.GitHub. It drops no commit.
func (c *Client) MoveBranch(ctx context.Context, slug pipeline.Slug, branch string, to pipeline.SHA) error {
	k := write(http.MethodPatch, slug, fmt.Sprintf("move the branch %q", branch), "/repos/{owner}/{repo}/git/refs/{+ref}", "heads/"+branch)
	k.repeatable = true
	_, err := c.send(ctx, k, map[string]any{"sha": string(to), "force": false}, nil)
	return err
}

// RemoveBranch implements onboarding.GitHub. What is gone already is removed.
func (c *Client) RemoveBranch(ctx context.Context, slug pipeline.Slug, branch string) error {
	k := write(http.MethodDelete, slug, fmt.Sprintf("remove the branch %q", branch), "/repos/{owner}/{repo}/git/refs/{+ref}", "heads/"+branch)
	k.repeatable = true
	_, err := c.send(ctx, k, nil, nil)
	if err == nil {
		return nil
	}
	if _, look := c.BranchHead(ctx, slug, branch); pipeline.Gone(look) {
		return nil // GitHub answers 422 where there is no such branch
	}
	return err
}

// OpenPullRequest implements onboarding.GitHub.
func (c *Client) OpenPullRequest(ctx context.Context, slug pipeline.Slug, id int64, branch string) (int, error) {
	k := get(slug, fmt.Sprintf("list the pull requests of branch %q", branch), "/repos/{owner}/{repo}/pulls")
	k.query = url.Values{"state": {"open"}, "head": {slug.Owner + ":" + branch}}
	got, err := collect[pullResponse](ctx, c, k)
	if err != nil {
		return 0, err
	}
	for _, p := range got {
		pull, err := p.pull()
		if err != nil {
			return 0, k.fail(err)
		}
		if pull.HeadRepoID == id && pull.HeadBranch == branch { // a fork of the same owner can have the branch, too
			return pull.Number, nil
		}
	}
	return 0, nil
}

// OpenPull implements onboarding.GitHub.
func (c *Client) OpenPull(ctx context.Context, slug pipeline.Slug, id int64, p onboarding.Pull) error {
	k := write(http.MethodPost, slug, fmt.Sprintf("open a pull request from %q", p.Branch), "/repos/{owner}/{repo}/pulls")
	in := map[string]string{"title": p.Title, "body": p.Body, "head": p.Branch, "base": p.Base}
	return c.create(ctx, k, in, nil, func(ctx context.Context) (bool, error) {
		number, err := c.OpenPullRequest(ctx, slug, id, p.Branch)
		return number != 0, err
	})
}

// ClosePull implements onboarding.GitHub.
func (c *Client) ClosePull(ctx context.Context, slug pipeline.Slug, number int) error {
	at := strconv.Itoa(number)
	k := write(http.MethodPatch, slug, "close pull request "+at, "/repos/{owner}/{repo}/pulls/{pull_number}", at)
	k.repeatable = true
	_, err := c.send(ctx, k, map[string]string{"state": "closed"}, nil)
	return err
}
