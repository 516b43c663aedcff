package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// planningActions are the actions of a pull request after which there is something new
// to plan. All others leave the commits as they are: their runs must not touch the
// status of a head that an earlier run has asked for.
var planningActions = []string{"opened", "reopened", "synchronize", "ready_for_review"}

// Idle says why the run of an event asks for nothing and writes no status; it is empty
// for events that may ask. Whether the change concerns the customer is another matter.
func (e Event) Idle() string {
	switch {
	case strings.HasPrefix(e.Ref, "refs/tags/"):
		return "A tag deploys nothing: only branches do."
	case e.Deleted:
		return "The branch was deleted; nothing to deploy."
	case e.Closed || e.Name == "pull_request" && e.Action == "closed":
		return "Nothing to do: the pull request is closed."
	case e.Name == "pull_request" && e.Action != "" && !slices.Contains(planningActions, e.Action) && !e.Retargeted:
		return fmt.Sprintf("Nothing to do: the pull request event %.40q brings no new commit.", e.Action)
	case e.Name == MergeGroup && e.Action != "" && e.Action != "checks_requested":
		return fmt.Sprintf("Nothing to do: the merge group event %.40q asks for no checks.", e.Action)
	case e.Fork:
		return "This pull request comes from a fork. GitHub gives such runs no secrets, so nothing was sent. A maintainer can push the commit to a branch of this repository to get a plan."
	}
	return ""
}

// CheckTrigger refuses events that never ask for anything. The error is a *UsageError.
func (e Event) CheckTrigger() error {
	switch e.Name {
	case "push", "pull_request", MergeGroup, "workflow_dispatch":
		return nil
	}
	return &UsageError{Message: fmt.Sprintf("a run of the event %.40q cannot ask for a deployment", e.Name), Next: "run trigger on push, pull_request, merge_group or workflow_dispatch"}
}

const (
	dependabotSent = "This run was started by Dependabot. GitHub gives such runs no secrets, so nothing was sent. "
	dependabotNext = "To get a plan, a maintainer runs this workflow by hand on the branch, or pushes a commit to it."
)

// dependabot answers a run of Dependabot, which has no secrets to send anything with:
// its own token may still write the status that a required check waits for.
func (t *Trigger) dependabot(ctx context.Context, in TriggerInput, r relevance) (TriggerResult, error) {
	s := Status{Context: in.request().StatusContext(""), State: StatusError, TargetURL: in.Run.URL,
		Description: "Not sent: runs of Dependabot have no secrets. Run this workflow by hand on the branch, or push to it, to get a plan."}
	result := TriggerResult{Skipped: dependabotSent + dependabotNext}
	if r == untouched {
		s.State, s.Description = StatusSuccess, in.nothingToDo()
		result = TriggerResult{Skipped: s.Description, Outcome: OutcomeNoChanges}
	}
	return t.answered(result, t.Own.SetStatus(ctx, in.Event.Repository.Slug, in.Event.Head, s))
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
	return TriggerResult{Skipped: dependabotSent + "GitHub also refused to let this run read the change or write its status; a required check stays pending. Give the job the permissions `contents: read`, `pull-requests: read` and `statuses: write`. " + dependabotNext}, nil
}

// mayNot reports whether GitHub refuses what a token asks for, and would each time.
func mayNot(err error) bool {
	var token interface{ IsForbidden() bool }
	_, refused := RefusalOf(err)
	return refused || NotVisible(err) || errors.As(err, &token) && token.IsForbidden()
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
