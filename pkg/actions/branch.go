package actions

import (
	"fmt"
	"io"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// OnDefaultBranch is nil when the run of c is of the default branch of its repository,
// by the full ref, so that a tag of the same name is another one. Where the event does
// not say which branch that is, the run counts as one of another branch; only a
// schedule, which GitHub runs on the default branch alone, needs no answer.
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
func OnDefaultBranch(c Context) error {
	branch, err := defaultBranch(c)
	switch {
	case err != nil:
		return err
	case branch == "" && c.EventName == "schedule":
		return nil
	case branch == "":
		return &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnverified,
			Message: fmt.Sprintf("the event %s of this run does not say what the default branch of %s is", pipeline.Quote(c.EventName), c.Repository),
			Next:    "start the workflow by schedule, repository_dispatch or workflow_dispatch",
		}
	case c.Ref != "refs/heads/"+branch:
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnverified, Message: fmt.Sprintf("this run is of %s, and metapipe in %s works on its default branch %s only", pipeline.Quote(c.Ref), c.Repository, branch),
			Next: "start the workflow on " + branch + "; on other branches `metapipe validate` and dry runs work"}
	}
	return nil
}

// defaultBranch is what the event says; empty when it says nothing.
func defaultBranch(c Context) (string, error) {
	if c.EventPath == "" {
		return "", nil
	}
	f, err := os.Open(c.EventPath)
	if err != nil {
		return "", pipeline.Usagef("read the event file").Because(err).
			Nextf("run this as a step of a workflow, or name the event file (GITHUB_EVENT_PATH)")
	}
	raw, err := io.ReadAll(io.LimitReader(f, MaxEvent))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("read the event file: %w", err)
	}
	var event struct {
		Repository struct {
			DefaultBranch string `json:"default_branch"`
		} `json:"repository"`
	}
	if err := pipeline.DecodeExact(raw, &event); err != nil {
		return "", badEvent(c.EventName, err)
	}
	return event.Repository.DefaultBranch, nil
}
