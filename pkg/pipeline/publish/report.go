package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Reporter shows the customer how a request stands. It works from the store
// alone, so it can run after any other step, and again.
type Reporter struct {
	GitHub   reportGitHub
	Store    pipeline.Store
	Sealer   pipeline.Sealer
	Renderer Renderer
	// Overlap reports whether a version can fulfill two constraints.
	Overlap func(a, b string) bool
	Now     func() time.Time
	Logf    func(format string, args ...any)

	seen *record.View // of Store, for what one report reads more than once
}

// Renderer turns a report into text. pkg/render implements it.
type Renderer interface {
	// Comment is the body of the pull request comment, within GitHub's limit and
	// without a marker.
	Comment(pipeline.Report) string
	// Summary is the job summary.
	Summary(pipeline.Report) string
	// Status is the description of the status of a target, or without one of the whole
	// request.
	Status(r pipeline.Report, t pipeline.Target) string
}

type reportGitHub interface {
	Login(ctx context.Context) (string, error)
	CommitStatuses(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) (pipeline.CommitStatuses, error)
	// SetStatus writes a status that is not among known.
	SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, status pipeline.Status, known []pipeline.Status) error
	Comments(ctx context.Context, repo pipeline.Slug, number int) ([]pipeline.Comment, error)
	CreateComment(ctx context.Context, repo pipeline.Slug, number int, body string) (pipeline.Comment, error)
	EditComment(ctx context.Context, repo pipeline.Slug, id int64, body string) (pipeline.Comment, error)
	DeleteComment(ctx context.Context, repo pipeline.Slug, id int64) error
	CreateDeployment(ctx context.Context, repo pipeline.Slug, deployment pipeline.Deployment) (int64, error)
	RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
}

// ReportInput is one call of report.
type ReportInput struct {
	Manager  pipeline.Slug
	Customer pipeline.Customer
	Request  pipeline.RequestID
	// Final closes everything that is still open: no later job will.
	Final bool
	// Cancelled says in a final report that a job was cancelled.
	Cancelled bool
	// Applying, when set, is the target whose apply begins: its status says so,
	// and nothing else is reported.
	Applying pipeline.Target
	// Unseen closes the request also where its repository cannot be seen: there is
	// no use in waiting for it.
	Unseen bool
	Run    pipeline.Run
}

// Run reports. It returns the report and its job summary also when not everything
// has reached GitHub; what failed is in the error. What GitHub will never accept is
// in Report.Unreported and is no error: it says nothing about the plan or the apply.
func (r *Reporter) Run(ctx context.Context, in ReportInput) (pipeline.Report, string, error) {
	one := *r
	one.seen = record.NewView(r.Store)
	return one.run(ctx, in)
}

func (r *Reporter) run(ctx context.Context, in ReportInput) (pipeline.Report, string, error) {
	request, err := record.LoadRequest(ctx, r.records(), in.Customer.Name, in.Request)
	if errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Report{}, "", &pipeline.NoRequestError{Request: in.Request, Customer: in.Customer.Name}
	}
	if err != nil {
		return pipeline.Report{}, "", record.TamperedOr(err, fmt.Sprintf("the record of request %s of %s", in.Request.Short(), in.Customer.Name))
	}
	if err := reportsTo(in.Customer, request); err != nil {
		return pipeline.Report{}, "", err
	}
	if in.Applying != (pipeline.Target{}) {
		report, err := r.applying(ctx, in, request)
		return report, "", err
	}
	found, refused, lost := r.place(ctx, in, &request)
	err = r.withdraw(ctx, in, request, found.Properties)
	if err != nil {
		return pipeline.Report{}, "", err
	}
	report, err := r.collect(ctx, in, request)
	if err != nil {
		return pipeline.Report{}, "", err
	}
	err = r.appendLedger(ctx, in, &report)
	if refused != nil || lost != nil {
		lost = errors.Join(lost, r.recordApplied(ctx, report))
	} else {
		refused, lost = r.write(ctx, in, report, found.List)
	}
	report.Unreported = refused
	if err = errors.Join(err, lost); err == nil && !report.unsettled && report.Overall() != pipeline.StatusPending {
		if err = r.appendUnreported(ctx, in, report.Report); err == nil {
			err = record.MarkClosed(ctx, r.Store, request)
		}
		report.Closed = err == nil
	}
	if in.Final || report.Closed {
		r.discard(ctx, report)
	}
	return report.Report, r.Renderer.Summary(report.Report), err
}

