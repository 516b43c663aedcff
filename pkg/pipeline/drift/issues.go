package drift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Issuer keeps at most one issue for each target in the customers'
// repositories. It is run by one process at a time, after a scan.
//
// What nothing has changed about is not even read: the store knows the number of
// the issue and what was written to it. What people did with it counts when
// something is to be written: a label snoozes it, and one that they have closed is
// opened again when what differs has changed.
type Issuer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	GitHub issueTracker
	// Body is the text for what differs, Closing the comment that ends it; equal
	// results give equal texts.
	Body    func(r Result) string
	Closing func(r Result) string
	Now     func() time.Time
}

type issueTracker interface {
	Login(ctx context.Context) (string, error)
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	// Issue reads an issue of this very repository; a *GoneError for one that was
	// deleted or has moved to another one, a *NotVisibleError for one that is not shown.
	Issue(ctx context.Context, repo pipeline.Slug, number int) (Issue, error)
	// Issues lists the open and closed issues with a label, without pull requests.
	Issues(ctx context.Context, repo pipeline.Slug, label string) ([]Issue, error)
	CreateIssue(ctx context.Context, repo pipeline.Slug, draft IssueDraft) (Issue, error)
	// EditIssue changes what is not empty in edit.
	EditIssue(ctx context.Context, repo pipeline.Slug, number int, edit IssueDraft) (Issue, error)
	CreateComment(ctx context.Context, repo pipeline.Slug, number int, body string) (pipeline.Comment, error)
}

// Issue is one issue of a repository.
type Issue struct {
	Number int
	Author string // login
	State  string // open or closed
	Body   string
	Labels []string
	URL    string
}

// IssueDraft is what is written to an issue.
type IssueDraft struct {
	Title, Body string
	State       string // open or closed
	Labels      []string
}

// TargetIssue is what became of the issue of one target.
type TargetIssue struct {
	Customer    pipeline.CustomerName `json:"customer"`
	Environment pipeline.Environment  `json:"environment"`
	Number      int                   `json:"number,omitempty"` // 0: there is none
	URL         string                `json:"url,omitempty"`
	Action      IssueAction           `json:"action"`
	Reason      string                `json:"reason,omitempty"` // snoozed, waiting or failed
}

// IssueAction is what was done with an issue.
type IssueAction string

// The deeds.
const (
	IssueOpened    IssueAction = "opened"
	IssueEdited    IssueAction = "edited"
	IssueReopened  IssueAction = "reopened"
	IssueClosed    IssueAction = "closed"
	IssueUnchanged IssueAction = "unchanged" // it says what there is to say
	IssueSnoozed   IssueAction = "snoozed"
	IssueWaiting   IssueAction = "waiting" // for the next scan
	IssueFailed    IssueAction = "failed"
)

// driftLabel marks the issues of a scan; the others are for people.
const driftLabel = "drift-detected"

// snoozeLabel begins a label that ends with the last day of silence.
const snoozeLabel = "drift-snooze-"

// SnoozeLabel is the label that keeps an issue as it is until the end of a day.
func SnoozeLabel(day time.Time) string { return snoozeLabel + day.UTC().Format(time.DateOnly) }

func issueLabels(env pipeline.Environment) []string {
	return []string{"infrastructure", driftLabel, string(env)}
}

// snoozedUntil is the time until which labels ask for silence; zero for none. A
// label with another date than YYYY-MM-DD asks for nothing.
func snoozedUntil(labels []string) time.Time {
	var until time.Time
	for _, label := range labels {
		rest, ok := strings.CutPrefix(strings.ToLower(label), snoozeLabel)
		if !ok {
			continue
		}
		if day, err := time.Parse(time.DateOnly, rest); err == nil && day.AddDate(0, 0, 1).After(until) {
			until = day.AddDate(0, 0, 1)
		}
	}
	return until
}

