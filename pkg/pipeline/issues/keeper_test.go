package issues_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// tracker keeps the issues of one repository.
type tracker struct {
	issues   []issues.Issue
	comments []string
	writes   int
}

var shop = pipeline.Repository{Slug: pipeline.Slug{Owner: "acme", Name: "shop"}, ID: 7}

func (*tracker) Login(context.Context) (string, error) { return "metapipe[bot]", nil }

func (*tracker) Repository(context.Context, pipeline.Slug) (pipeline.Repository, error) {
	return shop, nil
}

func (t *tracker) Issue(_ context.Context, _ pipeline.Slug, number int) (issues.Issue, error) {
	return t.issues[number-1], nil
}

func (t *tracker) Issues(_ context.Context, _ pipeline.Slug, label string) ([]issues.Issue, error) {
	return slices.DeleteFunc(slices.Clone(t.issues), func(i issues.Issue) bool { return !slices.Contains(i.Labels, label) }), nil
}

func (t *tracker) CreateIssue(_ context.Context, _ pipeline.Slug, d issues.Draft) (issues.Issue, error) {
	t.writes++
	t.issues = append(t.issues, issues.Issue{Number: len(t.issues) + 1, Author: "metapipe[bot]", State: "open", Body: d.Body, Labels: d.Labels})
	return t.issues[len(t.issues)-1], nil
}

func (t *tracker) EditIssue(_ context.Context, _ pipeline.Slug, number int, edit issues.Draft) (issues.Issue, error) {
	t.writes++
	i := &t.issues[number-1]
	if edit.Body != "" {
		i.Body = edit.Body
	}
	if edit.State != "" {
		i.State = edit.State
	}
	if edit.Labels != nil {
		i.Labels = edit.Labels
	}
	return *i, nil
}

func (t *tracker) CreateComment(_ context.Context, _ pipeline.Slug, _ int, body string) (pipeline.Comment, error) {
	t.writes++
	t.comments = append(t.comments, body)
	return pipeline.Comment{}, nil
}

// keepers returns two kinds of issues over one store and one repository.
func keepers(t *testing.T, github issues.Tracker, now *time.Time) (labels, costs issues.Keeper) {
	t.Helper()
	directory, err := store.NewDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	keeper := issues.Keeper{Kind: issues.Kind{Name: "labels", Label: "labels-missing", Snooze: "labels-snooze-", Book: "_metapipe/labels/issues/"},
		Manager: pipeline.Slug{Owner: "provider", Name: "infra"}, Records: record.Records{Store: directory, Sealer: sealer}, GitHub: github,
		Now: func() time.Time { *now = now.Add(time.Second); return *now }}
	other := keeper
	other.Kind = issues.Kind{Name: "costs", Label: "costs-high", Snooze: "costs-snooze-", Book: "_metapipe/costs/issues/"}
	return keeper, other
}

// run brings one finding in line and returns what was done.
func run(t *testing.T, k issues.Keeper, f issues.Finding, budget int) issues.Action {
	t.Helper()
	f.Customer = pipeline.Customer{Name: "shop", Repository: shop.Slug, RepositoryID: shop.ID}
	f.Name, f.Labels = "staging", []string{k.Kind.Label}
	book, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := k.Run(t.Context(), "run", book, []issues.Finding{f}, budget)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) == 0 {
		return ""
	}
	return outcomes[0].Action
}

// TestKindsDoNotMeet: two kinds keep an issue for the same key, and none of them reads,
// snoozes or closes that of the other.
func TestKindsDoNotMeet(t *testing.T) {
	t.Parallel()
	github, now := &tracker{}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	labels, costs := keepers(t, github, &now)
	finding := issues.Finding{Title: "Something is missing", Body: "the label `team`"}
	clean := issues.Finding{Closing: "All is there again."}
	for i, step := range []struct {
		keeper  issues.Keeper
		finding issues.Finding
		budget  int
		want    issues.Action
	}{
		{costs, clean, 9, ""},
		{labels, finding, 0, issues.Waiting},
		{labels, finding, 1, issues.Opened},
		{labels, finding, 9, issues.Unchanged},
		{costs, clean, 9, ""},
		{costs, finding, 9, issues.Opened},
		{labels, clean, 1, issues.Waiting}, // the end and a comment are two writes
		{labels, clean, 2, issues.Closed},
		{costs, finding, 9, issues.Unchanged},
		{labels, finding, 9, issues.Reopened},
	} {
		if got := run(t, step.keeper, step.finding, step.budget); got != step.want {
			t.Fatalf("step %d of %s: %q, want %q", i+1, step.keeper.Kind.Name, got, step.want)
		}
	}
	if len(github.issues) != 2 || len(github.comments) != 1 || github.writes != 5 {
		t.Errorf("%d issues, %d comments, %d writes", len(github.issues), len(github.comments), github.writes)
	}
}

// TestSnoozedByItsOwnKind: only a label of the own kind asks for silence.
func TestSnoozedByItsOwnKind(t *testing.T) {
	t.Parallel()
	github, now := &tracker{}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	labels, costs := keepers(t, github, &now)
	finding := issues.Finding{Title: "Something is missing", Body: "one"}
	run(t, labels, finding, 9)
	for n, step := range []struct {
		label string
		want  issues.Action
	}{
		{costs.Kind.SnoozeLabel(now), issues.Edited}, {labels.Kind.SnoozeLabel(now.AddDate(0, 0, -1)), issues.Edited},
		{"labels-snooze-soon", issues.Edited}, {strings.ToUpper(labels.Kind.SnoozeLabel(now)), issues.Snoozed},
	} {
		github.issues[0].Labels = []string{labels.Kind.Label, step.label}
		finding.Body += "."
		if got := run(t, labels, finding, 9); got != step.want {
			t.Errorf("step %d with the label %s: %q, want %q", n+1, step.label, got, step.want)
		}
	}
}

// TestKnownIsNoGuess: who only looks at the issues is told that the key of the book is not at
// hand; who keeps them goes on without the book.
func TestKnownIsNoGuess(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	labels, _ := keepers(t, &tracker{}, &now)
	if book, err := labels.Known(t.Context()); err != nil || len(book.Targets) != 0 {
		t.Errorf("before the first run: %+v %v", book, err)
	}
	if did := run(t, labels, issues.Finding{Title: "Something is missing", Body: "the label `team`"}, 9); did != issues.Opened {
		t.Fatalf("%s", did)
	}
	if book, err := labels.Known(t.Context()); err != nil || !book.Targets["shop/staging"].Open {
		t.Errorf("%+v %v", book, err)
	}
	var err error
	if labels.Records.Sealer, err = store.NewSealer(store.NewKey()); err != nil {
		t.Fatal(err)
	}
	if _, err := labels.Known(t.Context()); !errors.Is(err, pipeline.ErrUnknownKey) {
		t.Errorf("under another key: %v", err)
	}
	if book, err := labels.Load(t.Context()); err != nil || len(book.Targets) != 0 {
		t.Errorf("%+v %v", book, err)
	}
}