// write brings GitHub in line with a report. Each part is tried: a comment that fails
// must not leave a status pending. The overall status comes last, since a customer's job
// that waits for it reads the outputs from the deployments as soon as it is final. Those of
// the environments come before the comment: their answers say who we are.
func (r *Reporter) write(ctx context.Context, in ReportInput, report collected, known []pipeline.Status) ([]pipeline.Unreported, error) {
	statuses := commitStatuses{known: known}
	refused, err := pipeline.WithoutRefusals(errors.Join(r.deployments(ctx, in, report, &statuses), r.environments(ctx, report.Report, &statuses),
		r.comment(ctx, in, report.Report), r.overall(ctx, report.Report, &statuses)))
	for _, u := range refused {
		r.Logf("%s; GitHub will not accept it later either", u)
	}
	return refused, err
}

// place looks, before the first write of a report, whether the repository of a
// request is still the one that it was: it may have changed since fetch-vars looked,
// also within one run. request gets the name that the repository has now. The same
// answer holds the statuses of the commit and the custom properties; nil, and unknown, where
// it does not.
func (r *Reporter) place(ctx context.Context, in ReportInput, request *pipeline.Request) (pipeline.CommitStatuses, []pipeline.Unreported, error) {
	all := func(cause pipeline.RefusalCause, now string) []pipeline.Unreported {
		u := pipeline.Unreported{Part: fmt.Sprintf("the report of request %s to %s (id %d)%s", request.ID.Short(), request.Repository, request.Repository.ID, now), Cause: cause}
		r.Logf("%s", u)
		return []pipeline.Unreported{u}
	}
	commit, err := r.GitHub.CommitStatuses(ctx, request.Repository.Slug, request.Commit)
	repo := commit.Repository
	if err != nil { // the commit may be gone, or the right to read statuses: that says nothing of the repository
		repo, commit.Properties, err = r.GitHub.RepositoryProperties(ctx, request.Repository.Slug)
	}
	switch {
	case pipeline.NotVisible(err) && in.Unseen, pipeline.Gone(err), in.Customer.Offboarded && pipeline.RepositoryUnseen(err):
		return pipeline.CommitStatuses{}, all(pipeline.CauseUnseen, ""), nil
	case err != nil:
		return pipeline.CommitStatuses{}, nil, fmt.Errorf("look up repository %s: %w", request.Repository, err)
	}
	var other *pipeline.OtherRepositoryError
	if errors.As(pipeline.CheckRepository("the request", request.Repository, repo), &other) {
		return pipeline.CommitStatuses{}, all(other.Cause(), fmt.Sprintf(", which is %s (id %d)", other.Got.Slug, other.Got.ID)), nil
	}
	request.Repository.Slug = repo.Slug
	return commit, nil, nil
}

// reportsTo refuses a record that leads to another repository than the customer's:
// one customer could read another's plan. Under its owner the repository may have got
// another name.
func reportsTo(c pipeline.Customer, request pipeline.Request) error {
	if c.CheckRepository(request.Repository) == nil {
		return nil
	}
	return &pipeline.RefusedError{
		Reason: pipeline.ReasonTampered,
		Message: fmt.Sprintf("the record of request %s of %s is not what was stored: it leads to %s (id %d), and %s says %s (id %d)", request.ID.Short(), c.Name,
			request.Repository.Slug, request.Repository.ID, c.File, c.Repository, c.RepositoryID),
		Next:     pipeline.TamperedNext,
		Operator: pipeline.TamperedFinder,
	}
}

// collected is a report with what its parts were made from.
type collected struct {
	pipeline.Report
	targets []target // in the order of Report.Targets
	// unsettled: a job was stopped in the middle of its work and may have left a
	// lock, or a run was canceled and may not end. The request stays open for the
	// sweep.
	unsettled bool
}