// Run brings the issues in line with a scan, in at most budget writes; the rest is
// left to the next scan, and so is what an error or a missing result says nothing
// about. What a later scan has looked at is left to that one. The error is that of
// the store alone: what GitHub refuses is reported target by target.
func (d *Issuer) Run(ctx context.Context, scan Scan, customers []pipeline.Customer, budget int) ([]TargetIssue, error) {
	book, err := loadIssues(ctx, d.records(), d.Now())
	if err != nil {
		return nil, err
	}
	history, err := lastHistory(ctx, d.records(), "", d.Now())
	if err != nil {
		return nil, err
	}
	w := &issueWork{Issuer: d, scan: scan, book: book, history: history, left: budget, repos: map[string]*issueRepo{}}
	todo, reported := w.sort(customers)
	todo = append(w.gone(customers), todo...)
	if len(todo) > 0 {
		// What may be made is noted before: who is killed after that finds it again.
		if err := w.intend(ctx, todo); err != nil {
			return nil, err
		}
	}
	for _, t := range todo {
		reported = append(reported, w.one(ctx, t))
	}
	if len(todo) > 0 {
		// A cancelled run keeps what it has done as well.
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := keepIssues(keep, d.records(), w.book, scan.ID, d.Now()); err != nil {
			return reported, err
		}
	}
	slices.SortFunc(reported, func(a, b TargetIssue) int {
		return cmp.Or(strings.Compare(string(a.Customer), string(b.Customer)), strings.Compare(string(a.Environment), string(b.Environment)))
	})
	return reported, ctx.Err()
}

func (d *Issuer) records() record.Records {
	return record.Records{Store: d.Store, Sealer: d.Sealer}
}

// issueWork is one run.
type issueWork struct {
	*Issuer
	scan Scan
	book issueBook
	// history shows which results are old news, when a summary is run again.
	history fleetHistory
	left    int // writes
	stop    string
	repos   map[string]*issueRepo // by customer and id of the repository
}

// issueTarget is one target whose issue is to be looked at.
type issueTarget struct {
	customer pipeline.Customer
	result   Result // with the kinds that are for the customer
	name     string
	body     string // empty: the issue is to be closed
	hash     string
	gone     bool // not in the registry any more
}

