package github

import (
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
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
)

// Issue reads an issue. One that was deleted, that is a pull request or that has
// moved to another repository is a *pipeline.GoneError, and so is every issue where
// issues are disabled.
func (c *Client) Issue(ctx context.Context, slug pipeline.Slug, number int) (issues.Issue, error) {
	k := get(slug, fmt.Sprintf("read issue #%d", number), "/repos/{owner}/{repo}/issues/{issue_number}", strconv.Itoa(number))
	var got issueResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return issues.Issue{}, err
	}
	switch {
	case !strings.HasSuffix(strings.ToLower(got.RepositoryURL), "/repos/"+strings.ToLower(slug.String())):
		return issues.Issue{}, k.fail(&pipeline.GoneError{Err: errors.New("it has moved to another repository")})
	case got.isPull():
		return issues.Issue{}, k.fail(&pipeline.GoneError{Err: errors.New("it is a pull request")})
	case got.Number != number:
		return issues.Issue{}, k.fail(fmt.Errorf("the answer is about #%d", got.Number))
	}
	return issueOf(k, got)
}

// issueOf is the issue of an answer to k.
func issueOf(k call, got issueResponse) (issues.Issue, error) {
	i, err := got.issue()
	if err != nil {
		return issues.Issue{}, k.fail(err)
	}
	return i, nil
}

// Issues lists the open and closed issues with a label, newest first. Pull
// requests, which GitHub lists too, are left out.
func (c *Client) Issues(ctx context.Context, slug pipeline.Slug, label string) ([]issues.Issue, error) {
	k := get(slug, fmt.Sprintf("list the issues labeled %q", label), "/repos/{owner}/{repo}/issues")
	k.query = url.Values{"labels": {label}, "state": {"all"}}
	got, err := collect[issueResponse](ctx, c, k)
	if err != nil {
		return nil, err
	}
	got = slices.DeleteFunc(got, issueResponse.isPull)
	list := make([]issues.Issue, 0, len(got))
	for _, g := range got {
		one, err := issueOf(k, g)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// CreateIssue opens an issue. Labels that the repository lacks are made by GitHub,
// in its own color. When the answer is lost, one of ours with the same text is
// taken for it.
func (c *Client) CreateIssue(ctx context.Context, slug pipeline.Slug, draft issues.Draft) (issues.Issue, error) {
	k := write(http.MethodPost, slug, "open an issue", "/repos/{owner}/{repo}/issues")
	k.advice = map[int]string{http.StatusGone: "issues are disabled in this repository: enable them in its settings, or set `drift: {drift: report}` in the customer's file"}
	var got issueResponse
	var found issues.Issue
	err := c.create(ctx, k, github.IssueRequest{Title: &draft.Title, Body: &draft.Body, Labels: &draft.Labels}, &got, func(ctx context.Context) (bool, error) {
		var err error
		found, err = c.findIssue(ctx, slug, draft)
		return found.Number != 0, err
	})
	if err != nil {
		return issues.Issue{}, err
	}
	if found.Number != 0 {
		return found, nil
	}
	return issueOf(k, got)
}

// findIssue returns our newest open issue with that text; the zero value when there
// is none.
func (c *Client) findIssue(ctx context.Context, slug pipeline.Slug, draft issues.Draft) (issues.Issue, error) {
	login, err := c.Login(ctx)
	if err != nil || len(draft.Labels) == 0 {
		return issues.Issue{}, err
	}
	all, err := c.Issues(ctx, slug, strings.Join(draft.Labels, ","))
	if err != nil {
		return issues.Issue{}, err
	}
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	for _, one := range all {
		if one.State == "open" && strings.EqualFold(one.Author, login) && plain(one.Body) == plain(draft.Body) {
			return one, nil
		}
	}
	return issues.Issue{}, nil
}

// EditIssue changes what is not empty in edit; labels replace all that there are.
func (c *Client) EditIssue(ctx context.Context, slug pipeline.Slug, number int, edit issues.Draft) (issues.Issue, error) {
	k := write(http.MethodPatch, slug, fmt.Sprintf("edit issue #%d", number), "/repos/{owner}/{repo}/issues/{issue_number}", strconv.Itoa(number))
	k.repeatable = true
	var in github.IssueRequest
	for _, field := range []struct {
		to   **string
		from string
	}{{&in.Title, edit.Title}, {&in.Body, edit.Body}, {&in.State, edit.State}} {
		if field.from != "" {
			*field.to = &field.from
		}
	}
	if edit.Labels != nil {
		in.Labels = &edit.Labels
	}
	var got issueResponse
	if _, err := c.send(ctx, k, in, &got); err != nil {
		return issues.Issue{}, err
	}
	return issueOf(k, got)
}