// target is a target of a report with the records that say how it stands.
type target struct {
	pipeline.TargetReport
	run      pipeline.Run // the run that set the outcome
	folder   record.PlanAttempt
	internal string              // the part of the message that names the manager's own places
	closed   bool                // by this report: no job would have finished it
	doubted  bool                // its record in the store has no valid signature
	attempt  ledger.ApplyAttempt // the last one of its plan
	digest   string              // of the receipt of its plan, also where that cannot be shown
}

// redacted returns what may be shown of the target.
func (t target) redacted(l pipeline.Redaction) pipeline.TargetReport {
	if l.Hides() && t.internal != "" {
		t.Message = strings.ReplaceAll(t.Message, t.internal, fmt.Sprintf("%s did not succeed; what failed on the way is not shown here", t.Name()))
	}
	return t.Redacted(l)
}

// collect reads the status of each target.
func (r *Reporter) collect(ctx context.Context, in ReportInput, request pipeline.Request) (collected, error) {
	report := collected{Report: pipeline.Report{Request: request, Manager: in.Manager, At: r.Now().UTC()}}
	if request.Rejected() {
		return report, nil
	}
	failedBefore := pipeline.Target{}
	for _, of := range request.Targets {
		t, err := r.target(ctx, in, request, of.Target)
		if err != nil {
			return collected{}, err
		}
		report.unsettled = report.unsettled || t.Outcome == pipeline.OutcomePlanning || t.Outcome == pipeline.OutcomeApplying || t.Outcome == pipeline.OutcomeCancelled || t.attempt.Revoked()
		if in.Final && !t.Outcome.Final() {
			r.close(&t, in, request.Mode, failedBefore)
			t.closed = true
		}
		if hint := t.logHint(request); hint != "" {
			r.Logf("%s", hint)
		}
		if t.Outcome.Stops() && failedBefore.Environment == "" {
			failedBefore = of.Target
		}
		t.TargetReport = t.redacted(in.Customer.Manager.Redaction)
		report.targets, report.Targets = append(report.targets, t), append(report.Targets, t.TargetReport)
	}
	return report, nil
}

// close decides how a target ended that no job will finish any more.
func (r *Reporter) close(t *target, in ReportInput, mode pipeline.Mode, failedBefore pipeline.Target) {
	began := t.Outcome
	next, operator := t.Next, t.Operator
	t.Next, t.Operator = mode.Afresh(), ""
	switch {
	case began == pipeline.OutcomeWaiting && t.attempt.Number > 0: // an apply tried, and could not begin
		t.Outcome, t.Next, t.Operator = t.attempt.Result.Outcome, next, operator
	case began == pipeline.OutcomeApplying:
		t.Outcome, t.Message = pipeline.OutcomeFailed, "the apply was interrupted; the tool may still be finishing by itself, and what it changed is recorded in the state"
	case failedBefore.Environment != "":
		t.Outcome, t.Message, t.Next = pipeline.OutcomeSkipped, fmt.Sprintf("%s did not succeed", failedBefore.Name()), "" // the next step stands there
	case in.Cancelled:
		t.Outcome, t.Message = pipeline.OutcomeCancelled, "the workflow was cancelled"
	case began == pipeline.OutcomeWaiting && !r.Now().Before(t.Expires):
		t.Outcome, t.Reason, t.Message = pipeline.OutcomeExpired, pipeline.ReasonExpired, "the plan expired at "+t.Expires.UTC().Format(time.RFC3339)
	case began == pipeline.OutcomeWaiting && t.Gated:
		t.Outcome, t.Message = pipeline.OutcomeRejected, "the apply did not begin: a reviewer said no, or its job ended before it could"
	case began == pipeline.OutcomeWaiting:
		t.Outcome, t.Message = pipeline.OutcomeCancelled, "the apply did not start"
	case began == pipeline.OutcomeRequested:
		t.Outcome, t.Message = pipeline.OutcomeFailed, "the plan never began: its job did not start, or ended before it could plan"
	default:
		t.Outcome, t.Message = pipeline.OutcomeFailed, "the plan did not finish: its job ended without a result"
	}
}

