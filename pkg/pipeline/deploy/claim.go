package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// appendRefused records an apply that says nothing about its plan, such as that of a plan that was
// applied before.
func (a *Applier) appendRefused(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, result TargetResult, cause error) error {
	ended := record.Result{Outcome: result.Outcome, Run: in.Run}
	if cause != nil {
		ended.Fail(ctx, request.Mode, cause)
	}
	if ended.Outcome == pipeline.OutcomeNoChanges {
		return nil // the plan says so
	}
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	_, err := a.ledger().Append(last, ledger.EndEntry(request, in.Target(), ended, result.Receipt))
	return err
}

// appendApplying records who approved the plan and that it is used from here on: that entry is the
// claim of the plan. It comes before anything changes: what cannot be recorded does not happen.
func (a *Applier) appendApplying(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, receipt pipeline.Receipt, approvers []pipeline.Account) (tip ledger.Tip, err error) {
	chain := a.ledger()
	for _, account := range approvers {
		e := ledger.NewEntry(ledger.Approved, request, in.Target(), in.Run)
		e.Actor, e.ActorID, e.Receipt = account.Login, account.ID, receipt.Digest()
		if tip, err = chain.Append(ctx, e); err != nil {
			return tip, err
		}
	}
	e := ledger.NewEntry(ledger.Applying, request, in.Target(), in.Run)
	e.Receipt, e.Host = receipt.Digest(), in.Host
	return chain.AppendAfter(ctx, tip, e)
}

// takenBy says why the plan does not wait any more: someone was faster.
func (a *Applier) takenBy(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, held record.PlanAttempt, receipt pipeline.Receipt) error {
	folder, _, err := record.LatestPlanAttempt(ctx, a.Store, request, in.Target())
	if err != nil {
		return err
	}
	if folder.Prefix != held.Prefix {
		return &pipeline.RefusedError{Reason: pipeline.ReasonNotPlanned, Message: fmt.Sprintf("%s was planned again meanwhile, and this apply is of the plan before", in.Target()),
			Next: "wait for the apply of the newer plan", Operator: "run this job again, or approve the newer plan"}
	}
	last, err := a.ledger().LastAttempt(ctx, request, folder, receipt)
	if err != nil {
		return record.TamperedOr(err, "what became of the plan of "+in.Target().String())
	}
	if other := last.Another(request.ID, receipt); other != "" {
		return &pipeline.RefusedError{
			Reason:  pipeline.ReasonReceiptMismatch,
			Message: fmt.Sprintf("the plan of %s has receipt %s, but the ledger has recorded %s", in.Target(), receipt.Code(), pipeline.ReceiptCode(other)),
			Next:    pipeline.TamperedNext, Operator: pipeline.TamperedFinder,
		}
	}
	return cmp.Or(last.Refusal(in, request.Mode), error(pipeline.Usagef("the plan of %s waits again: run this job again", in.Target())))
}

// record writes how this attempt ended. What has begun is recorded beside the plan first, with all
// that people read of it: the report adds to the ledger what could not be added any more. Of what
// never began the ledger decides whether it says anything about the plan, since another apply of it
// may have begun meanwhile.
func (a *Applier) record(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended applyWork, result TargetResult) error {
	e := ledger.ApplyEndEntry(request, in.Target(), ended.Result, ended.receipt.Digest(), ended.attempt)
	e.State = ended.left
	chain := a.ledger()
	if ended.attempt > 0 {
		next := chain.Prepare(ctx, result.tip, e)
		ended.Ledger = next.Head()
		err := a.createResult(ctx, folder, ended.attempt, ended)
		last, cancel := record.CleanupContext(ctx) // whatever time the result has taken
		defer cancel()
		_, ledgerErr := chain.AppendPrepared(last, next)
		return errors.Join(err, ledgerErr)
	}
	tip, err := chain.Append(ctx, e)
	if err == nil && tip.Decided {
		err = a.createResult(ctx, folder, tip.Sequence, ended)
	}
	return err
}

// Bounds of what a result holds for the sake of its report: it must be written in any case, and soon.
const (
	maxResultModel = 256 << 10
	openModelFor   = 5 * time.Second
)

// createResult writes the result of an attempt. One that ends its plan holds what a report needs
// of the plan, where that is small and can be read at once; otherwise the report reads the plan.
func (a *Applier) createResult(ctx context.Context, folder record.PlanAttempt, number int, ended applyWork) error {
	var model []byte
	if !ended.Retryable {
		soon, cancel := context.WithTimeout(ctx, openModelFor)
		defer cancel()
		if opened, err := ended.planned.OpenModel(soon, a.Sealer); err == nil && len(opened) <= maxResultModel {
			model, ended.Receipt = opened, &ended.receipt
		}
	}
	return a.records().CreateAttached(ctx, folder, record.ApplyResultObject(number), ended.Result, model)
}
