package intake

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Unsent leaves a final status on the commit of a run that sends nothing because of
// err, and returns err: a required check must say why nothing comes, and what to do.
// Runs that need not send anything are left alone.
func (t *Trigger) Unsent(ctx context.Context, in TriggerInput, err error) error {
	if in.Event.Idle() != "" || in.Event.CheckTrigger() != nil || in.Event.Head.Zero() {
		return err
	}
	return t.unsent(ctx, in, in.ownID(in.Run.Attempt), err)
}

// unsent is Unsent for the request with that id. Where the request has arrived after
// all, the manager's own statuses replace this one.
func (t *Trigger) unsent(ctx context.Context, in TriggerInput, id pipeline.RequestID, err error) error {
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	t.close(last, in, id, in.request().StatusContext(pipeline.Target{}), whyUnsent(in.Receiver(), err))
	return err
}

// brief is an error with a form that fits into a commit status.
type brief interface {
	error
	Short() string // why, in a few words
}

// unsentRoom is the length of that description, in characters: an id follows.
const unsentRoom = 120

// whyUnsent is the description of a status; what to do stands last but for the id, and
// is never cut off.
func whyUnsent(receiver pipeline.Slug, err error) string {
	to := ""
	if receiver != (pipeline.Slug{}) {
		to = " to " + receiver.String()
	}
	why, next := "", "see the log of this job, then run it again"
	var short brief
	var usage *pipeline.UsageError
	switch {
	case errors.As(err, &short):
		why, next = short.Short(), "run this job again"
	case errors.As(err, &usage):
		why, next = usage.Message, "see the log of this job"
	}
	if why != "" {
		why += "; "
	}
	return pipeline.ClipBefore("Not sent"+to+": "+why, next, unsentRoom)
}
