package github_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestIssuesThatAreGone reads issues that were deleted, that have moved and that are
// none: each is not found, so that no one writes to them.
func TestIssuesThatAreGone(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	c := w.client()
	other := must(w.hub.AddRepo("acme", "other", hub.RepoOptions{Private: true}))(t)
	check(t, other.Grant("kim", hub.Write))
	open := func() issues.Issue {
		return must(c.CreateIssue(t.Context(), acme, issues.Draft{Title: "Differs", Body: "text", Labels: []string{"drift-detected"}}))(t)
	}
	kept, deleted, moved := open(), open(), open()
	check(t, w.customer.DeleteIssue(deleted.Number))
	must(w.customer.TransferIssue(moved.Number, other))(t)
	for name, number := range map[string]int{"deleted": deleted.Number, "moved": moved.Number, "pull request": w.pull, "unknown": 4000} {
		if got, err := c.Issue(t.Context(), acme, number); !absent(err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := c.Issue(t.Context(), acme, kept.Number); err != nil || got.Number != kept.Number || got.Body != "text" || got.Author != "kim" || got.State != "open" {
		t.Errorf("read %+v, %v", got, err)
	}
	list, err := c.Issues(t.Context(), acme, "drift-detected")
	if err != nil || len(list) != 1 || list[0].Number != kept.Number {
		t.Errorf("listed %+v, %v", list, err)
	}
	must(c.EditIssue(t.Context(), acme, kept.Number, issues.Draft{State: "closed"}))(t)
	if list, err := c.Issues(t.Context(), acme, "drift-detected"); err != nil || len(list) != 1 || list[0].State != "closed" {
		t.Errorf("closed ones: %+v, %v", list, err)
	}
}

// TestDisabledIssues are told with what to do.
func TestDisabledIssues(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	quiet := must(w.hub.AddRepo("acme", "quiet", hub.RepoOptions{Private: true, NoIssues: true}))(t)
	check(t, quiet.Grant("kim", hub.Write))
	slug := pipeline.Slug{Owner: "acme", Name: "quiet"}
	if list, err := w.client().Issues(t.Context(), slug, "drift-detected"); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	_, err := w.client().CreateIssue(t.Context(), slug, issues.Draft{Title: "Differs", Body: "text"})
	if !absent(err) || !strings.Contains(err.Error(), "issues are disabled in this repository") {
		t.Errorf("got %v", err)
	}
}

// TestIssueAnswersAreChecked reads answers about something else.
func TestIssueAnswersAreChecked(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"other number": `{"number":6,"repository_url":"https://api.github.com/repos/acme/shop"}`,
		"other repo":   `{"number":5,"repository_url":"https://api.github.com/repos/evil/acme/shop2"}`,
		"no repo":      `{"number":5}`,
		"nothing":      `{}`,
		"a list":       `[]`,
	} {
		s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/issues/5": answer(200, body)})
		if got, err := s.client(t).Issue(t.Context(), acme, 5); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
