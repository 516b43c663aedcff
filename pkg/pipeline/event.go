package pipeline

import (
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
	return Usagef("a run of the event %.40q cannot ask for a deployment", e.Name).
		Nextf("run trigger on push, pull_request, merge_group or workflow_dispatch")
}

// MergeGroup is the event of a merge queue, which makes a branch for each group and
// deletes it when the queue is built anew.
const MergeGroup = "merge_group"
