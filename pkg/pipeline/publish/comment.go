package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// maxCommentRounds is how often a comment is looked at again after it was written.
// Each round after the second one takes someone else who writes at the same time.
const maxCommentRounds = 5

// comment creates or edits the one comment of this customer on the pull request.
// It is ours when both the marker and the author are; a newer request has the
// say over it; duplicates are deleted.
//
// GitHub has no write that depends on what is there, so two reports at once can
// make two comments, or the older one can have the last word. Who has written
// therefore looks again, with what the store says then: the last writer of all
// leaves one comment with the newest request in it. Who has made or deleted a comment
// also lists them again, and so sees everybody's. An edit alone makes none, so after it
// the store has the say: whoever overwrites it looks there, too.
func (r *Reporter) comment(ctx context.Context, in ReportInput, report pipeline.Report) error {
	request := report.Request
	if request.PullRequest == 0 || request.Reason == pipeline.ReasonSuperseded {
		return nil
	}
	what := fmt.Sprintf("comment on pull request #%d of %s", request.PullRequest, request.Repository)
	place := request.Repository.Slug // under which the repository was found now
	var work commentWork
	for round := range maxCommentRounds {
		newer, found, err := record.PullOf(request.Customer, request.PullRequest).Newest(ctx, r.records(), request, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if round == 0 && found {
			r.Logf("request %s is newer: it has the %s", newer.ID.Short(), what)
			return nil
		}
		if round > 0 {
			if found {
				if err := reportsTo(in.Customer, newer); err != nil {
					return err
				}
				request, in = newer, ReportInput{Manager: in.Manager, Customer: in.Customer, Request: newer.ID, Run: in.Run}
				r.Logf("request %s is newer: the %s is about it", request.ID.Short(), what)
			}
			again, err := r.collect(ctx, in, request)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			report = again.Report
			report.Request.Repository.Slug = place
		}
		changed, err := r.upsert(ctx, report, &work)
		if err != nil {
			return pipeline.PartFailed(err, "%s", what)
		}
		if !changed {
			break
		}
	}
	return nil
}

// commentWork is what the rounds of one report know of each other.
type commentWork struct {
	wrote  pipeline.Comment // last, which a list may not show yet
	edited bool             // wrote is the only one, and was there before
	// unseen are the comments that GitHub said not to find when they were written
	// to: someone has deleted them since, or the token may not write to them.
	unseen map[int64]error
}

// upsert brings the comment to what the report says and reports whether it had to
// write.
func (r *Reporter) upsert(ctx context.Context, report pipeline.Report, work *commentWork) (changed bool, err error) {
	repo, number := report.Request.Repository.Slug, report.Request.PullRequest
	marker := pipeline.Marker(report.Manager, report.Request.Customer, "plan")
	body := marker + "\n" + r.Renderer.Comment(report)
	if work.edited {
		return r.edit(ctx, report, []pipeline.Comment{work.wrote}, body, work)
	}
	comments, err := r.GitHub.Comments(ctx, repo, number)
	if err != nil {
		return false, err
	}
	comments = slices.DeleteFunc(slices.Clone(comments), func(c pipeline.Comment) bool { return !strings.HasPrefix(c.Body, marker) })
	ours, err := r.ours(ctx, comments)
	if err != nil {
		return false, fmt.Errorf("find out who we are: %w", err)
	}
	for _, c := range ours {
		if err := work.unseen[c.ID]; err != nil { // it is there all the same
			return false, err
		}
	}
	if len(ours) == 0 && work.wrote.ID != 0 {
		ours = []pipeline.Comment{work.wrote}
	}
	if len(ours) == 0 {
		work.wrote, err = r.GitHub.CreateComment(ctx, repo, number, body)
		return true, err
	}
	// Everybody keeps the oldest one, so that two who meet do not delete both.
	return r.edit(ctx, report, ours, body, work)
}

// ours keeps the comments that we wrote: anybody can paste a marker.
func (r *Reporter) ours(ctx context.Context, comments []pipeline.Comment) ([]pipeline.Comment, error) {
	if len(comments) == 0 {
		return nil, nil
	}
	login, err := r.GitHub.Login(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(comments, func(c pipeline.Comment) bool { return !strings.EqualFold(c.Author, login) }), nil
}

func (r *Reporter) edit(ctx context.Context, report pipeline.Report, ours []pipeline.Comment, body string, work *commentWork) (changed bool, err error) {
	repo := report.Request.Repository.Slug
	var errs []error
	missing := func(id int64, err error) error {
		if !pipeline.NotVisible(err) && !pipeline.Gone(err) {
			return err
		}
		if work.unseen == nil {
			work.unseen = map[int64]error{}
		}
		work.unseen[id] = err // the next round looks whether someone has deleted it
		return nil
	}
	if ours[0].Body != body {
		edited, err := r.GitHub.EditComment(ctx, repo, ours[0].ID, body)
		work.wrote = edited // none when it is gone
		if work.edited = err == nil && len(ours) == 1; work.edited {
			work.wrote.Body = body // GitHub may answer with other ends of lines
		}
		errs = append(errs, missing(ours[0].ID, err))
		changed = true
	}
	for _, duplicate := range ours[1:] {
		errs = append(errs, missing(duplicate.ID, r.GitHub.DeleteComment(ctx, repo, duplicate.ID)))
		changed = true
	}
	return changed, errors.Join(errs...)
}
