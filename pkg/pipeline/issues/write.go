package issues

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// write does what one finding needs and puts down how its issue stands.
func (w *work) write(ctx context.Context, t task, stored *Record, outcome *Outcome) error {
	repo := w.repo(ctx, t.Customer)
	if repo.err != nil {
		return repo.err
	}
	stored.Repository, stored.Slug = t.Customer.RepositoryID, repo.slug
	issue, found, err := w.find(ctx, repo, t, stored.Number)
	if err != nil {
		return err
	}
	keep := func(i Issue, did Action) {
		stored.Number, stored.URL, stored.Open, stored.Hash = i.Number, i.URL, t.body != "", t.hash
		outcome.Number, outcome.URL, outcome.Action = i.Number, i.URL, did
	}
	switch {
	case !found && t.body == "":
		keep(Issue{}, Unchanged)
		return nil
	case !found:
		w.left--
		issue, err = w.GitHub.CreateIssue(ctx, repo.slug, Draft{Title: t.Title, Body: t.body, Labels: t.Labels})
		if err != nil {
			return fmt.Errorf("open an issue about %s: %w", t.Key(), err)
		}
		keep(issue, Opened)
		return nil
	case t.body == "":
		return w.close(ctx, repo, t, issue, keep)
	}
	if until := w.Kind.snoozedUntil(issue.Labels); w.Now().Before(until) {
		// What was written last stays on record, so that each run looks again.
		stored.Number, stored.URL, stored.Open = issue.Number, issue.URL, stored.Open || issue.State == "open"
		outcome.Number, outcome.URL, outcome.Action = issue.Number, issue.URL, Snoozed
		outcome.Reason = "until " + until.AddDate(0, 0, -1).Format(time.DateOnly)
		return nil
	}
	edit, did := change(t, issue, *stored)
	if did == Unchanged {
		keep(issue, did)
		return nil
	}
	w.left--
	edited, err := w.GitHub.EditIssue(ctx, repo.slug, issue.Number, edit)
	if err != nil {
		return fmt.Errorf("bring issue #%d about %s up to date: %w", issue.Number, t.Key(), err)
	}
	keep(edited, did)
	return nil
}

// change is the difference between an issue and what it should be. The title and
// further labels are people's.
func change(t task, issue Issue, stored Record) (Draft, Action) {
	var edit Draft
	if sameText(issue.Body, t.body) {
		// Only the end that we ourselves have put to it is ours to take back.
		if endedByUs := stored.Number == issue.Number && !stored.Open; issue.State != "closed" || !endedByUs {
			return edit, Unchanged
		}
	} else {
		edit.Body = t.body
	}
	for _, label := range t.Labels {
		if !slices.ContainsFunc(issue.Labels, func(have string) bool { return strings.EqualFold(have, label) }) {
			edit.Labels = append(edit.Labels, label)
		}
	}
	if edit.Labels != nil {
		edit.Labels = append(slices.Clone(issue.Labels), edit.Labels...)
	}
	if issue.State == "closed" {
		edit.State = "open"
		return edit, Reopened
	}
	return edit, Edited
}

// close closes the issue of a key that there is nothing to report about any more.
func (w *work) close(ctx context.Context, repo *repository, t task, issue Issue, keep func(Issue, Action)) error {
	if issue.State == "closed" {
		keep(issue, Unchanged)
		return nil
	}
	w.left -= 2
	closed, err := w.GitHub.EditIssue(ctx, repo.slug, issue.Number, Draft{State: "closed"})
	if err != nil {
		return fmt.Errorf("close issue #%d about %s: %w", issue.Number, t.Key(), err)
	}
	keep(closed, Closed)
	// Second, so that one who may not comment (a locked conversation) closes all the
	// same, and no one comments twice.
	if _, err := w.GitHub.CreateComment(ctx, repo.slug, issue.Number, t.Closing); err != nil {
		return fmt.Errorf("say why issue #%d about %s was closed: %w", issue.Number, t.Key(), err)
	}
	return nil
}

// sameText leaves out what GitHub changes in a text.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}
