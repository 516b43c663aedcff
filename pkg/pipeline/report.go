package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Reporter tells the customer how a request stands. It works from the store
// alone, so it can run after any other step, and again.
type Reporter struct {
	GitHub   reportGitHub
	Store    Store
	Sealer   Sealer
	Renderer Renderer
	Now      func() time.Time
	Logf     func(format string, args ...any)
}

// Renderer turns a report into text. pkg/report implements it.
type Renderer interface {
	// Comment is the body of the pull request comment, within GitHub's limit and
	// without a marker.
	Comment(Report) string
	// Summary is the job summary.
	Summary(Report) string
	// Status is the description of the status of env, or with an empty env of the
	// whole request.
	Status(r Report, env Environment) string
}

type reportGitHub interface {
	Login(ctx context.Context) (string, error)
	SetStatus(ctx context.Context, repo Slug, sha SHA, status Status) error
	Comments(ctx context.Context, repo Slug, number int) ([]Comment, error)
	CreateComment(ctx context.Context, repo Slug, number int, body string) (Comment, error)
	EditComment(ctx context.Context, repo Slug, id int64, body string) (Comment, error)
	DeleteComment(ctx context.Context, repo Slug, id int64) error
	CreateDeployment(ctx context.Context, repo Slug, deployment Deployment) (int64, error)
	Repository(ctx context.Context, repo Slug) (Repository, error)
}

// ReportInput is one call of report.
type ReportInput struct {
	Manager  Slug
	Customer Customer
	Request  RequestID
	// Final closes everything that is still open: no later job will.
	Final bool
	// Cancelled tells a final report that a job was cancelled.
	Cancelled bool
	// Applying, when set, is the environment whose apply begins: its status says so,
	// and nothing else is told.
	Applying Environment
	// Unseen closes the request also where its repository cannot be seen: there is
	// no use in waiting for it.
	Unseen bool
	Run    Run
}

// Run reports. It returns the report and its job summary also when not everything
// has reached GitHub; what failed is in the error. What GitHub will never accept is
// in Report.Unreported and is no error: it says nothing about the plan or the apply.
func (r *Reporter) Run(ctx context.Context, in ReportInput) (Report, string, error) {
	request, err := LoadRequest(ctx, r.records(), in.Customer.Name, in.Request)
	if errors.Is(err, ErrNotFound) {
		return Report{}, "", &NoRequestError{Request: in.Request, Customer: in.Customer.Name}
	}
	if err != nil {
		return Report{}, "", TamperedOr(err, fmt.Sprintf("the record of request %s of %s", in.Request.Short(), in.Customer.Name))
	}
	if err := reportsTo(in.Customer, request); err != nil {
		return Report{}, "", err
	}
	if in.Applying != "" {
		report, err := r.applying(ctx, in, request)
		return report, "", err
	}
	report, err := r.collect(ctx, in, request)
	if err != nil {
		return Report{}, "", err
	}
	err = r.appendLedger(ctx, in, report)
	refused, failed := r.write(ctx, in, report)
	report.Unreported = refused
	if err = errors.Join(err, failed); err == nil && !report.unsettled && report.Overall() != StatusPending {
		if err = r.appendUnreported(ctx, in, report.Report); err == nil {
			err = MarkClosed(ctx, r.Store, request)
		}
	}
	if in.Final {
		r.discard(ctx, report)
	}
	return report.Report, r.Renderer.Summary(report.Report), err
}

// write brings GitHub in line with a report. Each part is tried: a comment that fails
// must not leave a status pending. The statuses come last, since a customer's job
// that waits for the overall one reads the outputs from the deployments as soon as
// it is final.
func (r *Reporter) write(ctx context.Context, in ReportInput, report collected) ([]Unreported, error) {
	request := report.Request
	if in.Run.ID != request.ManagerRun.ID { // the run that was proved may be long over, and the name may have changed hands
		if refused, err := r.place(ctx, in, request); refused != nil || err != nil {
			return refused, err
		}
	}
	refused, err := WithoutRefusals(errors.Join(r.deployments(ctx, report), r.comment(ctx, in, report.Report), r.statuses(ctx, report.Report)))
	for _, u := range refused {
		r.Logf("%s; GitHub will not accept it later either", u)
	}
	return refused, err
}

