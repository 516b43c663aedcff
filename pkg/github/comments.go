package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Comments lists all comments on an issue or a pull request, oldest first.
func (c *Client) Comments(ctx context.Context, slug pipeline.Slug, number int) ([]pipeline.Comment, error) {
	k := get(slug, fmt.Sprintf("list the comments on #%d", number),
		"/repos/{owner}/{repo}/issues/{issue_number}/comments", strconv.Itoa(number))
	got, err := collect[commentResponse](ctx, c, k)
	if err != nil {
		return nil, err
	}
	comments := make([]pipeline.Comment, 0, len(got))
	for _, g := range got {
		one, err := g.comment()
		if err != nil {
			return nil, k.fail(err)
		}
		comments = append(comments, one)
	}
	return comments, nil
}

// CreateComment adds a comment. When the answer is lost, one of ours with the
// same text is taken for it.
func (c *Client) CreateComment(ctx context.Context, slug pipeline.Slug, number int, body string) (pipeline.Comment, error) {
	k := write(http.MethodPost, slug, fmt.Sprintf("comment on #%d", number),
		"/repos/{owner}/{repo}/issues/{issue_number}/comments", strconv.Itoa(number))
	var got commentResponse
	var found pipeline.Comment
	err := c.create(ctx, k, github.IssueComment{Body: &body}, &got, func(ctx context.Context) (bool, error) {
		var err error
		found, err = c.findComment(ctx, slug, number, body)
		return found.ID != 0, err
	})
	if err != nil {
		return pipeline.Comment{}, err
	}
	if found.ID != 0 {
		return found, nil
	}
	one, err := got.comment()
	if err != nil {
		return pipeline.Comment{}, k.fail(err)
	}
	return one, nil
}

// findComment returns our newest comment with that text; the zero value when
// there is none. Ends of lines and blanks at the end are GitHub's to change.
func (c *Client) findComment(ctx context.Context, slug pipeline.Slug, number int, body string) (pipeline.Comment, error) {
	login, err := c.Login(ctx)
	if err != nil {
		return pipeline.Comment{}, err
	}
	all, err := c.Comments(ctx, slug, number)
	if err != nil {
		return pipeline.Comment{}, err
	}
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	for _, one := range slices.Backward(all) {
		if strings.EqualFold(one.Author, login) && plain(one.Body) == plain(body) {
			return one, nil
		}
	}
	return pipeline.Comment{}, nil
}

// EditComment replaces the text of a comment.
func (c *Client) EditComment(ctx context.Context, slug pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	k := write(http.MethodPatch, slug, fmt.Sprintf("edit comment %d", id),
		"/repos/{owner}/{repo}/issues/comments/{comment_id}", strconv.FormatInt(id, 10))
	k.repeatable = true
	var got commentResponse
	if _, err := c.send(ctx, k, github.IssueComment{Body: &body}, &got); err != nil {
		return pipeline.Comment{}, err
	}
	one, err := got.comment()
	if err != nil {
		return pipeline.Comment{}, k.fail(err)
	}
	return one, nil
}

// DeleteComment removes a comment; one that is gone already is no error. One that
// the token can read and not delete, or any where it can read none, is a
// *pipeline.NotVisibleError: GitHub says "not found" to these, too.
func (c *Client) DeleteComment(ctx context.Context, slug pipeline.Slug, id int64) error {
	k := write(http.MethodDelete, slug, fmt.Sprintf("delete comment %d", id),
		"/repos/{owner}/{repo}/issues/comments/{comment_id}", strconv.FormatInt(id, 10))
	k.repeatable = true
	_, err := c.send(ctx, k, nil, nil)
	if !pipeline.NotVisible(err) {
		return err
	}
	look := get(slug, fmt.Sprintf("read comment %d", id), "/repos/{owner}/{repo}/issues/comments/{comment_id}", strconv.FormatInt(id, 10))
	if _, lookErr := c.send(ctx, look, nil, nil); !pipeline.NotVisible(lookErr) && !pipeline.Gone(lookErr) {
		return err
	}
	// A token that sees no pull request at all gets the same two answers.
	all := get(slug, "list the pull requests", "/repos/{owner}/{repo}/pulls")
	all.query = url.Values{"per_page": {"1"}}
	if gone := c.goneUnless(ctx, err, all); !pipeline.Gone(gone) {
		return gone
	}
	return nil
}
