package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Applier applies the plan under review, and nothing else.
type Applier struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Engine pipeline.Engine
	Parse  func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	// Gate reads the protection of an environment of the manager's repo and who approved; nil
	// where there is no GitHub to ask (a laptop).
	Gate gateReader
	Now  func() time.Time
	// AwaitReport pauses between two looks for the announcement of a report that runs beside
	// this apply; nil where none does.
	AwaitReport func(ctx context.Context, pause time.Duration) error

	seen *record.View // of Store, for what one run reads more than once
}

// Run checks the receipt of the target's plan and applies it. It never plans
// again. A plan that may not be applied is a *RefusedError, a tool that failed a
// *FailedError; both are recorded for report.
func (a *Applier) Run(ctx context.Context, in pipeline.TargetInput) (TargetResult, error) {
	work := *a
	work.seen = record.NewView(a.Store)
	return work.start(ctx, in)
}

func (a *Applier) start(ctx context.Context, in pipeline.TargetInput) (TargetResult, error) {
	request, err := loadTarget(ctx, a.viewed(), in)
	if err != nil {
		return TargetResult{}, errors.Join(err, ledger.AppendRefused(ctx, a.ledger(), in, request, err))
	}
	return a.run(ctx, in, request)
}

func (a *Applier) run(ctx context.Context, in pipeline.TargetInput, request pipeline.Request) (TargetResult, error) {
	work, folder, result, err := a.begin(ctx, in, request)
	if work != nil {
		return a.recorded(ctx, in, request, folder, *work)
	}
	// A claim is made after this look. Without one, that the customer has another name comes first.
	if renamed := registry.CheckRequested(ctx, a.seen, in.Customer, request.Registration); renamed != nil {
		result, err = TargetResult{}, renamed
	}
	return result, errors.Join(err, a.appendRefused(ctx, in, request, result, err))
}

// begin finds the plan, and what is to be done with it: nothing, where work is nil.
func (a *Applier) begin(ctx context.Context, in pipeline.TargetInput, request pipeline.Request) (work *applyWork, folder record.PlanAttempt, result TargetResult, err error) {
	if !request.Applies(in.Target()) {
		return nil, folder, result, &pipeline.RefusedError{
			Reason:  notAppliedReason(request, in.Target()),
			Message: fmt.Sprintf("request %s of %s may not apply to %s: %s", request.ID.Short(), request.Customer, in.Target().Name(), whyNotApplied(request, in.Target())),
			Next:    "merge to a branch that may apply",
		}
	}
	folder, planned, err := a.planned(ctx, request, in)
	if err != nil {
		return nil, folder, result, err
	}
	if planned.Outcome == pipeline.OutcomeNoChanges {
		return nil, folder, TargetResult{Outcome: pipeline.OutcomeNoChanges}, nil
	}
	if planned.Outcome != pipeline.OutcomeWaiting {
		return nil, folder, result, &pipeline.RefusedError{
			Reason:  pipeline.ReasonNotPlanned,
			Message: fmt.Sprintf("the plan of %s ended as %q", in.Target(), planned.Outcome),
			Next:    "correct what the plan says; then " + request.Mode.Afresh(),
		}
	}
	last, err := ledger.Ledger{Records: a.viewed()}.LastAttempt(ctx, request, folder, *planned.Receipt)
	if err != nil {
		return nil, folder, result, record.TamperedOr(err, "what became of the plan of "+in.Target().String())
	}
	if last.Result != nil && last.Result.Outcome == pipeline.OutcomeApplied && !last.Unrecorded { // a job that is run again goes on from there
		return nil, folder, TargetResult{Outcome: pipeline.OutcomeApplied, HasChanges: true, Receipt: planned.Receipt.Digest(), ReceiptCode: planned.Receipt.Code()}, nil
	}
	if err := last.Refusal(in, request.Mode); err != nil {
		return nil, folder, result, err
	}
	if last.Result != nil { // its job may have died before the ledger knew it
		if err := a.ledger().Finish(ctx, ledger.ApplyEndEntry(request, in.Target(), *last.Result, planned.Receipt.Digest(), last.Number)); err != nil {
			return nil, folder, result, err
		}
	}
	if last.Number > 0 || in.Run.Attempt > 1 { // the report of an earlier attempt may have closed the request
		if err := registry.CheckRequested(ctx, a.seen, in.Customer, request.Registration); err != nil { // then a rename may have come
			return nil, folder, result, err
		}
		if err := record.MarkOpen(ctx, a.Store, request); err != nil {
			return nil, folder, result, err
		}
	}
	ended := record.Result{Run: in.Run, Outcome: pipeline.OutcomeApplied, Reviewed: planned.Reviewed}
	return &applyWork{Result: ended, planned: planned, receipt: *planned.Receipt}, folder, result, nil
}

