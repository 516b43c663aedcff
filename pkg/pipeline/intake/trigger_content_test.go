package intake_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestTriggerSaysTheContentType: findings have a status of their own. They stop the
// request where they are enforced, and nowhere else.
func TestTriggerSaysTheContentType(t *testing.T) {
	t.Parallel()
	const overall, own = "infra/terraform-deploy", "infra/content-type"
	finding := pipeline.Problems{{Position: pipeline.Position{File: "infra/net.tf"}, Rule: "content-forbidden", Message: "not here", Warning: true}}
	enforced := pipeline.Problems{{Position: pipeline.Position{File: "infra/net.tf"}, Rule: "content-forbidden", Message: "not here"}}
	elsewhere := func(in *intake.TriggerInput, h *pipelinetest.Hub) { h.Paths = []string{"app/x"} }
	for name, c := range map[string]struct {
		answer         intake.ContentAnswer
		change         func(*intake.TriggerInput, *pipelinetest.Hub)
		state, overall pipeline.StatusState
		says           string
		rejected       bool
		sent           int
	}{
		"no rules": {sent: 1},
		"fits":     {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both"}}, state: "success", says: "The files fit the content type both", sent: 1},
		"warning": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both", Problems: finding, More: 2}}, state: "success",
			says: "Warning: infra/net.tf: not here (+2 more) · See the job summary", sent: 1},
		"enforced": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both", Problems: enforced, Enforce: true}}, state: "failure", overall: "failure",
			says: "infra/net.tf: not here · See the job summary", rejected: true},
		"enforced, elsewhere": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both", Problems: enforced, Enforce: true}}, change: elsewhere, state: "failure", overall: "success",
			says: "infra/net.tf", rejected: true},
		"not known": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Unknown: "cannot read x"}}, state: "success",
			says: "Warning: Not known: cannot read x · See the job summary", sent: 1},
		"not known, enforced": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Unknown: "cannot read x", Enforce: true}}, state: "error", overall: "failure",
			says: "Not known: cannot read x", rejected: true},
		"no infrastructure": {answer: intake.ContentAnswer{NoInfra: "property p is app"}, overall: "success"},
		"no infrastructure, enforced": {answer: intake.ContentAnswer{NoInfra: "property p is app", Checked: &pipeline.ContentResult{Type: "app", Problems: enforced, Enforce: true}}, state: "failure",
			overall: "success", says: "infra/net.tf", rejected: true},
		"fork": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both", Problems: finding}},
			change: func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Fork = true }},
		"dependabot": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both", Problems: finding}}, overall: "error", state: "success", says: "Warning: infra/net.tf",
			change: func(in *intake.TriggerInput, _ *pipelinetest.Hub) { in.Event.Dependabot = true }},
		"dependabot, a token that only reads": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both"}},
			change: func(in *intake.TriggerInput, h *pipelinetest.Hub) {
				in.Event.Dependabot, h.Refuse = true, func(string) error { return &pipeline.PermanentError{Cause: "may-not", Err: errors.New("HTTP 403")} }
			}},
		"closed": {answer: intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both"}},
			change: func(in *intake.TriggerInput, _ *pipelinetest.Hub) {
				in.Event.Name, in.Event.Closed = "pull_request", true
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			commit := w.Hub.Commit(pipelinetest.BothEnvironments)
			in := triggerInput(w, "push", commit)
			in.Wait, in.Pickup = 0, 1 // no one picks it up
			if c.change != nil {
				c.change(&in, w.Hub)
			}
			trigger := newTrigger(w)
			trigger.CheckContent = func(context.Context) (intake.ContentAnswer, error) { return c.answer, nil }
			got, err := trigger.Run(t.Context(), in)
			var rejected *pipeline.RejectedError
			if errors.As(err, &rejected) != c.rejected || c.rejected && (rejected.Reason != pipeline.ReasonContent || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v", err)
			}
			if len(w.Hub.Dispatched) != c.sent {
				t.Errorf("%d sent", len(w.Hub.Dispatched))
			}
			if s := w.Hub.Status(commit, own); s.State != c.state || !strings.Contains(s.Description, c.says) {
				t.Errorf("content: %+v", s)
			}
			if s := w.Hub.Status(commit, overall); c.sent == 0 && s.State != c.overall {
				t.Errorf("overall: %+v", s)
			}
			if name != "closed" && got.Content != c.answer.Checked {
				t.Errorf("result %+v", got)
			}
			if c.answer.NoInfra != "" && (got.Skipped != "Nothing to do: property p is app" || got.Outcome != pipeline.OutcomeNoChanges) {
				t.Errorf("result %+v", got)
			}
		})
	}
}

// TestContentOfOneOfMany: where a repository holds several customers, each has its status.
func TestContentOfOneOfMany(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	in := triggerInput(w, "push", commit)
	in.Customer, w.Hub.Paths = "shop", []string{"app/x"}
	trigger := newTrigger(w)
	trigger.CheckContent = func(context.Context) (intake.ContentAnswer, error) {
		return intake.ContentAnswer{Checked: &pipeline.ContentResult{Type: "both"}}, nil
	}
	if _, err := trigger.Run(t.Context(), in); err != nil || w.Hub.Status(commit, "infra/content-type/shop").State != "success" || w.Hub.Status(commit, "infra/content-type").State != "" {
		t.Errorf("%v, %+v", err, w.Hub.Status(commit, "infra/content-type/shop"))
	}
}
