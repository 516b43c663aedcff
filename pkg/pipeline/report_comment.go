package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// comment creates or edits the one comment of this customer on the pull request.
// It is ours when both the marker and the author are; a newer request has the
// say over it; duplicates are deleted.
func (r *Reporter) comment(ctx context.Context, report Report) error {
	request := report.Request
	if request.PullRequest == 0 || request.Reason == ReasonSuperseded {
		return nil
	}
	what := fmt.Sprintf("comment on pull request #%d of %s", request.PullRequest, request.Repository)
	newer, err := newerRequests(ctx, r.Store, request, pullPrefix(request.Customer, request.PullRequest))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(newer) > 0 {
		r.Tell("request %s is newer: it has the %s", newer[0].ID.Short(), what)
		return nil
	}
	comments, err := r.GitHub.Comments(ctx, request.Repository.Slug, request.PullRequest)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	marker := Marker(report.Manager, request.Customer, "plan")
	body := marker + "\n" + r.Renderer.Comment(report)
	comments = slices.DeleteFunc(slices.Clone(comments), func(c Comment) bool { return !strings.HasPrefix(c.Body, marker) })
	ours, err := r.ours(ctx, comments)
	if err != nil {
		return fmt.Errorf("%s: find out who we are: %w", what, err)
	}
	if len(ours) == 0 {
		if _, err := r.GitHub.CreateComment(ctx, request.Repository.Slug, request.PullRequest, body); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	return r.edit(ctx, report, ours, body)
}

// ours keeps the comments that we wrote: anybody can paste a marker.
func (r *Reporter) ours(ctx context.Context, comments []Comment) ([]Comment, error) {
	if len(comments) == 0 {
		return nil, nil
	}
	login, err := r.GitHub.Login(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(comments, func(c Comment) bool { return !strings.EqualFold(c.Author, login) }), nil
}

func (r *Reporter) edit(ctx context.Context, report Report, ours []Comment, body string) error {
	repo := report.Request.Repository.Slug
	var errs []error
	if ours[0].Body != body {
		_, err := r.GitHub.EditComment(ctx, repo, ours[0].ID, body)
		errs = append(errs, err)
	}
	for _, duplicate := range ours[1:] {
		errs = append(errs, r.GitHub.DeleteComment(ctx, repo, duplicate.ID))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("update the comment on pull request #%d of %s: %w", report.Request.PullRequest, repo, err)
	}
	return nil
}

// Marker is the hidden first line of a comment or issue by which it is found
// again: a hash of who writes it, for which customer, and of what kind.
func Marker(manager Slug, customer CustomerName, kind string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(manager.String()) + "\x00" + string(customer) + "\x00" + kind))
	return "<!-- metapipe:" + hex.EncodeToString(sum[:8]) + " -->"
}