func (a *Applier) records() record.Records { return record.Records{Store: a.Store, Sealer: a.Sealer} }

// viewed are the records as this run sees them: each is read once.
func (a *Applier) viewed() record.Records { return record.Records{Store: a.seen, Sealer: a.Sealer} }

// ledger is read first as this run has seen it before.
func (a *Applier) ledger() ledger.Ledger {
	return ledger.Ledger{Records: a.records(), Now: a.Now, Seen: a.seen}
}

// applyWork is the result of an apply while it is made, and how far the apply got.
type applyWork struct {
	record.Result
	planned   record.Result
	receipt   pipeline.Receipt // of the plan
	variables []byte           // of the plan, once they are opened
	attempt   int              // number of the entry that this attempt began with; 0: it has not begun
	started   bool             // the tool may have changed something
	left      *pipeline.StateRecord
	reader    pipeline.OutputReader  // nil where no other stack needs the outputs
	values    []pipeline.OutputValue // the outputs in clear; nil where they are not known
	mark      string                 // the key of the mark that they are not known meanwhile; empty without one
}

// recorded runs the checks and the apply and writes down how it ended. A plan that
// someone else uses leaves the record alone. What says nothing about the plan
// itself (its turn, the gate, a lock, a store that did not answer) leaves it usable
// as long as nothing has been changed: the job, run again, applies the same plan.
func (a *Applier) recorded(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended applyWork) (TargetResult, error) {
	log := record.RecordJob(&in)
	result, err := a.apply(ctx, in, request, folder, &ended)
	var refused *pipeline.RefusedError
	if errors.As(err, &refused) && refused.Reason == pipeline.ReasonAlreadyApplied {
		return result, errors.Join(err, a.appendRefused(ctx, in, request, result, err))
	}
	var waiting *pipeline.WaitingError
	appliedAll := err == nil || errors.As(err, &waiting) && ended.started // what it waits for is no part of the plan
	if waiting != nil && appliedAll {
		ended.Message = waiting.Message
	}
	if !appliedAll {
		ended.Fail(ctx, request.Mode, err)
		var failed *pipeline.FailedError
		lasting := errors.As(err, &failed) && failed.Permanent
		ended.Retryable = !ended.started && !ended.Reason.IsPermanent() && !lasting
	}
	if ended.attempt > 0 && ended.Retryable {
		const again = "nothing was changed: when your service provider runs this job again, it applies the same plan"
		if ended.Next == "" || ended.Outcome == pipeline.OutcomeCancelled {
			ended.Next = again
		} else {
			ended.Next += "; " + again
		}
	}
	var failed *pipeline.FailedError
	if result.StateKept && errors.As(err, &failed) {
		ended.Next, ended.Operator = failed.Next, failed.Operator // goes before the advice for a cancelled apply
	}
	ended.At = a.Now().UTC()
	cleanupCtx, cancel := record.CleanupContext(ctx)
	defer cancel()
	if appliedAll {
		a.applied(cleanupCtx, request, folder, &ended)
	} else if ended.left != nil {
		if noteErr := record.NoteFailedApply(cleanupCtx, a.records(), pipeline.Customer{Name: request.Customer, RepositoryID: request.Repository.ID}, in.Target(), *ended.left, ended.At); noteErr != nil {
			fmt.Fprintf(in.LogOrDiscard(), "What this apply has left could not be noted: %v\n", noteErr)
		}
	}
	if ended.mark != "" {
		if noteErr := a.noteOutputs(cleanupCtx, in, request, ended); noteErr != nil {
			ended.Message = strings.TrimPrefix(ended.Message+"; the outputs could not be kept for the stacks that need them: "+noteErr.Error(), "; ")
		}
	}
	recordErr := a.record(cleanupCtx, in, request, folder, ended, result)
	if ended.attempt > 0 {
		log.Keep(cleanupCtx, a.Store, a.Sealer, in, folder.Key(record.ApplyLog(ended.attempt)))
	}
	if recordErr != nil {
		return result, errors.Join(err, fmt.Errorf("record the apply of %s: %w", in.Target(), recordErr))
	}
	result.Outcome, result.Reason = ended.Outcome, ended.Reason
	return result, err
}