// place looks whether the repository of a request is still the one that it was.
func (r *Reporter) place(ctx context.Context, in ReportInput, request Request) ([]Unreported, error) {
	all := func(cause RefusalCause) []Unreported {
		u := Unreported{Part: fmt.Sprintf("the report of request %s to %s (id %d)", request.ID.Short(), request.Repository, request.Repository.ID), Cause: cause}
		r.Logf("%s", u)
		return []Unreported{u}
	}
	repo, err := r.GitHub.Repository(ctx, request.Repository.Slug)
	switch {
	case NotVisible(err) && in.Unseen, Gone(err):
		return all(CauseUnseen), nil
	case err != nil:
		return nil, fmt.Errorf("look up repository %s: %w", request.Repository, err)
	case repo.ID != request.Repository.ID:
		return all(CauseRepository), nil
	}
	return nil, nil
}

// reportsTo refuses a record that leads to another repository than the customer's:
// one customer could read another's plan. Under its owner the repository may have got
// another name.
func reportsTo(c Customer, request Request) error {
	if request.Repository.ID == c.RepositoryID && strings.EqualFold(request.Repository.Owner, c.Repository.Owner) {
		return nil
	}
	return &RefusedError{Reason: ReasonTampered, Message: fmt.Sprintf("the record of request %s of %s is not what was stored: it leads to %s (id %d), and %s says %s (id %d)", request.ID.Short(), c.Name,
		request.Repository.Slug, request.Repository.ID, c.File, c.Repository, c.RepositoryID), Next: TamperedNext, Operator: TamperedFinder}
}

// collected is a report with what its parts were made from.
type collected struct {
	Report
	targets []target // in the order of Report.Targets
	// unsettled: a job was stopped in the middle of its work and may have left a
	// lock, or a run was canceled and may not end. The request stays open for the
	// sweep.
	unsettled bool
}

// target is a target of a report with the records that say how it stands.
type target struct {
	TargetReport
	run      Run // the run that set the outcome
	folder   PlanAttempt
	internal string       // the part of the message that names the manager's own places
	closed   bool         // by this report: no job would have finished it
	doubted  bool         // its record in the store has no valid signature
	attempt  ApplyAttempt // the last one of its plan
}

// redacted returns what may be shown of the target.
func (t target) redacted(l Redaction) TargetReport {
	if l.Hides() && t.internal != "" {
		t.Message = strings.ReplaceAll(t.Message, t.internal, fmt.Sprintf("%s did not succeed; what failed on the way is not shown here", t.Environment))
	}
	return t.Redacted(l)
}

// collect reads the status of each target.
func (r *Reporter) collect(ctx context.Context, in ReportInput, request Request) (collected, error) {
	report := collected{Report: Report{Request: request, Manager: in.Manager, At: r.Now().UTC()}}
	if request.Rejected() {
		return report, nil
	}
	failedBefore := Environment("")
	for _, env := range request.Targets {
		t, err := r.target(ctx, in, request, env)
		if err != nil {
			return collected{}, err
		}
		report.unsettled = report.unsettled || t.Outcome == OutcomePlanning || t.Outcome == OutcomeApplying || t.Outcome == OutcomeCancelled || t.attempt.Revoked()
		if in.Final && !t.Outcome.Final() {
			r.close(&t, in, request.Mode, failedBefore)
			t.closed = true
		}
		if hint := t.logHint(request); hint != "" {
			r.Logf("%s", hint)
		}
		if !t.Outcome.Succeeded() && t.Outcome.Final() && failedBefore == "" {
			failedBefore = env
		}
		t.TargetReport = t.redacted(in.Customer.Manager.Redaction)
		report.targets, report.Targets = append(report.targets, t), append(report.Targets, t.TargetReport)
	}
	return report, nil
}

// close decides how a target ended that no job will finish any more.
func (r *Reporter) close(t *target, in ReportInput, mode Mode, failedBefore Environment) {
	began := t.Outcome
	next := t.Next
	t.Next = mode.Afresh()
	switch {
	case began == OutcomeWaiting && t.attempt.Number > 0: // an apply tried, and could not begin
		t.Outcome, t.Next = t.attempt.Result.Outcome, next
	case began == OutcomeApplying:
		t.Outcome, t.Message = OutcomeFailed, "the apply was interrupted; the tool may still be finishing by itself, and what it changed is recorded in the state"
	case failedBefore != "":
		t.Outcome, t.Message = OutcomeSkipped, fmt.Sprintf("%s did not succeed", failedBefore)
	case in.Cancelled:
		t.Outcome, t.Message = OutcomeCancelled, "the workflow was cancelled"
	case began == OutcomeWaiting && !r.Now().Before(t.Expires):
		t.Outcome, t.Reason, t.Message = OutcomeExpired, ReasonExpired, "the plan expired at "+t.Expires.UTC().Format(time.RFC3339)
	case began == OutcomeWaiting && t.Gated:
		t.Outcome, t.Message = OutcomeRejected, "the apply did not begin: a reviewer said no, or its job ended before it could"
	case began == OutcomeWaiting:
		t.Outcome, t.Message = OutcomeCancelled, "the apply did not start"
	case began == OutcomeRequested:
		t.Outcome, t.Message = OutcomeFailed, "the plan never began: its job did not start, or ended before it could plan"
	default:
		t.Outcome, t.Message = OutcomeFailed, "the plan did not finish: its job ended without a result"
	}
}

