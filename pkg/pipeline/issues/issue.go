package issues

import (
	"context"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Tracker reads and writes the issues of GitHub.
type Tracker interface {
	Login(ctx context.Context) (string, error)
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	// Issue reads an issue of this very repository; a *GoneError for one that was
	// deleted or has moved to another one, a *NotVisibleError for one that is not shown.
	Issue(ctx context.Context, repo pipeline.Slug, number int) (Issue, error)
	// Issues lists the open and closed issues with a label, without pull requests.
	Issues(ctx context.Context, repo pipeline.Slug, label string) ([]Issue, error)
	CreateIssue(ctx context.Context, repo pipeline.Slug, draft Draft) (Issue, error)
	// EditIssue changes what is not empty in edit.
	EditIssue(ctx context.Context, repo pipeline.Slug, number int, edit Draft) (Issue, error)
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

// Draft is what is written to an issue.
type Draft struct {
	Title, Body string
	State       string // open or closed
	Labels      []string
}

// Finding is one key, and what its issue should say.
type Finding struct {
	// Customer owns the repository that the issue is in; its name and Name are the key.
	Customer pipeline.Customer
	Name     string // within the customer, such as an environment
	Title    string
	Body     string // without a marker; empty: there is nothing to report, the issue is closed
	Closing  string // the comment on an issue that is closed
	Labels   []string
	// Since is when the finding was first made; older ones are written first.
	Since time.Time
	// Ended: the key will not come again. What cannot be closed is tried for a while,
	// and then forgotten.
	Ended bool
}

// Key names the finding among all of its kind: "<customer>/<name>".
func (f Finding) Key() string { return string(f.Customer.Name) + "/" + f.Name }

// Outcome is what became of the issue of one key.
type Outcome struct {
	Customer pipeline.CustomerName
	Name     string // that of the finding
	Number   int    // 0: there is none
	URL      string
	Action   Action
	Reason   string // snoozed, waiting or failed
}

// Action is what was done with an issue.
type Action string

// The actions.
const (
	Opened    Action = "opened"
	Edited    Action = "edited"
	Reopened  Action = "reopened"
	Closed    Action = "closed"
	Unchanged Action = "unchanged" // it says what there is to say
	Snoozed   Action = "snoozed"
	Waiting   Action = "waiting" // for the next run
	Failed    Action = "failed"
)

// Kind is what all issues of one kind have in common.
type Kind struct {
	// Name distinguishes the kinds in the markers of issues: lower-case letters.
	Name string
	// Label finds the issues of the kind. Each issue carries it.
	Label string
	// Snooze begins a label that ends with the last day of silence, such as
	// "<kind>-snooze-".
	Snooze string
	// Book is the prefix in the store below which the numbers of issues lie; it ends
	// with a slash.
	Book string
}

// SnoozeLabel is the label that keeps an issue as it is until the end of a day.
func (k Kind) SnoozeLabel(day time.Time) string { return k.Snooze + day.UTC().Format(time.DateOnly) }

// snoozedUntil is the time until which labels ask for silence; zero for none. A
// label with another date than YYYY-MM-DD asks for nothing.
func (k Kind) snoozedUntil(labels []string) time.Time {
	var until time.Time
	for _, label := range labels {
		rest, ok := strings.CutPrefix(strings.ToLower(label), k.Snooze)
		if !ok {
			continue
		}
		if day, err := time.Parse(time.DateOnly, rest); err == nil && day.AddDate(0, 0, 1).After(until) {
			until = day.AddDate(0, 0, 1)
		}
	}
	return until
}
