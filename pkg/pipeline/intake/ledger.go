package intake

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// appendLedger records a request before it is written down: once for each of its
// targets, or that it was not accepted.
func (f *FetchVars) appendLedger(ctx context.Context, from origin, request pipeline.Request) error {
	chain := ledger.Ledger{Records: f.records(), Now: f.Now, Seen: f.viewed().Store}
	if request.Rejected() {
		e := ledger.NewEntry(ledger.Rejected, request, pipeline.Target{Customer: request.Customer}, request.ManagerRun)
		e.Actor, e.ActorID, e.Outcome, e.Reason, e.Message = request.Actor, request.ActorID(), pipeline.OutcomeRejected, request.Reason, ledger.FirstProblem(request.Problems)
		_, err := chain.Append(ctx, e)
		return err
	}
	if err := f.appendDisabled(ctx, chain, request); err != nil {
		return err
	}
	for _, t := range request.Targets {
		e := ledger.NewEntry(ledger.Requested, request, t.Target, request.ManagerRun)
		e.Actor, e.ActorID = request.Actor, request.ActorID()
		e.Destroy = request.Mode == pipeline.ModeDestroy
		e.Gated = request.Applies(t.Target) && (request.Mode == pipeline.ModeDestroy || request.NeedsPropertyApproval())
		switch {
		case !request.Applies(t.Target):
			e.Message, e.PlanOnly = "to be planned only", true
		case request.Mode == pipeline.ModeDestroy:
			e.Message = "to be destroyed"
			if from.unseen != "" {
				e.Message += "; " + from.unseen
			}
		}
		if _, err := chain.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// appendDisabled records that a property has switched targets off: once for each until a request
// works on it again. A request that is left without any target is recorded for the customer.
func (f *FetchVars) appendDisabled(ctx context.Context, chain ledger.Ledger, request pipeline.Request) error {
	targets := request.Disabled
	if request.NoTools() {
		targets = append([]pipeline.Target{{Customer: request.Customer}}, targets...)
	}
	for _, t := range targets {
		if t.Environment != "" {
			known, err := ledger.RememberLedger(ctx, f.viewed(), t)
			if err != nil {
				return err
			}
			if known.Disabled != nil {
				continue
			}
		}
		e := ledger.NewEntry(ledger.Disabled, request, t, request.ManagerRun)
		e.Actor, e.ActorID = request.Actor, request.ActorID()
		e.Property = request.Properties.Disabler()
		e.Message = "not enabled by the property " + e.Property
		if _, err := chain.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// appendUnverified records a request in the fleet's ledger: nothing of a customer
// is touched in the name of someone who proved nothing.
func (f *FetchVars) appendUnverified(ctx context.Context, in FetchInput, rejected *pipeline.RejectedError) error {
	e := ledger.Entry{Event: ledger.Rejected, Outcome: pipeline.OutcomeRejected, Reason: rejected.Reason, Message: rejected.Message, Run: in.Run}
	if in.Manual != nil {
		e.Actor = in.Manual.Actor
	}
	_, err := ledger.Ledger{Records: f.records(), Now: f.Now}.Append(ctx, e)
	return err
}
