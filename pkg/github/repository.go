package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Repository reads a repository: its spelling, its id and its default branch.
func (c *Client) Repository(ctx context.Context, slug pipeline.Slug) (pipeline.Repository, error) {
	_, repo, err := c.repository(ctx, slug)
	return repo, err
}

// RepositoryProperties is Repository with the custom properties, which the same answer
// holds. Properties that cannot be read are unknown and no error: the answer still says
// which repository it is.
func (c *Client) RepositoryProperties(ctx context.Context, slug pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
	raw, repo, err := c.repository(ctx, slug)
	if err != nil {
		return pipeline.Repository{}, pipeline.Properties{}, err
	}
	return repo, knownProperties(raw), nil
}

// knownProperties are unknown where they cannot be read.
func knownProperties(raw json.RawMessage) pipeline.Properties {
	properties, err := pipeline.ParseProperties(raw)
	if err != nil {
		return pipeline.Properties{}
	}
	return properties
}

func (c *Client) repository(ctx context.Context, slug pipeline.Slug) (json.RawMessage, pipeline.Repository, error) {
	k := get(slug, "read the repository", "/repos/{owner}/{repo}")
	var got repositoryResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, pipeline.Repository{}, err
	}
	name, err := pipeline.ParseSlug(got.FullName)
	if err != nil {
		return nil, pipeline.Repository{}, k.fail(err)
	}
	if got.ID <= 0 || got.DefaultBranch == "" {
		return nil, pipeline.Repository{}, k.fail(errors.New("the answer lacks the id or the default branch"))
	}
	return got.CustomProperties, pipeline.Repository{Slug: name, ID: got.ID, DefaultBranch: got.DefaultBranch, Archived: got.Archived}, nil
}

// WorkflowRun reads one workflow run in its newest attempt.
func (c *Client) WorkflowRun(ctx context.Context, slug pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	k := get(slug, fmt.Sprintf("read workflow run %d", id), "/repos/{owner}/{repo}/actions/runs/{run_id}", strconv.FormatInt(id, 10))
	var got runResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.WorkflowRun{}, err
	}
	run, err := got.run()
	if err == nil && run.ID != id {
		err = fmt.Errorf("the answer is about workflow run %d", run.ID)
	}
	if err != nil {
		return pipeline.WorkflowRun{}, k.fail(err)
	}
	return run, nil
}

// RunAttempt reads one attempt of a workflow run.
func (c *Client) RunAttempt(ctx context.Context, slug pipeline.Slug, id int64, attempt int) (pipeline.WorkflowRun, error) {
	k := get(slug, fmt.Sprintf("read attempt %d of workflow run %d", attempt, id), "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}",
		strconv.FormatInt(id, 10), strconv.Itoa(attempt))
	var got runResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.WorkflowRun{}, err
	}
	run, err := got.run()
	if err == nil && (run.ID != id || run.Attempt != attempt) {
		err = fmt.Errorf("the answer is about attempt %d of run %d", run.Attempt, run.ID)
	}
	if err != nil {
		return pipeline.WorkflowRun{}, k.fail(err)
	}
	return run, nil
}

// BranchHead returns the commit that a branch points to. It asks for the branch
// itself, so that a tag or a commit of the same name cannot take its place.
func (c *Client) BranchHead(ctx context.Context, slug pipeline.Slug, branch string) (pipeline.SHA, error) {
	k := get(slug, fmt.Sprintf("read the head of branch %q", branch), "/repos/{owner}/{repo}/git/ref/{+ref}", "heads/"+branch)
	var got refResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		all := get(slug, "list the branches", "/repos/{owner}/{repo}/branches")
		all.query = url.Values{"per_page": {"1"}}
		return "", c.goneUnless(ctx, err, all)
	}
	if got.Ref != "refs/heads/"+branch || got.Object.Type != "commit" {
		return "", k.fail(fmt.Errorf("the answer is about %q", got.Ref))
	}
	sha, err := pipeline.ParseSHA(got.Object.SHA)
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
// reachable. A branch that does not exist is a *pipeline.GoneError where the token
// can read the branches of the repository, else a *pipeline.NotVisibleError.
func (c *Client) Reachable(ctx context.Context, slug pipeline.Slug, branch string, sha pipeline.SHA) (bool, error) {
	head, err := c.BranchHead(ctx, slug, branch)
	if err != nil {
		return false, err
	}
	if head == sha {
		return true, nil
	}
	got, err := c.compare(ctx, slug, head, sha)
	if pipeline.NotVisible(err) || pipeline.Gone(err) {
		return false, nil // the same token has just seen the branch, so it is the commit that is missing
	}
	if err != nil {
		return false, err
	}
	return got.Status == "identical" || got.Status == "behind", nil
}

// Compare reports whether head has commits that base has not, and base some that
// head has not.
func (c *Client) Compare(ctx context.Context, slug pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error) {
	got, err := c.compare(ctx, slug, base, head)
	if err != nil {
		return false, false, err
	}
	return got.AheadBy > 0, got.BehindBy > 0, nil
}

// compare asks for base...head (from their merge base). One commit per page is
// enough: the changed files are on the first page whatever its size.
// https://docs.github.com/rest/commits/commits#compare-two-commits
func (c *Client) compare(ctx context.Context, slug pipeline.Slug, base, head pipeline.SHA) (*comparisonResponse, error) {
	k := get(slug, fmt.Sprintf("compare %s with %s", base.Short(), head.Short()),
		"/repos/{owner}/{repo}/compare/{basehead}", string(base)+"..."+string(head))
	k.query = url.Values{"per_page": {"1"}, "page": {"1"}}
	for _, sha := range []pipeline.SHA{base, head} {
		if _, err := pipeline.ParseSHA(string(sha)); err != nil {
			return nil, k.fail(err)
		}
	}
	var got comparisonResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return nil, err
	}
	switch got.Status {
	case "identical", "ahead", "behind", "diverged":
		return &got, nil
	}
	return nil, k.fail(fmt.Errorf("the answer has the unknown status %q", got.Status))
}

// goneUnless turns "not found" into a *pipeline.GoneError where the same token may
// list what the thing would be among: then it is the thing that is missing, and not
// the right to see it.
func (c *Client) goneUnless(ctx context.Context, err error, list call) error {
	if !pipeline.NotVisible(err) {
		return err
	}
	var raw json.RawMessage
	if _, listErr := c.send(ctx, list, nil, &raw); listErr != nil {
		return err
	}
	return &pipeline.GoneError{Err: withoutAdvice(err)}
}

// withoutAdvice drops the advice about the token's rights, which the token has.
func withoutAdvice(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	short := *e
	var unseen *pipeline.NotVisibleError
	if short.Next = ""; errors.As(short.Err, &unseen) {
		short.Err = unseen.Err
	}
	return &short
}

// ListsRuns is nil when the token can list the workflow runs of a repository: only
// then a run that it does not see does not exist.
func (c *Client) ListsRuns(ctx context.Context, slug pipeline.Slug) error {
	k := get(slug, "list the workflow runs", "/repos/{owner}/{repo}/actions/runs")
	k.query = url.Values{"per_page": {"1"}}
	var got struct {
		Runs []json.RawMessage `json:"workflow_runs"`
	}
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return err
	}
	if got.Runs == nil {
		return k.fail(errors.New("the answer has no list of runs"))
	}
	return nil
}
