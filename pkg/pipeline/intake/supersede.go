package intake

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// supersede ends the older requests of the customer that wait for an approval and
// whose turn request has taken: a waiting job holds the concurrency group of its
// target for up to 30 days. What cannot be ended now is reported and left to the
// sweep, since the new request is none the worse for it.
func (f *FetchVars) supersede(ctx context.Context, in FetchInput, request pipeline.Request) {
	others, err := record.OpenBefore(ctx, f.Store, request)
	if err != nil {
		f.Logf("older requests were not looked for: %v", err)
		return
	}
	for _, entry := range others {
		if err := f.supersedeOne(ctx, in, entry); err != nil && !errors.Is(err, pipeline.ErrNotFound) {
			f.Logf("request %s could not be ended, `metapipe sweep --fix` will: %v", entry.Request.Short(), err)
		}
	}
}

func (f *FetchVars) supersedeOne(ctx context.Context, in FetchInput, entry record.OpenEntry) error {
	old, err := entry.Load(ctx, f.records())
	if err != nil || old.Rejected() || old.ManagerRun.ID == in.Run.ID {
		return err
	}
	target, ended, err := endSuperseded(ctx, ledger.Ledger{Records: f.records(), Now: f.Now}, old)
	if err != nil || !ended {
		return err
	}
	f.Logf("request %s waited for the approval of %s, and a newer one has taken its place", old.ID.Short(), target)
	return f.endRun(ctx, in, old)
}

func (f *FetchVars) endRun(ctx context.Context, in FetchInput, old pipeline.Request) error {
	var err error
	if f.Runs != nil && old.ManagerRun.ID != 0 {
		err = pipeline.OwnRuns{RunCanceller: f.Runs, Manager: in.Run.Owner(in.Manager)}.Cancel(ctx, old.ManagerRun, false)
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
func endSuperseded(ctx context.Context, chain ledger.Ledger, old pipeline.Request) (target string, ended bool, err error) {
	for _, t := range old.Targets {
		if !old.Applies(t.Target) {
			continue
		}
		st, err := ledger.ReadTargetStatus(ctx, chain.Records, old, t.Target)
		if err != nil {
			return "", false, err
		}
		switch {
		case st.Result.Reason == pipeline.ReasonSuperseded: // someone died between this and the end of the run
			return t.Name(), true, nil
		case st.Result.Outcome.Succeeded():
			continue
		case st.Result.Outcome != pipeline.OutcomeWaiting:
			return "", false, nil
		}
		newer, err := record.Superseding(ctx, chain.Records, old, t.Target)
		if err != nil || newer == "" {
			return "", false, err
		}
		why := pipeline.SupersededError(old, t.Target, newer)
		revoked, err := ledger.RevokePlan(ctx, chain, old, st, record.Result{Outcome: pipeline.OutcomeSuperseded, Reason: why.Reason, Message: why.Message, Next: why.Next, Newer: newer, Run: old.ManagerRun, At: chain.Now().UTC()})
		return t.Name(), revoked, err
	}
	return "", false, nil
}
