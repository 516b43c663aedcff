package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Planner plans one target of a request and puts the sealed plan with its
// receipt into the store.
type Planner struct {
	Store  Store
	Sealer Sealer
	Engine Engine
	Parse  func(c Customer, file string, raw []byte) (Document, Problems)
	Now    func() time.Time
}

// TargetInput is one call of plan or apply.
type TargetInput struct {
	Customer      Customer
	Request       RequestID
	Environment   Environment
	ManagerDir    string // absolute
	ManagerCommit SHA
	RunDir        string // absolute
	// SpareDir takes what outlasts the run directory where the store is gone:
	// a sealed state that could not be written. Absolute.
	SpareDir string
	Backend  Backend
	Run      Run
	Host     string // of this machine
	// Receipt is the digest of the receipt that was approved, or its short code;
	// apply refuses another one. Empty skips the comparison.
	Receipt string
	// Actor is who runs the command, as the runner says; on a laptop its user, marked as
	// UnverifiedRecord.
	Actor string
	Log   io.Writer
	// Mask hides what must not be seen on the way to a writer, as in front of Log;
	// nil where nothing is known to be secret.
	Mask func(io.Writer) io.WriteCloser
}

// TargetResult is what plan or apply tell about their target.
type TargetResult struct {
	Outcome     Outcome
	Reason      Reason
	Plan        *Plan
	HasChanges  bool
	Receipt     string // digest; empty without a plan
	ReceiptCode string
	Reviewed    Reviewed
	// StateKept reports that the tool could not write the state of an apply: it is
	// kept, sealed, until it is brought back.
	StateKept bool
	SpareFile string // where it is when the store could not take it

	head LedgerHead   // of the target's ledger, when this apply had begun
	left *StateRecord // in the backend, when it had ended
}

// Run plans the target. A tool that failed is a *FailedError whose record stands
// in the store; a plan that may not be applied is a *RefusedError.
func (p *Planner) Run(ctx context.Context, in TargetInput) (TargetResult, error) {
	request, err := p.begin(ctx, in)
	if err != nil {
		return TargetResult{}, err
	}
	folder, err := NewPlanAttempt(ctx, p.records(), request, in.Environment, StartRecord{Run: in.Run, At: p.Now().UTC(), Host: in.Host})
	if err != nil {
		return TargetResult{}, err
	}
	ended := Result{Run: in.Run}
	log := RecordLog(&in)
	result, err := p.plan(ctx, in, request, folder, &ended)
	if err != nil {
		ExplainLock(ctx, p.records(), in, request.Mode, folder.Key(ObjectStart), err)
		ended.Fail(ctx, request.Mode, err)
	}
	ended.At = p.Now().UTC()
	last, cancel := CleanupContext(ctx)
	defer cancel()
	// A plan whose making cannot be recorded does not wait for an apply.
	if _, recordErr := (Ledger{Store: p.Store, Now: p.Now}).Append(last, LedgerEnd(request, in.Environment, ended, result.Receipt)); recordErr != nil {
		if err == nil {
			ended.Fail(ctx, request.Mode, recordErr)
		}
		err = errors.Join(err, recordErr)
	}
	recordErr := p.records().CreateRecord(last, folder, ObjectPlanned, ended)
	log.Keep(last, p.Store, p.Sealer, in, folder.Key(ObjectPlanLog))
	if recordErr != nil {
		return result, errors.Join(err, fmt.Errorf("record the plan of %s/%s: %w", in.Customer.Name, in.Environment, recordErr))
	}
	result.Outcome, result.Reason, result.Reviewed = ended.Outcome, ended.Reason, ended.Reviewed
	if err != nil || ended.Outcome != OutcomeWaiting {
		return result, err
	}
	// A newer request that was accepted meanwhile has either found this plan waiting,
	// and ended it, or is found here.
	if err = checkNewest(ctx, p.records(), request, in.Environment); err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) {
			result.Outcome, result.Reason = OutcomeSuperseded, refused.Reason
		}
	}
	return result, err
}

