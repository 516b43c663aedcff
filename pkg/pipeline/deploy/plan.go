package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"path"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Planner plans one target of a request and puts the sealed plan with its
// receipt into the store.
type Planner struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Engine pipeline.Engine
	Parse  func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	Now    func() time.Time

	seen *record.View // of Store, for what one run reads more than once
}

// TargetResult is what plan or apply report about their target.
type TargetResult struct {
	Outcome     pipeline.Outcome
	Reason      pipeline.Reason
	Plan        *pipeline.Plan
	HasChanges  bool
	Receipt     string // digest; empty without a plan
	ReceiptCode string
	Reviewed    pipeline.Reviewed
	// StateKept reports that the tool could not write the state of an apply: it is
	// kept, sealed, until it is brought back.
	StateKept bool
	SpareFile string // where it is when the store could not take it

	tip   ledger.Tip // of the target's ledger, when this apply had begun
	model []byte     // of a plan that has a receipt
}

// Run plans the target. A tool that failed is a *FailedError whose record stands
// in the store; a plan that may not be applied is a *RefusedError.
func (p *Planner) Run(ctx context.Context, in pipeline.TargetInput) (TargetResult, error) {
	run := *p
	run.seen = record.NewView(p.Store)
	return run.run(ctx, in)
}

func (p *Planner) run(ctx context.Context, in pipeline.TargetInput) (TargetResult, error) {
	request, err := p.begin(ctx, in)
	if err != nil {
		return TargetResult{}, err
	}
	folder, err := record.NewPlanAttempt(ctx, p.records(), request, in.Target(), record.StartRecord{Run: in.Run, At: p.Now().UTC(), Host: in.Host})
	if err != nil {
		return TargetResult{}, err
	}
	ended := record.Result{Run: in.Run}
	log := record.RecordJob(&in)
	result, err := p.plan(ctx, in, request, folder, &ended)
	if err != nil {
		ledger.ExplainLock(ctx, p.records(), in, request.Mode, folder.Key(record.ObjectStart), err)
		ended.Fail(ctx, request.Mode, err)
	}
	ended.At = p.Now().UTC()
	last, cancel := record.CleanupContextFor(ctx, len(result.model))
	defer cancel()
	// A plan whose making cannot be recorded does not wait for an apply.
	_, recordErr := ledger.Ledger{Records: p.records(), Now: p.Now, Seen: p.seen}.Append(last, ledger.EndEntry(request, in.Target(), ended, result.Receipt))
	if recordErr != nil {
		if err == nil {
			ended.Fail(ctx, request.Mode, recordErr)
		}
		err = errors.Join(err, recordErr)
	}
	recordErr = p.records().CreateAttached(last, folder, record.ObjectPlanned, ended, result.model)
	log.Keep(last, p.Store, p.Sealer, in, folder.Key(record.ObjectPlanLog))
	if recordErr != nil {
		return result, errors.Join(err, fmt.Errorf("record the plan of %s: %w", in.Target(), recordErr))
	}
	result.Outcome, result.Reason, result.Reviewed = ended.Outcome, ended.Reason, ended.Reviewed
	if err != nil || ended.Outcome != pipeline.OutcomeWaiting {
		return result, err
	}
	// A newer request that was accepted meanwhile has either found this plan waiting,
	// and ended it, or is found here.
	if err = checkNewest(ctx, p.records(), request, in.Target()); err != nil {
		var refused *pipeline.RefusedError
		if errors.As(err, &refused) {
			result.Outcome, result.Reason = pipeline.OutcomeSuperseded, refused.Reason
		}
	}
	return result, err
}

func (p *Planner) records() record.Records { return record.Records{Store: p.Store, Sealer: p.Sealer} }

// viewed are the records as this run sees them: each is read once.
func (p *Planner) viewed() record.Records { return record.Records{Store: p.seen, Sealer: p.Sealer} }

func (p *Planner) begin(ctx context.Context, in pipeline.TargetInput) (pipeline.Request, error) {
	request, err := loadTarget(ctx, p.viewed(), in)
	if err == nil { // fetch-vars has verified it. Here it can only refuse, so it needs no key of the fleet.
		err = registry.CheckRequested(ctx, p.seen, in.Customer, request.Registration)
	}
	if err != nil {
		return pipeline.Request{}, errors.Join(err, ledger.AppendRefused(ctx, ledger.Ledger{Records: p.records(), Now: p.Now}, in, request, err))
	}
	return request, os.MkdirAll(in.RunDir, 0o700)
}

