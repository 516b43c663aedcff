package deploy

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// appendLedger records how a call of apply ended.
func (a *Applier) appendLedger(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, result TargetResult, cause error) error {
	ended := record.Result{Outcome: result.Outcome, Run: in.Run}
	if cause != nil {
		ended.Fail(ctx, request.Mode, cause)
	}
	if ended.Outcome == pipeline.OutcomeNoChanges {
		return nil // the plan says so
	}
	e := ledger.EndEntry(request, in.Environment, ended, result.Receipt)
	e.State = result.left
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	_, err := ledger.Ledger{Store: a.Store, Now: a.Now}.AppendAfter(last, result.head, e)
	return err
}

// appendApplying records who approved the plan and that it is used from here
// on. It comes before anything changes: what cannot be recorded does not happen.
func (a *Applier) appendApplying(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, receipt pipeline.Receipt, approvers []pipeline.Account) (head pipeline.LedgerHead, err error) {
	chain := ledger.Ledger{Store: a.Store, Now: a.Now}
	for _, account := range approvers {
		e := ledger.NewEntry(ledger.Approved, request, in.Environment, in.Run)
		e.Actor, e.ActorID, e.Receipt = account.Login, account.ID, receipt.Digest()
		if head, err = chain.Append(ctx, e); err != nil {
			return head, err
		}
	}
	e := ledger.NewEntry(ledger.Applying, request, in.Environment, in.Run)
	e.Receipt = receipt.Digest()
	return chain.AppendAfter(ctx, head, e)
}