func (p *Planner) records() Records { return Records{Store: p.Store, Sealer: p.Sealer} }

func (p *Planner) begin(ctx context.Context, in TargetInput) (Request, error) {
	request, err := loadTarget(ctx, p.records(), in)
	if err != nil {
		return Request{}, errors.Join(err, AppendUnreadable(ctx, Ledger{Store: p.Store, Now: p.Now}, in, err))
	}
	return request, os.MkdirAll(in.RunDir, 0o700)
}

// loadTarget reads the request and checks that the target is part of it.
func loadTarget(ctx context.Context, s Records, in TargetInput) (Request, error) {
	request, err := LoadRequest(ctx, s, in.Customer.Name, in.Request)
	if errors.Is(err, ErrNotFound) {
		return Request{}, &UsageError{Message: fmt.Sprintf("request %s of customer %s is not in the store", in.Request, in.Customer.Name), Next: "run fetch-vars first, with the same store"}
	}
	if err != nil {
		return Request{}, TamperedOr(err, fmt.Sprintf("the record of request %s of %s", in.Request.Short(), in.Customer.Name))
	}
	if request.Rejected() {
		return Request{}, &RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s was rejected", in.Request.Short(), in.Customer.Name), Problems: request.Problems}
	}
	if request.Repository.ID != in.Customer.RepositoryID {
		return Request{}, &UsageError{Message: fmt.Sprintf("request %s is of repository id %d, but customer %s has %d", in.Request.Short(), request.Repository.ID, in.Customer.Name, in.Customer.RepositoryID)}
	}
	// fetch-vars has verified it. Here it can only refuse, so it needs no key of the fleet.
	if err := CheckRegistered(ctx, s.Store, nil, in.Customer); err != nil {
		return Request{}, err
	}
	for _, env := range request.Targets {
		if env == in.Environment {
			return request, nil
		}
	}
	return Request{}, &RefusedError{Reason: ReasonOtherEnvironment, Message: fmt.Sprintf("request %s of %s is not for environment %s (it is for %v)", in.Request.Short(), in.Customer.Name, in.Environment, request.Targets),
		Next: AskProvider, Operator: "use one of the environments that fetch-vars put out"}
}

func (p *Planner) plan(ctx context.Context, in TargetInput, request Request, folder PlanAttempt, ended *Result) (TargetResult, error) {
	if request.Applies(in.Environment) {
		if err := checkNewest(ctx, p.records(), request, in.Environment); err != nil {
			return TargetResult{}, err
		}
	}
	raw, document, err := p.variables(ctx, in, request)
	if err != nil {
		return TargetResult{}, err
	}
	mac, err := p.Sealer.MAC(ctx, in.Customer.Name, in.Environment)
	if err != nil {
		return TargetResult{}, fmt.Errorf("get the key of the fingerprint of %s/%s: %w", in.Customer.Name, in.Environment, err)
	}
	applied, compared := p.applied(ctx, in, request)
	job := Job{Customer: in.Customer, Environment: in.Environment, Variables: document, Applied: applied, Compared: compared, ManagerDir: in.ManagerDir,
		Dir: in.RunDir, Backend: in.Backend, ReadOnly: !request.Applies(in.Environment), Destroy: request.Mode == ModeDestroy, MAC: mac, Log: in.LogOrDiscard()}
	planned, err := p.Engine.Plan(ctx, job)
	if err != nil {
		ended.Diagnostics = planned.Plan.Diagnostics
		return TargetResult{}, err
	}
	if err := CheckState(ctx, p.records(), request, job, planned); err != nil {
		return TargetResult{}, err
	}
	receipt, err := p.receipt(in, request, planned)
	if err != nil {
		return TargetResult{}, err
	}
	if err := p.keep(ctx, folder, receipt, planned, raw); err != nil {
		// It may be there all the same, and what is there is shown to the customer.
		return TargetResult{Receipt: receipt.Digest()}, err
	}
	result := TargetResult{Plan: &planned.Plan, HasChanges: receipt.HasChanges, Receipt: receipt.Digest(), ReceiptCode: receipt.Code()}
	return result, p.checkPlan(ctx, in, request, receipt, ended)
}