// applied does what follows an apply that went well. What was applied stays
// applied, so that a failure here is only reported.
func (a *Applier) applied(ctx context.Context, request pipeline.Request, folder record.PlanAttempt, ended *applyWork) {
	if err := a.deletePlan(ctx, folder); err != nil {
		ended.Message = strings.TrimPrefix(ended.Message+"; the used plan could not be deleted: "+err.Error(), "; ")
	}
	if err := record.NoteLastApply(ctx, a.records(), request, ended.receipt, ended.variables, ended.Result, ended.left); err != nil { // a drift scan will miss it
		ended.Message = strings.TrimPrefix(ended.Message+"; the apply could not be noted as the last one: "+err.Error(), "; ")
	}
}

// deletePlan deletes the secret part of a plan that has been applied. The model stays,
// from which later reports are rendered, and so does the record with the receipt.
func (a *Applier) deletePlan(ctx context.Context, folder record.PlanAttempt) error {
	if !slices.Contains(folder.Objects, record.ObjectArtifacts) {
		return nil
	}
	if err := a.Store.Delete(ctx, folder.Key(record.ObjectArtifacts)); err != nil {
		return fmt.Errorf("delete the used plan: %w", err)
	}
	return nil
}

func (a *Applier) apply(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended *applyWork) (TargetResult, error) {
	receipt := ended.receipt
	if err := a.compare(receipt, request, in); err != nil {
		return TargetResult{}, err
	}
	if err := checkNewest(ctx, a.records(), request, in.Target()); err != nil {
		return TargetResult{}, err
	}
	result := TargetResult{HasChanges: receipt.HasChanges, Receipt: receipt.Digest(), ReceiptCode: receipt.Code()}
	if err := a.checkOrder(ctx, request, in); err != nil {
		return result, err
	}
	approvers, err := a.checkGate(ctx, in, request, folder)
	if err != nil {
		return result, err
	}
	job, stored, err := a.restore(ctx, in, request, folder, ended)
	if err != nil {
		return result, err
	}
	// Only now is the receipt known to be the one that the plan was sealed with.
	if in.Receipt != "" && in.Receipt != receipt.Digest() && in.Receipt != receipt.Code() {
		return result, &pipeline.RefusedError{
			Reason:  pipeline.ReasonReceiptMismatch,
			Message: fmt.Sprintf("the plan of %s has receipt %s, but %s was approved", in.Target(), receipt.Code(), cmp.Or(pipeline.ReceiptCode(in.Receipt), in.Receipt)),
			Next:    "apply the plan that was approved, or approve this one",
		}
	}
	if err := a.checkOwner(ctx, in, request); err != nil {
		return result, err
	}
	if job.Needed, err = a.needed(ctx, in, request, receipt); err != nil {
		return result, err
	}
	if ended.reader, err = outputReader(a.Engine, job); err != nil {
		return result, err
	}
	if err := a.awaitReport(ctx, in, receipt); err != nil {
		return result, err
	}
	if result.tip, err = a.appendApplying(ctx, in, request, receipt, approvers); errors.Is(err, ledger.ErrNotNext) {
		return result, a.takenBy(ctx, in, request, folder, receipt)
	}
	if err != nil {
		return result, err
	}
	ended.attempt = result.tip.Sequence
	return a.use(ctx, in, request, folder, ended, result, job, stored)
}

// use applies the plan, which is claimed.
func (a *Applier) use(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended *applyWork, result TargetResult, job pipeline.Job, stored pipeline.StoredPlan) (TargetResult, error) {
	if err := record.NotePath(ctx, a.records(), a.viewed(), in.Customer, in.Target(), a.Now()); err != nil {
		return result, fmt.Errorf("note the path that %s is applied from: %w", in.Target(), err)
	}
	if err := a.openOutputs(ctx, in, request, ended); err != nil {
		return result, err
	}
	applied, err := a.Engine.Apply(ctx, job, stored)
	ended.started = applied.Started || applied.ErroredState != "" || len(applied.Done) > 0
	ledger.ExplainLock(ctx, a.records(), in, request.Mode, record.LedgerKey(in.Target(), ended.attempt), err)
	ended.Done, ended.Outputs, ended.Diagnostics = applied.Done, applied.Outputs, applied.Diagnostics
	ended.Composed, ended.left = applied.Composed, applied.State
	if ended.reader != nil && ended.started && applied.ErroredState == "" {
		ended.values = appliedOutputs(ctx, ended.reader, job, stored)
	}
	if applied.ErroredState != "" {
		result.StateKept = true
		result.SpareFile, err = a.stateKept(ctx, in, folder, ended.receipt, applied, err)
	}
	return result, err
}

