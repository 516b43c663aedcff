package intake

import (
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// planDeadline bounds the wait for one plan: the limit of its job, and as much
// again for the queue before it.
const planDeadline = 2 * time.Hour

// applyDeadline bounds the wait for one apply once its job has begun: a job on a
// runner of GitHub ends after six hours
// (https://docs.github.com/en/actions/reference/limits). The wait for people, and
// for a job to begin, ends with the whole wait alone.
const applyDeadline = 6 * time.Hour

// The stages that a customer's job can see from its own repository. The manager
// writes nothing before the origin of a request is proved, so that it was picked
// up and that it was verified are one.
const (
	stagePickedUp = "picked-up" // the manager has verified the request
	stagePlanned  = "planned"   // a target has its plan
	stageApproved = "approved"  // people approve the plan, where they have to
	stageApplied  = "applied"   // the plan is applied
	stageEnd      = "end"
)

// stage is what a request that has been picked up waits for.
type stage struct {
	name      string
	target    string // its name
	startedAt bool   // the job of the apply
}

// stageOf reads the stage from the statuses of the request's targets: one
// that is pending and names a receipt has a plan.
func stageOf(statuses []pipeline.Status, overall string, id pipeline.RequestID) stage {
	now := stage{name: stageEnd}
	for _, s := range statuses {
		name, ok := strings.CutPrefix(s.Context, overall+"/")
		if !ok || s.State != pipeline.StatusPending || !strings.HasSuffix(s.Description, pipeline.RequestTag(id)) {
			continue
		}
		// The plans of later targets come after the apply of this one.
		switch _, mark := pipeline.ReceiptOf(s.TargetURL); {
		case mark == pipeline.ApprovalMark:
			return stage{name: stageApproved, target: name}
		case mark != "":
			return stage{name: stageApplied, target: name, startedAt: mark == pipeline.ApplyingMark}
		case now.name == stageEnd || name < now.target:
			now = stage{name: stagePlanned, target: name}
		}
	}
	return now
}

func (s stage) String() string {
	switch {
	case s.name == stagePlanned:
		return fmt.Sprintf("waiting for the plan of %s", s.target)
	case s.name == stageApproved:
		return fmt.Sprintf("the plan of %s is made: waiting for its approval", s.target)
	case s.startedAt:
		return fmt.Sprintf("the plan of %s is being applied", s.target)
	case s.name == stageApplied:
		return fmt.Sprintf("the plan of %s is made: waiting for its apply to begin", s.target)
	}
	return "waiting for the end"
}

// stageWatch reports each stage once and knows since when it lasts.
type stageWatch struct {
	at    stage
	since time.Time
}

// see notes the present stage and reports whether it is a new one.
func (w *stageWatch) see(s stage, now time.Time) bool {
	if s == w.at {
		return false
	}
	w.at, w.since = s, now
	return true
}

// late is the error about a stage that takes too long; nil when it does not.
func (w *stageWatch) late(in TriggerInput, id pipeline.RequestID, waited time.Duration, now time.Time) error {
	long := now.Sub(w.since)
	switch {
	case waited >= in.Wait:
		next := "run this job again to wait longer for the same request"
		if w.at.name == stageApproved {
			next = "ask a reviewer of " + in.Manager.String() + " to approve the manager's run; " + next
		}
		return &pipeline.WaitingError{Stage: w.at.name, Message: fmt.Sprintf("request %s has not ended after %s: %s since %s", id.Short(), in.Wait, w.at, w.since.UTC().Format(time.RFC3339)), Next: next}
	case w.at.name == stagePlanned && long >= planDeadline:
		return &pipeline.WaitingError{Stage: w.at.name, Message: fmt.Sprintf("request %s has no plan for %s after %s", id.Short(), w.at.target, planDeadline),
			Next: "see whether the manager's run still goes on; run this job again to wait longer for the same request"}
	case w.at.startedAt && long >= applyDeadline:
		return &pipeline.WaitingError{Stage: w.at.name, Message: fmt.Sprintf("request %s is still being applied to %s after %s", id.Short(), w.at.target, applyDeadline),
			Next: "see whether the manager's run still goes on; run this job again to wait longer for the same request"}
	}
	return nil
}