func (r *Reporter) target(ctx context.Context, in ReportInput, request pipeline.Request, of pipeline.Target) (target, error) {
	st, err := ledger.ReadTargetStatus(ctx, r.viewed(), request, of)
	if err != nil {
		return target{}, err
	}
	rule, _ := in.Customer.Manager.Rule(of.Environment)
	e := st.Result
	t := target{
		TargetReport: pipeline.TargetReport{
			Target:      of,
			Outcome:     e.Outcome,
			Reason:      e.Reason,
			Message:     e.Message,
			Next:        e.Next,
			Operator:    e.Operator,
			Applies:     request.Applies(of),
			Gated:       rule.Gated || request.Mode == pipeline.ModeDestroy || request.NeedsPropertyApproval(),
			PlanOnly:    request.Find(of).PlanOnly,
			Reviewed:    e.Reviewed,
			Diagnostics: e.Diagnostics,
			Done:        e.Done,
			Outputs:     e.Outputs,
			Composed:    e.Composed,
			RunURL:      cmp.Or(e.Run.URL, request.ManagerRun.URL),
			EndedAt:     e.At,
		},
		doubted: st.Doubt != nil,
		run:     e.Run,
		folder:  st.Folder,
		attempt: st.Attempt,
	}
	if e.Internal {
		t.internal = e.Message
	}
	if st.Receipt != nil {
		t.digest = st.Receipt.Digest()
	}
	if err := r.plan(ctx, st, &t.TargetReport); err != nil {
		return target{}, fmt.Errorf("read the plan of %s: %w", of, err)
	}
	toPlan := t.Outcome == pipeline.OutcomeRequested && !in.Final // its plan looks for a newer request itself
	if !t.Outcome.Final() && t.Applies && !toPlan && !st.Attempt.IsNewest(request.ID) {
		newer, err := record.Superseding(ctx, r.records(), request, of)
		if err != nil {
			return target{}, err
		}
		if newer != "" && t.Outcome != pipeline.OutcomeApplying {
			t.Outcome, t.Reason, t.Message, t.Next = pipeline.OutcomeSuperseded, pipeline.ReasonSuperseded, "request "+newer.Short()+" took its place", ""
			t.Operator = ""
		}
	}
	return t, nil
}

// plan adds the redacted plan and its receipt. A model that cannot be opened is
// reported as such, and hides nothing else.
func (r *Reporter) plan(ctx context.Context, st ledger.TargetStatus, t *pipeline.TargetReport) error {
	receipt := st.Receipt
	if receipt == nil {
		return nil
	}
	model, err := st.Planned.OpenModel(ctx, r.Sealer)
	switch {
	case errors.Is(err, pipeline.ErrTampered), errors.Is(err, pipeline.ErrUnknownKey):
		t.Message = strings.TrimPrefix(t.Message+"; the stored plan cannot be shown: it or its receipt is not what was stored", "; ")
		r.Logf("%v", err)
		return nil
	case err != nil:
		return err
	}
	t.Receipt, t.ReceiptCode, t.Expires, t.PlannedAt = receipt.Digest(), receipt.Code(), receipt.Expires, receipt.PlannedAt
	t.Plan = &pipeline.Plan{}
	return pipeline.DecodeExact(model, t.Plan)
}

func (r *Reporter) records() record.Records { return record.Records{Store: r.Store, Sealer: r.Sealer} }

// viewed are the records as this report sees them: each is read once.
func (r *Reporter) viewed() record.Records { return record.Records{Store: r.seen, Sealer: r.Sealer} }

func (r *Reporter) ledger() ledger.Ledger {
	return ledger.Ledger{Records: r.records(), Now: r.Now, Seen: r.seen}
}

// FindRejected returns what fetch-vars wrote down about a run whose request had
// no proved origin, or ErrNotFound.
func FindRejected(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, run pipeline.Run) (record.UnverifiedRequest, error) {
	var u record.UnverifiedRequest
	err := record.Records{Store: s, Sealer: sealer}.ReadRecord(ctx, record.PlanAttempt{Target: pipeline.Target{Customer: record.FleetName}}, record.UnverifiedKey(run), &u)
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		err = record.TamperedOr(err, fmt.Sprintf("the record of why run %d was rejected", run.ID))
	}
	return u, err
}
