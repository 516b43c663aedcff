package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Repository reads a repository: its spelling, its id and its default branch.
func (c *Client) Repository(ctx context.Context, slug pipeline.Slug) (pipeline.Repository, error) {
	k := get(slug, "read the repository", "/repos/{owner}/{repo}")
	var got github.Repository
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.Repository{}, err
	}
	name, err := pipeline.ParseSlug(got.GetFullName())
	if err != nil {
		return pipeline.Repository{}, k.fail(err)
	}
	if got.GetID() <= 0 || got.GetDefaultBranch() == "" {
		return pipeline.Repository{}, k.fail(errors.New("the answer lacks the id or the default branch"))
	}
	return pipeline.Repository{Slug: name, ID: got.GetID(), DefaultBranch: got.GetDefaultBranch()}, nil
}

// WorkflowRun reads one workflow run in its newest attempt.
func (c *Client) WorkflowRun(ctx context.Context, slug pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	k := get(slug, fmt.Sprintf("read workflow run %d", id), "/repos/{owner}/{repo}/actions/runs/{run_id}", strconv.FormatInt(id, 10))
	var got struct {
		github.WorkflowRun
		Path string `json:"path"` // go-github does not know it
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.WorkflowRun{}, err
	}
	head, err := pipeline.ParseSHA(got.GetHeadSHA())
	if err != nil {
		return pipeline.WorkflowRun{}, k.fail(err)
	}
	if got.GetID() != id || got.GetRepository().GetID() <= 0 {
		return pipeline.WorkflowRun{}, k.fail(errors.New("the answer is about another run or lacks its repository"))
	}
	return pipeline.WorkflowRun{
		ID: id, Attempt: got.GetRunAttempt(), Event: got.GetEvent(),
		Status: got.GetStatus(), Conclusion: got.GetConclusion(),
		HeadSHA: head, HeadBranch: got.GetHeadBranch(), Path: workflowFile(got.Path),
		Actor: got.GetActor().GetLogin(), URL: got.GetHTMLURL(), RepoID: got.GetRepository().GetID(),
		CreatedAt: got.GetCreatedAt().Time, UpdatedAt: got.GetUpdatedAt().Time,
	}, nil
}

// workflowFile cuts the ref off that GitHub may append: "a.yml@refs/heads/main".
func workflowFile(path string) string {
	for _, extension := range []string{".yml", ".yaml"} {
		if i := strings.Index(path, extension+"@"); i >= 0 {
			return path[:i+len(extension)]
		}
	}
	return path
}

// BranchHead returns the commit that a branch points to. It asks for the branch
// itself, so that a tag or a commit of the same name cannot take its place.
func (c *Client) BranchHead(ctx context.Context, slug pipeline.Slug, branch string) (pipeline.SHA, error) {
	k := get(slug, fmt.Sprintf("read the head of branch %q", branch), "/repos/{owner}/{repo}/git/ref/{+ref}", "heads/"+branch)
	var got github.Reference
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return "", err
	}
	if got.GetRef() != "refs/heads/"+branch || got.GetObject().GetType() != "commit" {
		return "", k.fail(fmt.Errorf("the answer is about %q", got.GetRef()))
	}
	sha, err := pipeline.ParseSHA(got.GetObject().GetSHA())
	if err != nil {
		return "", k.fail(err)
	}
	return sha, nil
}

// Reachable reports whether sha is the head of branch or one of its ancestors.
//
// GitHub shows the commits of forks under the name of the parent repository
// too, so that a commit exists says nothing about whose it is; only
// reachability from an own branch does. A commit that does not exist is not
// reachable; a branch that does not exist is an error.
func (c *Client) Reachable(ctx context.Context, slug pipeline.Slug, branch string, sha pipeline.SHA) (bool, error) {
	head, err := c.BranchHead(ctx, slug, branch)
	if err != nil {
		return false, err
	}
	if head == sha {
		return true, nil
	}
	got, err := c.compare(ctx, slug, head, sha)
	if errors.Is(err, pipeline.ErrNotFound) {
		return false, nil // the branch was just seen, so it is the commit that is missing
	}
	if err != nil {
		return false, err
	}
	return got.GetStatus() == "identical" || got.GetStatus() == "behind", nil
}

// Compare reports whether head has commits that base has not, and base some that
// head has not.
func (c *Client) Compare(ctx context.Context, slug pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error) {
	got, err := c.compare(ctx, slug, base, head)
	if err != nil {
		return false, false, err
	}
	return got.GetAheadBy() > 0, got.GetBehindBy() > 0, nil
}

// compare asks for base...head (from their merge base). One commit per page is
// enough: the changed files are on the first page whatever its size.
// https://docs.github.com/rest/commits/commits#compare-two-commits
func (c *Client) compare(ctx context.Context, slug pipeline.Slug, base, head pipeline.SHA) (*github.CommitsComparison, error) {
	k := get(slug, fmt.Sprintf("compare %s with %s", base.Short(), head.Short()),
		"/repos/{owner}/{repo}/compare/{basehead}", string(base)+"..."+string(head))
	k.query = url.Values{"per_page": {"1"}, "page": {"1"}}
	for _, sha := range []pipeline.SHA{base, head} {
		if _, err := pipeline.ParseSHA(string(sha)); err != nil {
			return nil, k.fail(err)
		}
	}
	var got github.CommitsComparison
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	switch got.GetStatus() {
	case "identical", "ahead", "behind", "diverged":
		return &got, nil
	}
	return nil, k.fail(fmt.Errorf("the answer has the unknown status %q", got.GetStatus()))
}