// checkPlan decides what comes after a plan that was made.
func (p *Planner) checkPlan(ctx context.Context, in TargetInput, request Request, receipt Receipt, ended *Result) error {
	switch {
	case !request.Applies(in.Environment):
		ended.Outcome = OutcomePlanned
		if !receipt.HasChanges {
			ended.Outcome = OutcomeNoChanges
		}
		return nil
	case !receipt.HasChanges && request.Mode != ModeDestroy: // a destroy of nothing is applied, too: it records the end
		ended.Outcome = OutcomeNoChanges
		return nil
	}
	ended.Outcome = OutcomeWaiting
	var err error
	if ended.Reviewed, err = p.reviewed(ctx, in, request, receipt); err != nil {
		return err
	}
	if request.Mode == ModeDestroy { // no pull request shows one; its approval is the review
		return nil
	}
	rule, _ := in.Customer.Manager.Rule(in.Environment)
	if rule.RequireReviewed && ended.Reviewed != ReviewedSame {
		return &RefusedError{Reason: ReasonUnreviewed, Message: fmt.Sprintf("%s/%s requires that a pull request has shown this very plan, and none has (%s)", in.Customer.Name, in.Environment, ended.Reviewed.OrNone()),
			Next: "open a pull request from the newest state of the branch, let it be planned, review and merge it"}
	}
	return nil
}

func (r Reviewed) OrNone() string {
	if r == "" {
		return "no pull request"
	}
	return string(r)
}

func (p *Planner) variables(ctx context.Context, in TargetInput, request Request) ([]byte, Document, error) {
	raw, err := UnsealBytes(ctx, p.Store, p.Sealer, RequestVariablesKey(request.Customer, request.ID), VariablesBinding(request))
	if err != nil {
		return nil, nil, TamperedOr(err, "the variables of request "+request.ID.Short())
	}
	document, problems := p.Parse(in.Customer, request.File, raw)
	if err := problems.Err(); err != nil {
		return nil, nil, &RejectedError{Reason: ReasonInvalidVariables, Message: fmt.Sprintf("the variables of request %s do not pass the manager's rules any more", request.ID.Short()), Problems: problems}
	}
	return raw, document, nil
}

func (p *Planner) receipt(in TargetInput, request Request, planned Planned) (Receipt, error) {
	sum, err := fileSHA256(planned.PlanFile)
	if err != nil {
		return Receipt{}, fmt.Errorf("read the plan of %s/%s: %w", in.Customer.Name, in.Environment, err)
	}
	now := p.Now().UTC()
	return Receipt{
		Version: 1, Request: request.ID, Customer: request.Customer, RepositoryID: request.Repository.ID, Environment: in.Environment,
		Mode: request.ModeOfReceipt(), Commit: request.Commit, Blob: request.Blob, ManagerCommit: in.ManagerCommit, ManagerTree: planned.ManagerTree, ManagerCode: planned.ManagerCode,
		Tool: planned.Tool, LockFile: planned.LockFile, Modules: planned.Modules, Backend: in.Backend.String(), State: planned.State, PlanSHA256: sum,
		Fingerprint: planned.Fingerprint, HasChanges: planned.Plan.HasChanges(), PlannedAt: now, Expires: now.Add(in.Customer.Manager.Limits.PlanTTL),
	}, nil
}