func (p *Planner) plan(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, ended *record.Result) (TargetResult, error) {
	if request.Applies(in.Target()) {
		if err := checkNewest(ctx, p.records(), request, in.Target()); err != nil {
			return TargetResult{}, err
		}
	}
	if err := registry.CheckTargetOwner(ctx, p.viewed(), request.Find(in.Target()).OwnerVerified, in.Customer, in.Target()); err != nil {
		return TargetResult{}, err
	}
	raw, document, err := p.variables(ctx, in, request)
	if err != nil {
		return TargetResult{}, err
	}
	mac, err := p.Sealer.MAC(ctx, in.Target())
	if err != nil {
		return TargetResult{}, fmt.Errorf("get the key of the fingerprint of %s: %w", in.Target(), err)
	}
	applied, compared := p.applied(ctx, in, request)
	needed, err := requestNeeded(ctx, p.records(), request, in.Customer, in.Target())
	if err != nil {
		return TargetResult{}, err
	}
	job := pipeline.Job{Customer: in.Customer.Under(request.Properties), Environment: in.Environment, Stack: in.Stack, Variables: document, Applied: applied, Compared: compared,
		ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Destroy: request.Mode == pipeline.ModeDestroy, Salt: pipeline.NewSalt(), MAC: mac, Log: in.LogOrDiscard(),
		Needed: needed}
	planned, outputs, err := p.planJob(ctx, request, job)
	var deferred *pipeline.DeferredError
	if errors.As(err, &deferred) {
		return TargetResult{}, deferPlan(in, request, deferred, ended)
	}
	if err != nil {
		ended.Diagnostics = planned.Plan.Diagnostics
		return TargetResult{}, err
	}
	if err := ledger.CheckState(ctx, p.viewed(), request, job, planned); err != nil {
		return TargetResult{}, err
	}
	receipt, err := p.receipt(in, request, job, planned)
	if err != nil {
		return TargetResult{}, err
	}
	model, err := json.Marshal(planned.Plan)
	if err != nil {
		return TargetResult{}, fmt.Errorf("encode the plan of %s: %w", in.Target(), err)
	}
	if err := record.SealArtifacts(ctx, p.records(), folder, receipt, planned.Artifacts, job.Salt, raw); err != nil {
		return TargetResult{}, fmt.Errorf("store %s: %w", record.ObjectArtifacts, err)
	}
	if outputs != nil {
		if err := p.passOutputs(ctx, folder, request, receipt, outputs); err != nil {
			return TargetResult{}, err
		}
	}
	ended.Receipt = &receipt
	result := TargetResult{Plan: &planned.Plan, HasChanges: receipt.HasChanges, Receipt: receipt.Digest(), ReceiptCode: receipt.Code(), model: model}
	return result, p.checkPlan(ctx, in, request, receipt, ended)
}

// checkPlan decides what comes after a plan that was made.
func (p *Planner) checkPlan(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, receipt pipeline.Receipt, ended *record.Result) error {
	rule, _ := in.Customer.Manager.Rule(in.Environment)
	if err := checkExactness(in, receipt, rule); err != nil {
		return err
	}
	switch {
	case !request.Applies(in.Target()):
		ended.Outcome = pipeline.OutcomePlanned
		if !receipt.HasChanges {
			ended.Outcome = pipeline.OutcomeNoChanges
		}
		return nil
	case !receipt.HasChanges && request.Mode != pipeline.ModeDestroy: // a destroy of nothing is applied, too: it records the end
		ended.Outcome = pipeline.OutcomeNoChanges
		return nil
	}
	ended.Outcome = pipeline.OutcomeWaiting
	var err error
	if ended.Reviewed, err = p.reviewed(ctx, in, request, receipt); err != nil {
		return err
	}
	if request.Mode == pipeline.ModeDestroy { // no pull request shows one; its approval is the review
		return nil
	}
	if rule.RequireReviewed && ended.Reviewed != pipeline.ReviewedSame {
		return &pipeline.RefusedError{
			Reason:  pipeline.ReasonUnreviewed,
			Message: fmt.Sprintf("%s requires that a pull request has shown this very plan, and none has (%s)", in.Target(), ended.Reviewed.OrNone()),
			Next:    "open a new pull request from the latest commit of the branch, review its plan, and merge it",
		}
	}
	return nil
}

// checkExactness refuses a plan that is less exact than metapipe.yml or the customer's
// file demands, also that of a pull request: it is known there before the merge. A plan
// without changes stands for nothing.
func checkExactness(in pipeline.TargetInput, receipt pipeline.Receipt, rule pipeline.EnvironmentRule) error {
	if !receipt.HasChanges && receipt.Mode != pipeline.ModeDestroy || receipt.Exactness.Meets(rule.Exactness) {
		return nil
	}
	return &pipeline.RefusedError{
		Reason:   pipeline.ReasonInexact,
		Message:  fmt.Sprintf("the plan of %s is %s, and %s takes none that is less exact than %s", in.Target(), receipt.Exactness, in.Environment, rule.Exactness),
		Next:     pipeline.AskProvider,
		Operator: fmt.Sprintf("plan %s with a tool whose plans are %s, or lower `exactness` of the environment in metapipe.yml or in %s", in.Target(), rule.Exactness, in.Customer.File),
	}
}