// checkOwner refuses an apply under a name that the customer has not, and to a target that
// belongs to another one.
func (a *Applier) checkOwner(ctx context.Context, in pipeline.TargetInput, request pipeline.Request) error {
	// The request is marked open by now, and a rename looks for open requests after it has
	// written where the customer moves: one of the two sees the other.
	if err := registry.CheckRequested(ctx, a.seen.Now(), in.Customer, request.Registration); err != nil {
		return err
	}
	verified := request.Find(in.Target()).OwnerVerified
	return registry.CheckTargetOwner(ctx, a.viewed(), verified, in.Customer, in.Target())
}

// stateKept keeps a state that could not be written and says how to bring it
// back. The apply has failed by that, whatever the tool said.
func (a *Applier) stateKept(ctx context.Context, in pipeline.TargetInput, folder record.PlanAttempt, receipt pipeline.Receipt, applied pipeline.Applied, cause error) (string, error) {
	operator, spare, keepErr := a.keepState(ctx, in, folder, receipt, applied.ErroredState)
	var failed *pipeline.FailedError
	if !errors.As(cause, &failed) {
		failed = &pipeline.FailedError{Message: fmt.Sprintf("the apply of %s could not write its state", receipt.Target()), Diagnostics: applied.Diagnostics, Err: cause}
		cause = failed
	}
	if keepErr != nil {
		return "", errors.Join(cause, keepErr)
	}
	failed.Next, failed.Operator = pipeline.KeptNext, operator
	return spare, cause
}

// restore opens the sealed objects of the plan into the run directory.
func (a *Applier) restore(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended *applyWork) (pipeline.Job, pipeline.StoredPlan, error) {
	target, receipt := in.Target().String(), ended.receipt
	if err := os.MkdirAll(in.RunDir, 0o700); err != nil {
		return pipeline.Job{}, pipeline.StoredPlan{}, fmt.Errorf("create the run directory: %w", err)
	}
	artifacts, salt, raw, err := record.OpenArtifacts(ctx, a.records(), folder, receipt, in.RunDir)
	if err != nil {
		return pipeline.Job{}, pipeline.StoredPlan{}, record.TamperedOr(err, "the plan of "+target)
	}
	ended.variables = raw
	document, problems := a.Parse(in.Customer, request.File, raw)
	if problems.Err() != nil {
		return pipeline.Job{}, pipeline.StoredPlan{}, &pipeline.RefusedError{
			Reason:   pipeline.ReasonStaleVariables,
			Message:  "the variables of the plan of " + target + " do not pass the manager's rules any more: " + problems.Error(),
			Next:     request.Mode.Afresh(),
			Operator: request.Mode.Restart(),
		}
	}
	job := pipeline.Job{Customer: in.Customer.Under(request.Properties), Environment: in.Environment, Stack: in.Stack, Variables: document, ManagerDir: in.ManagerDir,
		Dir: in.RunDir, Backend: in.Backend, Destroy: request.Mode == pipeline.ModeDestroy, Salt: salt, Log: in.LogOrDiscard()}
	return job, pipeline.StoredPlan{Artifacts: artifacts, Salt: salt, Receipt: receipt}, nil
}

func notAppliedReason(request pipeline.Request, t pipeline.Target) pipeline.Reason {
	if request.Find(t).PlanOnly != "" {
		return pipeline.ReasonBranch
	}
	return pipeline.ReasonModeForbids
}

func whyNotApplied(request pipeline.Request, t pipeline.Target) string {
	if why := request.Find(t).PlanOnly; why != "" {
		return why
	}
	return "its mode is " + string(request.Mode)
}

func (a *Applier) planned(ctx context.Context, request pipeline.Request, in pipeline.TargetInput) (record.PlanAttempt, record.Result, error) {
	missing := &pipeline.RefusedError{
		Reason:   pipeline.ReasonNotPlanned,
		Message:  fmt.Sprintf("request %s has no finished plan for %s", request.ID.Short(), in.Target()),
		Next:     request.Mode.Afresh(),
		Operator: "run plan first",
	}
	folder, found, err := record.LatestPlanAttempt(ctx, a.Store, request, in.Target())
	if err != nil {
		return record.PlanAttempt{}, record.Result{}, err
	}
	if !found {
		return record.PlanAttempt{}, record.Result{}, missing
	}
	ended, err := record.ReadPlanned(ctx, a.records(), folder)
	if err == nil && ended.Receipt == nil && ended.Outcome == pipeline.OutcomeWaiting {
		err = fmt.Errorf("%s: %w: it has no receipt", folder.Key(record.ObjectPlanned), pipeline.ErrTampered)
	}
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return record.PlanAttempt{}, record.Result{}, missing
	case err != nil:
		return record.PlanAttempt{}, record.Result{}, record.TamperedOr(err, "how the plan of "+in.Target().String()+" ended")
	}
	return folder, ended, nil
}