// sort picks the targets whose issue may have to be written, those that failed the
// last time at the end, so that they keep nobody from the budget; in other respects
// what is over comes first, and then what is known longest.
func (w *issueWork) sort(customers []pipeline.Customer) (todo []issueTarget, reported []TargetIssue) {
	byName := map[pipeline.CustomerName]pipeline.Customer{}
	for _, c := range customers {
		byName[c.Name] = c
	}
	for _, r := range w.scan.Results {
		c, ok := byName[r.Customer]
		if !ok || r.Failure != nil || r.Skipped != "" && !r.Ended || w.history.Targets[pipeline.TargetName(r.Customer, r.Environment)].CheckedAt.After(r.CheckedAt) {
			continue
		}
		t := issueTarget{customer: c, result: r, name: pipeline.TargetName(r.Customer, r.Environment)}
		t.result.Kinds = slices.DeleteFunc(slices.Clone(r.Kinds), func(k pipeline.DriftKind) bool { return c.Manager.Drift.Action(k) != pipeline.DriftIssue })
		stored, known := w.book.of(t)
		if len(t.result.Kinds) > 0 {
			t.body = pipeline.Marker(w.scan.Manager, c.Name, "drift:"+string(r.Environment)) + "\n" + w.Body(t.result)
			t.hash = issueHash(t.body)
		}
		switch {
		case t.body == "" && (!known || !stored.Open):
		case t.body != "" && known && stored.Hash == t.hash:
			reported = append(reported, TargetIssue{Customer: c.Name, Environment: r.Environment, Number: stored.Number, URL: stored.URL, Action: IssueUnchanged})
		default:
			todo = append(todo, t)
		}
	}
	slices.SortStableFunc(todo, func(a, b issueTarget) int {
		return cmp.Or(order(w.book.Targets[a.name].Failed, w.book.Targets[b.name].Failed), order(a.body != "", b.body != ""),
			a.result.FirstSeen.Compare(b.result.FirstSeen))
	})
	return todo, reported
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// one brings one issue in line and says what it did.
func (w *issueWork) one(ctx context.Context, t issueTarget) TargetIssue {
	reported := TargetIssue{Customer: t.customer.Name, Environment: t.result.Environment}
	stored, _ := w.book.of(t)
	reported.Number, reported.URL = stored.Number, stored.URL
	switch {
	case w.stop == "" && ctx.Err() != nil:
		w.stop = "the run was stopped"
	case w.stop == "" && w.left < t.cost():
		w.stop = "the writes of this scan are spent"
	}
	if w.stop != "" {
		reported.Action, reported.Reason = IssueWaiting, w.stop
		return reported
	}
	err := w.write(ctx, t, &stored, &reported)
	stored.Failed = err != nil
	if err != nil {
		reported.Action, reported.Reason = IssueFailed, err.Error()
		var github interface{ Cause() string }
		if errors.As(err, &github) && github.Cause() == "rate-limit" {
			w.stop, reported.Action = "GitHub's rate limit is reached", IssueWaiting
			stored.Failed = false
		}
	}
	w.book.Targets[t.name] = stored
	if t.gone && reported.Action != IssueWaiting {
		w.forget(ctx, t, err)
	}
	return reported
}

// cost is the most writes that a target may need.
func (t issueTarget) cost() int {
	if t.body == "" {
		return 2 // a comment, and the end
	}
	return 1
}

// write does what one target needs and puts down how its issue stands.
func (w *issueWork) write(ctx context.Context, t issueTarget, stored *issueRecord, reported *TargetIssue) error {
	repo := w.repo(ctx, t.customer)
	if repo.err != nil {
		return repo.err
	}
	stored.Repository, stored.Slug = t.customer.RepositoryID, repo.slug
	issue, found, err := w.find(ctx, repo, t, stored.Number)
	if err != nil {
		return err
	}
	keep := func(i Issue, did IssueAction) {
		stored.Number, stored.URL, stored.Open, stored.Hash = i.Number, i.URL, t.body != "", t.hash
		reported.Number, reported.URL, reported.Action = i.Number, i.URL, did
	}
	switch {
	case !found && t.body == "":
		keep(Issue{}, IssueUnchanged)
		return nil
	case !found:
		w.left--
		issue, err = w.GitHub.CreateIssue(ctx, repo.slug, IssueDraft{Title: issueTitle(t), Body: t.body, Labels: issueLabels(t.result.Environment)})
		if err != nil {
			return fmt.Errorf("open an issue about %s: %w", t.name, err)
		}
		keep(issue, IssueOpened)
		return nil
	case t.body == "":
		return w.closeIssue(ctx, repo, t, issue, keep)
	}
	if until := snoozedUntil(issue.Labels); w.Now().Before(until) {
		// What was written last stays on record, so that each scan looks again.
		stored.Number, stored.URL, stored.Open = issue.Number, issue.URL, stored.Open || issue.State == "open"
		reported.Number, reported.URL, reported.Action = issue.Number, issue.URL, IssueSnoozed
		reported.Reason = "until " + until.AddDate(0, 0, -1).Format(time.DateOnly)
		return nil
	}
	edit, did := change(t, issue, *stored)
	if did == IssueUnchanged {
		keep(issue, did)
		return nil
	}
	w.left--
	edited, err := w.GitHub.EditIssue(ctx, repo.slug, issue.Number, edit)
	if err != nil {
		return fmt.Errorf("bring issue #%d about %s up to date: %w", issue.Number, t.name, err)
	}
	keep(edited, did)
	return nil
}

// change is the difference between an issue and what it should be. The title and
// further labels are people's.
func change(t issueTarget, issue Issue, stored issueRecord) (IssueDraft, IssueAction) {
	var edit IssueDraft
	if sameText(issue.Body, t.body) {
		// Only the end that we ourselves have put to it is ours to take back.
		if endedByUs := stored.Number == issue.Number && !stored.Open; issue.State != "closed" || !endedByUs {
			return edit, IssueUnchanged
		}
	} else {
		edit.Body = t.body
	}
	for _, label := range issueLabels(t.result.Environment) {
		if !slices.ContainsFunc(issue.Labels, func(have string) bool { return strings.EqualFold(have, label) }) {
			edit.Labels = append(edit.Labels, label)
		}
	}
	if edit.Labels != nil {
		edit.Labels = append(slices.Clone(issue.Labels), edit.Labels...)
	}
	if issue.State == "closed" {
		edit.State = "open"
		return edit, IssueReopened
	}
	return edit, IssueEdited
}

// closeIssue closes the issue of a target where nothing differs any more.
func (w *issueWork) closeIssue(ctx context.Context, repo *issueRepo, t issueTarget, issue Issue, keep func(Issue, IssueAction)) error {
	if issue.State == "closed" {
		keep(issue, IssueUnchanged)
		return nil
	}
	w.left -= 2
	closed, err := w.GitHub.EditIssue(ctx, repo.slug, issue.Number, IssueDraft{State: "closed"})
	if err != nil {
		return fmt.Errorf("close issue #%d about %s: %w", issue.Number, t.name, err)
	}
	keep(closed, IssueClosed)
	// Second, so that one who may not comment (a locked conversation) closes all the
	// same, and nobody comments twice.
	if _, err := w.GitHub.CreateComment(ctx, repo.slug, issue.Number, w.Closing(t.result)); err != nil {
		return fmt.Errorf("say why issue #%d about %s was closed: %w", issue.Number, t.name, err)
	}
	return nil
}

func issueTitle(t issueTarget) string {
	return fmt.Sprintf("Infrastructure differs from what was applied: %s/%s", t.customer.Name, t.result.Environment)
}

// sameText leaves out what GitHub changes in a text.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}
