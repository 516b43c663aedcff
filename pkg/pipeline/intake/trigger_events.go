package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	dependabotSent = "This run was started by Dependabot. GitHub gives such runs no secrets, so nothing was sent. "
	dependabotNext = "To get a plan, a maintainer runs this workflow by hand on the branch, or pushes a commit to it."
)

// dependabot answers a run of Dependabot, which has no secrets to send anything with:
// its own token may still write the status that a required check waits for.
func (t *Trigger) dependabot(ctx context.Context, in TriggerInput, r relevance) (TriggerResult, error) {
	s := pipeline.Status{Context: in.request().StatusContext(pipeline.Target{}), State: pipeline.StatusError, TargetURL: in.Run.URL,
		Description: "Not sent: runs of Dependabot have no secrets. Run this workflow by hand on the branch, or push to it, to get a plan."}
	result := TriggerResult{Skipped: dependabotSent + dependabotNext}
	if r == untouched {
		s.State, s.Description = pipeline.StatusSuccess, in.nothingToDo()
		result = TriggerResult{Skipped: s.Description, Outcome: pipeline.OutcomeNoChanges}
	}
	return t.answered(result, t.post(ctx, in, s))
}

// answered is the end of a run of Dependabot. A token that may not write is what
// GitHub gives such runs without more permissions: no failure, but the summary says so.
func (t *Trigger) answered(result TriggerResult, err error) (TriggerResult, error) {
	if err == nil {
		return result, nil
	}
	if !mayNot(err) {
		return TriggerResult{}, err
	}
	t.Logf("%v", err)
	return TriggerResult{Skipped: dependabotSent + "GitHub also refused to let this run read the change or write its status; a required check stays pending. Give the job " +
		"the permissions `contents: read`, `pull-requests: read` and `statuses: write`. " + dependabotNext}, nil
}

// mayNot reports whether GitHub refuses what a token asks for, and would each time.
func mayNot(err error) bool {
	var token interface{ IsForbidden() bool }
	_, refused := pipeline.RefusalOf(err)
	return refused || pipeline.NotVisible(err) || errors.As(err, &token) && token.IsForbidden()
}

// nothingToDo describes a change that does not concern the customer.
func (in TriggerInput) nothingToDo() string { return "Nothing to do: no change under " + in.Path + "/" }

// unreadable answers a run whose change could not be read.
func (t *Trigger) unreadable(ctx context.Context, in TriggerInput, err error) (TriggerResult, error) {
	if in.Event.Dependabot && mayNot(err) {
		return t.answered(TriggerResult{}, err)
	}
	return TriggerResult{}, t.Unsent(ctx, in, fmt.Errorf("find out what %s changes in %s: %w", in.Event.Head.Short(), in.Event.Repository.Slug, err))
}
