package hub_test

import (
	"fmt"
	"testing"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestPullRequest(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	c, ctx := s.client("metapipe"), t.Context()
	s.commit(s.customer, "topic", map[string]string{"infra/variables.yml": "a: 1\n"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "More", Author: "alice", Head: "topic"}))(t)
	if _, err := s.customer.OpenPull(hub.NewPull{Title: "None", Author: "alice", Head: "main"}); err == nil {
		t.Error("opened a pull request without commits")
	}
	head := s.commit(s.customer, "topic", map[string]string{"infra/variables.yml": "a: 2\n"})
	pr, _, err := c.PullRequests.Get(ctx, "acme", "shop", n)
	good(t, err)
	equal(t, "head", pr.GetHead().GetSHA(), head)
	equal(t, "head repo", pr.GetHead().GetRepo().GetID(), int64(4711))
	equal(t, "mergeable", pr.GetMergeable(), true)
	equal(t, "sizes", fmt.Sprintln(pr.GetCommits(), pr.GetChangedFiles(), pr.GetAdditions(), pr.GetDeletions()), "2 1 1 1\n")
	merge, _, err := c.Git.GetRef(ctx, "acme", "shop", fmt.Sprintf("pull/%d/merge", n))
	good(t, err)
	equal(t, "test merge", merge.GetObject().GetSHA(), pr.GetMergeCommitSHA())
	files, _, err := c.PullRequests.ListFiles(ctx, "acme", "shop", n, nil)
	good(t, err)
	equal(t, "file", files[0].GetFilename(), "infra/variables.yml")

	sha := got(s.customer.MergePull(n, hub.Squash, "ops"))(t)
	if _, err := s.customer.MergePull(n, hub.Squash, "ops"); err == nil {
		t.Error("merged twice")
	}
	commit := got(s.customer.CommitOf("main"))(t)
	equal(t, "main", commit.SHA, sha)
	equal(t, "parents of a squash", len(commit.Parents), 1)
	pr, _, err = c.PullRequests.Get(ctx, "acme", "shop", n)
	good(t, err)
	equal(t, "merged", fmt.Sprintln(pr.GetMerged(), pr.GetState(), pr.GetMergedBy().GetLogin(), pr.GetMergeCommitSHA()), "true closed ops "+sha+"\n")
	of, _, err := c.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", sha, nil)
	good(t, err)
	equal(t, "pull request of the squash", len(of), 1)
	of, _, err = c.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", head, nil)
	good(t, err)
	equal(t, "pull request of its head", len(of), 1)
	of, _, err = c.PullRequests.ListPullRequestsWithCommit(ctx, "acme", "shop", s.first, nil)
	good(t, err)
	equal(t, "pull request of another commit", len(of), 0)
	_, _, err = c.Git.GetRef(ctx, "acme", "shop", fmt.Sprintf("pull/%d/merge", n))
	equal(t, "test merge is gone", status(err), 404)
}

func TestPullRequestConflict(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.commit(s.customer, "topic", map[string]string{"README.md": "theirs\n"})
	s.commit(s.customer, "main", map[string]string{"README.md": "ours\n"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "Clash", Author: "alice", Head: "topic"}))(t)
	pr, _, err := s.client("job").PullRequests.Get(t.Context(), "acme", "shop", n)
	good(t, err)
	equal(t, "mergeable", fmt.Sprintln(pr.GetMergeable(), pr.GetMergeableState(), pr.MergeCommitSHA == nil), "false dirty true\n")
	if _, err := s.customer.MergePull(n, hub.MergeCommit, "ops"); err == nil {
		t.Error("merged a conflict")
	}
	good(t, s.customer.SetBranch("topic", ""))
	equal(t, "closed with its branch", got(s.customer.Pull(n))(t).State, "closed")
	if err := s.customer.ClosePull(n); err == nil {
		t.Error("closed twice")
	}
}

func TestPullRequestFromFork(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	c, ctx := s.client("metapipe"), t.Context()
	fork := got(s.customer.Fork("mallory", "shop"))(t)
	s.commit(fork, "main", map[string]string{"infra/variables.yml": "a: 1\n"})
	n := got(s.customer.OpenPull(hub.NewPull{Title: "Hi", Author: "mallory", Head: "main", HeadRepo: fork}))(t)
	pr, _, err := c.PullRequests.Get(ctx, "acme", "shop", n)
	good(t, err)
	equal(t, "head repo", pr.GetHead().GetRepo().GetFullName(), "mallory/shop")
	sha := got(s.customer.MergePull(n, hub.MergeCommit, "ops"))(t)
	equal(t, "parents of a merge", len(got(s.customer.CommitOf(sha))(t).Parents), 2)
	lone := got(s.hub.AddRepo("mallory", "lone", hub.RepoOptions{}))(t)
	s.commit(lone, "main", map[string]string{"x": ""})
	if _, err := s.customer.OpenPull(hub.NewPull{Title: "Hi", Author: "mallory", Head: "main", HeadRepo: lone}); err == nil {
		t.Error("a pull request came from outside of the network")
	}
}

func TestListsAndPages(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	c, ctx := s.client("metapipe"), t.Context()
	files := map[string]string{}
	for i := range 3105 {
		files[fmt.Sprintf("f/%04d", i)] = "x"
	}
	s.commit(s.customer, "wide", files)
	wide := got(s.customer.OpenPull(hub.NewPull{Title: "Wide", Author: "alice", Head: "wide"}))(t)
	for i := range 4 {
		b := fmt.Sprintf("topic-%d", i)
		s.commit(s.customer, b, map[string]string{b: ""})
		got(s.customer.OpenPull(hub.NewPull{Title: b, Author: "alice", Head: b}))(t)
	}
	good(t, s.customer.ClosePull(wide))
	list, resp, err := c.PullRequests.List(ctx, "acme", "shop", &github.PullRequestListOptions{ListOptions: github.ListOptions{PerPage: 3}})
	good(t, err)
	equal(t, "first page", fmt.Sprintln(len(list), resp.NextPage, resp.LastPage, list[0].GetTitle()), "3 2 2 topic-3\n")
	list, resp, err = c.PullRequests.List(ctx, "acme", "shop", &github.PullRequestListOptions{ListOptions: github.ListOptions{PerPage: 3, Page: 2}})
	good(t, err)
	equal(t, "second page", fmt.Sprintln(len(list), resp.NextPage, resp.PrevPage), "1 0 1\n")
	list, _, err = c.PullRequests.List(ctx, "acme", "shop", &github.PullRequestListOptions{Head: "acme:topic-1", State: "all", Base: "main"})
	good(t, err)
	equal(t, "by head", len(list), 1)
	seen, opt := 0, &github.ListOptions{PerPage: 1000} // cut to 100
	for {
		page, resp, err := c.PullRequests.ListFiles(ctx, "acme", "shop", wide, opt)
		good(t, err)
		seen += len(page)
		if resp.NextPage == 0 {
			break
		}
		opt.Page = resp.NextPage
	}
	equal(t, "files in all pages", seen, 3000)
	calls := 0
	for _, call := range s.hub.Calls() {
		if call.Route == "/repos/{owner}/{repo}/pulls/{pull_number}/files" {
			calls++
		}
	}
	equal(t, "pages", calls, 30)
}