func (p *Planner) variables(ctx context.Context, in pipeline.TargetInput, request pipeline.Request) ([]byte, pipeline.Document, error) {
	raw, err := record.RequestVariables(ctx, p.viewed(), request)
	if err != nil {
		return nil, nil, record.TamperedOr(err, "the variables of request "+request.ID.Short())
	}
	document, problems := p.Parse(in.Customer, request.File, raw)
	if err := problems.Err(); err != nil {
		return nil, nil, &pipeline.RejectedError{
			Reason:   pipeline.ReasonInvalidVariables,
			Message:  fmt.Sprintf("the variables of request %s do not pass the manager's rules any more", request.ID.Short()),
			Problems: problems,
		}
	}
	return raw, document, nil
}

func (p *Planner) receipt(in pipeline.TargetInput, request pipeline.Request, job pipeline.Job, planned pipeline.Planned) (pipeline.Receipt, error) {
	digests, err := planned.Artifacts.Digests(job.Salt)
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("plan %s: %w", in.Target(), err)
	}
	if !planned.Plan.Exactness.Known() {
		return pipeline.Receipt{}, fmt.Errorf("plan %s: the engine does not say how exact its plan is (%q)", in.Target(), planned.Plan.Exactness)
	}
	sum, err := pipeline.SumNeeded(job.MAC, job.Needed)
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("plan %s: %w", in.Target(), err)
	}
	planned.Evidence.SetNeeded(sum)
	planned.Evidence.SetProperties(request.Properties.Digest())
	now := p.Now().UTC()
	return pipeline.Receipt{
		Version: pipeline.ReceiptVersion, Request: request.ID, Customer: request.Customer, RepositoryID: request.Repository.ID, Environment: in.Environment, Stack: in.Stack,
		Mode: request.ModeOfReceipt(), Commit: request.Commit, Blob: request.Blob, ManagerCommit: in.ManagerCommit, Backend: in.Backend.String(),
		Exactness: planned.Plan.Exactness, Artifacts: digests, Evidence: planned.Evidence,
		Fingerprint: planned.Fingerprint, HasChanges: planned.Plan.HasChanges(), PlannedAt: now, Expires: now.Add(in.Customer.Manager.Limits.PlanTTL),
	}, nil
}

// loadTarget reads the request and checks that the target is part of it.
func loadTarget(ctx context.Context, s record.Records, in pipeline.TargetInput) (pipeline.Request, error) {
	if runner := in.Customer.Runner(in.Stack); runner != pipeline.RunnerActions {
		return pipeline.Request{}, &pipeline.RefusedError{
			Message:  fmt.Sprintf("%s is run by another runner: %s. Two that apply to one state would undo each other's work", in.Target(), runner),
			Next:     pipeline.AskProvider,
			Operator: "run it there, or set runner: actions in metapipe.yml or the customer's file and disable its stack with `metapipe spacelift sync --apply`",
		}
	}
	request, err := record.LoadRequest(ctx, s, in.Customer.Name, in.Request)
	if errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Request{}, pipeline.Usagef("request %s of customer %s is not in the store", in.Request, in.Customer.Name).
			Nextf("run fetch-vars first, with the same store")
	}
	if err != nil {
		return pipeline.Request{}, record.TamperedOr(err, fmt.Sprintf("the record of request %s of %s", in.Request.Short(), in.Customer.Name))
	}
	if request.Rejected() {
		return request, &pipeline.RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s was rejected", in.Request.Short(), in.Customer.Name), Problems: request.Problems}
	}
	if request.Repository.ID != in.Customer.RepositoryID {
		return pipeline.Request{}, pipeline.Usagef("request %s is of repository id %d, but customer %s has %d",
			in.Request.Short(), request.Repository.ID, in.Customer.Name, in.Customer.RepositoryID)
	}
	if file := path.Join(in.Customer.Path, pipeline.VariablesFile); request.File != file {
		return pipeline.Request{}, pipeline.Usagef("request %s is of %s, but customer %s has %s",
			in.Request.Short(), request.File, in.Customer.Name, file).
			Nextf("its path has changed since: run fetch-vars again")
	}
	if !request.WorksOn(in.Target()) {
		return pipeline.Request{}, &pipeline.RefusedError{
			Reason:   pipeline.ReasonOtherEnvironment,
			Message:  fmt.Sprintf("request %s of %s is not for environment %s (it is for %s)", in.Request.Short(), in.Customer.Name, in.Target().Name(), request.TargetNames()),
			Next:     pipeline.AskProvider,
			Operator: "use one of the environments that fetch-vars put out",
		}
	}
	return request, in.Customer.CheckOffboarded(request.Mode) // the file may have changed since
}
