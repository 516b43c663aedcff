package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	// maxComparedFiles is where a comparison stops to list files, without saying so:
	// https://docs.github.com/rest/commits/commits#compare-two-commits
	maxComparedFiles = 300
	// maxPullFiles is the same for a pull request:
	// https://docs.github.com/rest/pulls/pulls#list-pull-requests-files
	maxPullFiles = 3000
)

// PullRequest reads one pull request.
func (c *Client) PullRequest(ctx context.Context, slug pipeline.Slug, number int) (pipeline.PullRequest, error) {
	k := get(slug, fmt.Sprintf("read pull request %d", number), "/repos/{owner}/{repo}/pulls/{pull_number}", strconv.Itoa(number))
	var got pullResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.PullRequest{}, err
	}
	pull, err := got.pull()
	if err == nil && pull.Number != number {
		err = fmt.Errorf("the answer is about pull request %d", pull.Number)
	}
	if err != nil {
		return pipeline.PullRequest{}, k.fail(err)
	}
	return pull, nil
}

// PullRequestsOf lists the pull requests that a commit belongs to: those that
// were merged with it, and the open ones that hold it.
func (c *Client) PullRequestsOf(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error) {
	k := get(slug, "list the pull requests of commit "+sha.Short(), "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", string(sha))
	got, err := collect[pullResponse](ctx, c, k)
	if err != nil {
		return nil, err
	}
	pulls := make([]pipeline.PullRequest, 0, len(got))
	for _, p := range got {
		pull, err := p.pull()
		if err != nil {
			return nil, k.fail(err)
		}
		pulls = append(pulls, pull)
	}
	return pulls, nil
}

// ChangedPaths lists the paths that differ between head and its merge base with
// base, the old names of renamed files included. It is not complete when GitHub
// stopped at its limit of 300 files, when head does not build on base (a forced
// push: the comparison leaves out what base had), or when base is gone or not visible; then any path
// may have changed.
func (c *Client) ChangedPaths(ctx context.Context, slug pipeline.Slug, base, head pipeline.SHA) (paths []string, complete bool, err error) {
	got, err := c.compare(ctx, slug, base, head)
	if pipeline.NotVisible(err) || pipeline.Gone(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if status := got.Status; status != "ahead" && status != "identical" {
		return nil, false, nil
	}
	return changedPaths(got.Files), len(got.Files) < maxComparedFiles, nil
}

// PullRequestPaths lists the paths that a pull request changes, the old names
// of renamed files included. It is not complete when GitHub stopped at its
// limit of 3,000 files.
func (c *Client) PullRequestPaths(ctx context.Context, slug pipeline.Slug, number int) (paths []string, complete bool, err error) {
	k := get(slug, fmt.Sprintf("list the files of pull request %d", number),
		"/repos/{owner}/{repo}/pulls/{pull_number}/files", strconv.Itoa(number))
	var files []fileResponse
	err = c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		var page []fileResponse
		err := json.Unmarshal(raw, &page)
		files = append(files, page...)
		return len(files) < maxPullFiles, err
	})
	if err != nil {
		return nil, false, err
	}
	return changedPaths(files), len(files) < maxPullFiles, nil
}

func changedPaths(files []fileResponse) []string {
	paths := make([]string, 0, len(files))
	for _, f := range files {
		paths = append(paths, f.Filename)
		if old := f.PreviousFilename; old != "" && old != f.Filename {
			paths = append(paths, old)
		}
	}
	return paths
}
