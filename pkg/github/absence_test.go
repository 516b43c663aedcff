package github_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestAbsenceIsProved tells what is gone from what a token may not see.
func TestAbsenceIsProved(t *testing.T) {
	t.Parallel()
	asks := map[string]func(t *testing.T, c *github.Client) error{
		"a file": func(t *testing.T, c *github.Client) error {
			_, err := c.File(t.Context(), acme, "main", "infra/none.yml")
			return err
		},
		"a branch": func(t *testing.T, c *github.Client) error {
			_, err := c.BranchHead(t.Context(), acme, "none")
			return err
		},
		"the statuses of a commit": func(t *testing.T, c *github.Client) error {
			_, err := c.StatusHistory(t.Context(), acme, pipeline.SHA(strings.Repeat("a", 40)))
			return err
		},
	}
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			if err := ask(t, w.client()); !pipeline.Gone(err) || pipeline.NotVisible(err) || strings.Contains(err.Error(), "the token") {
				t.Errorf("what does not exist: %v", err)
			}
			w.hub.Fail(hubtest.Matcher{Request: func(r *http.Request) bool { return r.URL.Path != "/repos/acme/shop" }}, hubtest.Fault{Status: 404, Message: "Not Found"}, 100)
			err := ask(t, w.client())
			if !pipeline.NotVisible(err) || pipeline.Gone(err) || !strings.Contains(err.Error(), "cannot see it") {
				t.Errorf("what the token may not read: %v", err)
			}
			if errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("GitHub's absence is the store's: %v", err)
			}
		})
	}
}

// TestListsRuns needs a right of its own.
func TestListsRuns(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	for granted, fine := range map[string]bool{"actions": true, "contents": false} {
		token := must(w.hub.AddToken(hub.Token{Name: granted, Kind: hub.Actions, Repositories: []string{"acme/shop"}, Permissions: map[string]string{granted: "read"}}))(t)
		c := w.client(func(o *github.Options) { o.Token = token.Secret })
		if err := c.ListsRuns(t.Context(), acme); (err == nil) != fine {
			t.Errorf("with %s: %v", granted, err)
		}
	}
}

// TestRefusedForEver names why GitHub takes no write, and no lack of rights.
func TestRefusedForEver(t *testing.T) {
	t.Parallel()
	bot := func(t *testing.T, w *fixture) *github.Client {
		token := must(w.hub.AddToken(hub.Token{Name: "bot", Kind: hub.App, User: "kim", Repositories: []string{"acme/shop"},
			Permissions: map[string]string{"issues": "write", "pull_requests": "write", "statuses": "write", "deployments": "write"}}))(t)
		return w.client(func(o *github.Options) { o.Token = token.Secret })
	}
	status := func(t *testing.T, c *github.Client, w *fixture) error {
		return c.SetStatus(t.Context(), acme, w.head, pipeline.Status{Context: "infra", State: pipeline.StatusPending, Description: "Planning"}, nil)
	}
	comment := func(t *testing.T, c *github.Client, w *fixture) error {
		_, err := c.CreateComment(t.Context(), acme, w.pull, "hello")
		return err
	}
	output := func(status int, message string) func(w *fixture) {
		return func(w *fixture) {
			w.hub.Fail(hubtest.Matcher{Method: "POST"}, hubtest.Fault{Status: status, Message: message}, 100)
		}
	}
	for name, c := range map[string]struct {
		happens func(w *fixture)
		do      func(t *testing.T, c *github.Client, w *fixture) error
		cause   pipeline.RefusalCause // empty: it may pass
	}{
		"a status in an archive":  {func(w *fixture) { w.customer.Archive(true) }, status, pipeline.CauseArchived},
		"a comment in an archive": {func(w *fixture) { w.customer.Archive(true) }, comment, pipeline.CauseArchived},
		"a locked conversation":   {func(w *fixture) { check(w.t, w.customer.LockConversation(w.pull, true)) }, comment, pipeline.CauseLocked},
		"a full conversation":     {output(403, "Commenting is disabled on issues with more than 2500 comments"), comment, pipeline.CauseFull},
		"a blocked repository":    {output(451, "Repository access blocked"), status, pipeline.CauseBlocked},
		"the limit of statuses":   {output(422, "Validation Failed: This SHA and context has reached the maximum number of statuses."), status, pipeline.CauseStatusLimit},
		"a large payload":         {output(413, "Payload too large"), status, pipeline.CauseTooLarge},
		"a long payload":          {output(422, "Validation Failed; payload is too long (maximum is 65536 characters)"), status, pipeline.CauseTooLarge},
		"no right":                {output(403, "Resource not accessible by integration"), status, ""},
		"another 422":             {output(422, "Validation Failed"), status, ""},
		"a limit":                 {output(429, "Too many requests"), status, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			client := bot(t, w)
			c.happens(w)
			err := c.do(t, client, w)
			var refused *pipeline.PermanentError
			switch errors.As(err, &refused); {
			case err == nil:
				t.Error("it was taken")
			case c.cause == "" && refused != nil:
				t.Errorf("it may pass, and counts as refused for ever: %v", err)
			case c.cause != "" && (refused == nil || refused.Cause != c.cause || strings.Contains(err.Error(), "permission")):
				t.Errorf("want %s: %v", c.cause, err)
			}
		})
	}
}
