package pipeline

import (
	"context"
	"errors"
	"time"
)

// runCanceller stops runs of the manager's workflow.
type runCanceller interface {
	// CancelRun asks GitHub to end a run; one that has ended is no error. With
	// force GitHub does not wait for its jobs, and skips those that always run.
	CancelRun(ctx context.Context, repo Slug, id int64, force bool) error
}

// supersede ends the older requests of the customer that wait for an approval and
// whose turn request has taken: a waiting job holds the concurrency group of its
// target for up to 30 days. What cannot be ended now is told and left to the
// sweep, since the new request is none the worse for it.
func (f *FetchVars) supersede(ctx context.Context, in FetchInput, request Request) {
	others, err := openBefore(ctx, f.Store, request)
	if err != nil {
		f.Logf("older requests were not looked for: %v", err)
		return
	}
	for _, entry := range others {
		if err := f.supersedeOne(ctx, in, entry); err != nil && !errors.Is(err, ErrNotFound) {
			f.Logf("request %s could not be ended, `metapipe sweep --fix` will: %v", entry.request.Short(), err)
		}
	}
}

func (f *FetchVars) supersedeOne(ctx context.Context, in FetchInput, entry openEntry) error {
	old, err := entry.load(ctx, f.records())
	if err != nil || old.Rejected() || old.ManagerRun.ID == in.Run.ID {
		return err
	}
	env, ended, err := endSuperseded(ctx, f.records(), old, f.Now())
	if err != nil || !ended {
		return err
	}
	f.Logf("request %s waited for the approval of %s, and a newer one has taken its place", old.ID.Short(), env)
	return f.endRun(ctx, in, old)
}

func (f *FetchVars) endRun(ctx context.Context, in FetchInput, old Request) error {
	var err error
	if f.Runs != nil && old.ManagerRun.ID != 0 {
		err = ownRuns{f.Runs, in.Run.owner(in.Manager)}.cancel(ctx, old.ManagerRun, false)
	}
	if f.Close != nil {
		err = errors.Join(err, f.Close(ctx, old))
	}
	return err
}

// endSuperseded voids the plan that old waits with, when the queue of its target
// has a newer request. The first target that is not done decides: those after it come only
// when it has succeeded. An apply that has begun is never touched, and neither is a
// plan that is being made, since it ends by itself.
func endSuperseded(ctx context.Context, s records, old Request, now time.Time) (Environment, bool, error) {
	for _, env := range old.Targets {
		if !old.Applies(env) {
			continue
		}
		st, err := readTargetStatus(ctx, s, old, env)
		if err != nil {
			return "", false, err
		}
		switch {
		case st.result.Reason == ReasonSuperseded: // somebody died between this and the end of the run
			return env, true, nil
		case st.result.Outcome.Succeeded():
			continue
		case st.result.Outcome != OutcomeWaiting:
			return "", false, nil
		}
		newer, err := superseding(ctx, s, old, env)
		if err != nil || newer == "" {
			return "", false, err
		}
		why := supersededError(old, env, newer)
		revoked, err := revokePlan(ctx, s, st, Result{Outcome: OutcomeSuperseded, Reason: why.Reason, Message: why.Message, Next: why.Next, Run: old.ManagerRun, At: now.UTC()})
		return env, revoked, err
	}
	return "", false, nil
}