// keep stores everything that apply and report need, the receipt last. Each
// object is bound to the receipt and to its own name.
func (p *Planner) keep(ctx context.Context, folder PlanAttempt, receipt Receipt, planned Planned, variables []byte) error {
	model, err := json.Marshal(planned.Plan)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	bodies := []struct {
		object   string
		MarkOpen func() (io.ReadCloser, error)
	}{
		{ObjectPlan, opener(planned.PlanFile)},
		{ObjectPlanJSON, opener(planned.JSONFile)},
		{ObjectBundle, opener(planned.BundleFile)},
		{ObjectVariables, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(variables)), nil }},
		{ObjectModel, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(model)), nil }},
	}
	for _, b := range bodies {
		r, err := b.MarkOpen()
		if err != nil {
			return fmt.Errorf("store %s: %w", b.object, err)
		}
		err = SealInto(ctx, p.Store, p.Sealer, folder.Key(b.object), BindTo(receipt, b.object), r)
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("store %s: %w", b.object, err)
		}
	}
	return p.Store.Create(ctx, folder.Key(ObjectReceipt), bytes.NewReader(receipt.Bytes()))
}

func opener(file string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(file) }
}

func checkNewest(ctx context.Context, s Records, request Request, env Environment) error {
	newer, err := Superseding(ctx, s, request, env)
	if err != nil {
		return TamperedOr(err, fmt.Sprintf("the record of a newer request for %s/%s", request.Customer, env))
	}
	if newer != "" {
		return SupersededError(request, env, newer)
	}
	return nil
}

func SupersededError(request Request, env Environment, newer RequestID) *RefusedError {
	return &RefusedError{Reason: ReasonSuperseded, Message: fmt.Sprintf("request %s for %s/%s was superseded by request %s", request.ID.Short(), request.Customer, env, newer.Short()),
		Next: "look at how the newer request ended; when it did not end well, " + request.Mode.Afresh(), Operator: supersededOperator(request.Mode)}
}

func supersededOperator(m Mode) string {
	if m.Restart() == "" {
		return ""
	}
	return "look at how the newer request ended; then " + m.Restart()
}

// Fail derives the record of a failed plan or apply from its error.
func (e *Result) Fail(ctx context.Context, mode Mode, err error) {
	var refused *RefusedError
	var rejected *RejectedError
	var failed *FailedError
	e.Outcome, e.Message, e.Internal = OutcomeFailed, err.Error(), false
	switch {
	case errors.As(err, &refused):
		e.Outcome, e.Reason, e.Message, e.Next = OutcomeRefused, refused.Reason, refused.Message, refused.Next
		e.Detail, e.Operator = refused.Detail, refused.Operator
		switch refused.Reason {
		case ReasonSuperseded:
			e.Outcome = OutcomeSuperseded
		case ReasonExpired:
			e.Outcome = OutcomeExpired
		}
	case errors.As(err, &rejected):
		e.Outcome, e.Reason, e.Message, e.Next = OutcomeRejected, rejected.Reason, rejected.Message, rejected.Next
	case ctx.Err() != nil:
		e.Outcome, e.Message = OutcomeCancelled, "the job was cancelled"
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			e.Message = "the job ran out of time"
		}
		e.Next = mode.Afresh()
	case errors.As(err, &failed):
		e.Message, e.Next, e.Operator = failed.Message, failed.Next, failed.Operator
		if len(e.Diagnostics) == 0 {
			e.Diagnostics = failed.Diagnostics
		}
	default:
		e.Internal = true
	}
}

// TamperedOr turns an authentication failure into its refusal.
func TamperedOr(err error, what string) error {
	if errors.Is(err, ErrUnknownKey) {
		return &RefusedError{Reason: ReasonUnknownKey, Message: otherKeyMessage + ", so this step has changed nothing", Next: otherKeyNext,
			Detail: fmt.Sprintf("%s cannot be opened: %v", what, err), Operator: RekeyNext}
	}
	if errors.Is(err, ErrTampered) {
		return &RefusedError{Reason: ReasonTampered, Message: what + " is not what was stored: it was changed",
			Next: TamperedNext, Operator: TamperedFinder}
	}
	return fmt.Errorf("read %s: %w", what, err)
}

func fileSHA256(file string) (string, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}