func (r *Reporter) target(ctx context.Context, in ReportInput, request Request, env Environment) (target, error) {
	st, err := ReadTargetStatus(ctx, r.records(), request, env)
	if err != nil {
		return target{}, err
	}
	rule, _ := in.Customer.Manager.Rule(env)
	e := st.Result
	t := target{TargetReport: TargetReport{Environment: env, Outcome: e.Outcome, Reason: e.Reason, Message: e.Message, Next: e.Next, Applies: request.Applies(env), Gated: rule.Gated || request.Mode == ModeDestroy, PlanOnly: request.PlanOnly[env],
		Reviewed: e.Reviewed, Diagnostics: e.Diagnostics, Done: e.Done, Outputs: e.Outputs, RunURL: cmp.Or(e.Run.URL, request.ManagerRun.URL), EndedAt: e.At},
		doubted: st.Doubt != nil, run: e.Run, folder: st.Folder, attempt: st.Attempt}
	if e.Internal {
		t.internal = e.Message
	}
	if err := r.plan(ctx, st, &t.TargetReport); err != nil {
		return target{}, fmt.Errorf("read the plan of %s/%s: %w", request.Customer, env, err)
	}
	if !t.Outcome.Final() && t.Applies {
		newer, err := Superseding(ctx, r.records(), request, env)
		if err != nil {
			return target{}, err
		}
		if newer != "" && t.Outcome != OutcomeApplying {
			t.Outcome, t.Reason, t.Message, t.Next = OutcomeSuperseded, ReasonSuperseded, "request "+newer.Short()+" took its place", ""
		}
	}
	return t, nil
}

// plan adds the redacted plan and its receipt. A model that cannot be opened is
// told as such, and hides nothing else.
func (r *Reporter) plan(ctx context.Context, st TargetStatus, t *TargetReport) error {
	if !st.Folder.Has(ObjectReceipt) {
		return nil
	}
	receipt, model, err := ReadReceipt(ctx, r.records(), st.Folder)
	switch {
	case errors.Is(err, ErrTampered), errors.Is(err, ErrUnknownKey):
		t.Message = strings.TrimPrefix(t.Message+"; the stored plan cannot be shown: it or its receipt is not what was stored", "; ")
		r.Logf("%v", err)
		return nil
	case err != nil:
		return err
	}
	t.Receipt, t.ReceiptCode, t.Expires, t.PlannedAt = receipt.Digest(), receipt.Code(), receipt.Expires, receipt.PlannedAt
	t.Plan = &Plan{}
	return DecodeExact(model, t.Plan)
}

func (r *Reporter) records() Records { return Records{Store: r.Store, Sealer: r.Sealer} }

// Overall sums the targets up: the worst final state wins, and anything open
// keeps the whole pending.
func (r Report) Overall() StatusState {
	if r.Request.Reason == ReasonSuperseded {
		return StatusError // nothing to mend: the newer commit's request carries on
	}
	if r.Request.Rejected() {
		return StatusFailure
	}
	if len(r.Targets) == 0 {
		return StatusError // nothing was looked at, so that nothing is known to be done
	}
	worst := StatusSuccess
	rank := map[StatusState]int{StatusSuccess: 0, StatusError: 1, StatusFailure: 2}
	for _, t := range r.Targets {
		state := t.Outcome.Status()
		if state == StatusPending {
			return StatusPending
		}
		if rank[state] > rank[worst] {
			worst = state
		}
	}
	return worst
}

// FindRejected returns what fetch-vars wrote down about a run whose request had
// no proved origin, or ErrNotFound.
func FindRejected(ctx context.Context, s Store, sealer Sealer, run Run) (Unverified, error) {
	var u Unverified
	err := Records{Store: s, Sealer: sealer}.ReadRecord(ctx, PlanAttempt{Customer: FleetName}, UnverifiedKey(run), &u)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = TamperedOr(err, fmt.Sprintf("the record of why run %d was rejected", run.ID))
	}
	return u, err
}
