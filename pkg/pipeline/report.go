package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	Tell     func(format string, args ...any)
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
	Run       Run
}

// Run reports. It returns the report and its job summary also when GitHub could
// not be told everything; what failed is in the error.
func (r *Reporter) Run(ctx context.Context, in ReportInput) (Report, string, error) {
	request, err := loadRequest(ctx, r.Store, in.Customer.Name, in.Request)
	if err != nil {
		return Report{}, "", err
	}
	report, err := r.collect(ctx, in, request)
	if err != nil {
		return Report{}, "", err
	}
	summary := r.Renderer.Summary(report)
	// Each part is tried: a comment that fails must not leave a status pending. The
	// statuses come last, since a customer's job that waits for the overall one
	// reads the outputs from the deployments as soon as it is final.
	err = errors.Join(r.deployments(ctx, report), r.comment(ctx, report), r.statuses(ctx, report))
	return report, summary, err
}

// collect reads how each target stands.
func (r *Reporter) collect(ctx context.Context, in ReportInput, request Request) (Report, error) {
	report := Report{Request: request, Manager: in.Manager, At: r.Now().UTC()}
	if request.Rejected() {
		return report, nil
	}
	failedBefore := Environment("")
	for _, env := range request.Targets {
		t, err := r.target(ctx, in, request, env)
		if err != nil {
			return Report{}, err
		}
		if in.Final && !t.Outcome.Final() {
			r.close(&t, in, failedBefore)
		}
		if !t.Outcome.Succeeded() && t.Outcome.Final() && failedBefore == "" {
			failedBefore = env
		}
		report.Targets = append(report.Targets, t)
	}
	return report, nil
}

// close decides how a target ended that no job will finish any more.
func (r *Reporter) close(t *TargetReport, in ReportInput, failedBefore Environment) {
	began, held := t.Outcome, t.Message != ""
	next := t.Next
	t.Next = "push again, or run the whole workflow again, to get a fresh plan"
	switch {
	case began == OutcomeWaiting && held: // an apply tried, and could not begin
		t.Outcome, t.Next = OutcomeRefused, next
		if t.Reason == "" {
			t.Outcome = OutcomeFailed
		}
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
	default:
		t.Outcome, t.Message = OutcomeFailed, "the plan did not finish: its job ended without a result"
	}
}

// standing is what the store tells of one target.
type standing struct {
	ended  Ended
	folder planning
}

// targetStanding reads the newest planning of a target and what became of it.
func targetStanding(ctx context.Context, s Store, request Request, env Environment) (standing, error) {
	st := standing{ended: Ended{Outcome: OutcomeRequested}}
	folder, found, err := latestPlanning(ctx, s, request, env)
	if err != nil || !found {
		return st, err
	}
	st.folder = folder
	steps := []struct {
		object, overtakenBy string // what is not read when the other one is there
		into                func(key string) error
	}{
		{objectBegun, objectPlanned, func(key string) error { return st.begun(ctx, s, key, OutcomePlanning) }},
		{objectPlanned, "", func(key string) error { return st.end(ctx, s, key) }},
		{objectHeld, objectApplyBegun, func(key string) error { return st.held(ctx, s, key) }},
		{objectApplyBegun, objectApplied, func(key string) error { return st.begun(ctx, s, key, OutcomeApplying) }},
		{objectApplied, "", func(key string) error { return st.end(ctx, s, key) }},
	}
	for _, step := range steps {
		if !folder.has(step.object) || folder.has(step.overtakenBy) {
			continue
		}
		if err := step.into(folder.key(step.object)); err != nil && !errors.Is(err, ErrNotFound) {
			return st, fmt.Errorf("read how %s/%s stands: %w", request.Customer, env, err)
		}
	}
	return st, nil
}

func (st *standing) begun(ctx context.Context, s Store, key string, outcome Outcome) error {
	var b Begun
	if err := readJSON(ctx, s, key, &b); err != nil {
		return err
	}
	st.ended.Outcome, st.ended.Run, st.ended.At = outcome, b.Run, b.At
	return nil
}

// held adds why an apply has not begun to a plan that still waits for it.
func (st *standing) held(ctx context.Context, s Store, key string) error {
	var e Ended
	if err := readJSON(ctx, s, key, &e); err != nil {
		return err
	}
	if st.ended.Outcome == OutcomeWaiting {
		st.ended.Reason, st.ended.Message, st.ended.Next = e.Reason, e.Message, e.Next
	}
	return nil
}

func (st *standing) end(ctx context.Context, s Store, key string) error {
	var e Ended
	if err := readJSON(ctx, s, key, &e); err != nil {
		return err
	}
	if e.Reviewed == "" {
		e.Reviewed = st.ended.Reviewed
	}
	st.ended = e
	return nil
}

func (r *Reporter) target(ctx context.Context, in ReportInput, request Request, env Environment) (TargetReport, error) {
	st, err := targetStanding(ctx, r.Store, request, env)
	if err != nil {
		return TargetReport{}, err
	}
	rule, _ := in.Customer.Manager.Rule(env)
	e := st.ended
	t := TargetReport{Environment: env, Outcome: e.Outcome, Reason: e.Reason, Message: e.Message, Next: e.Next, Applies: request.Applies(env), Gated: rule.Gated, Held: request.Held[env],
		Reviewed: e.Reviewed, Diagnostics: e.Diagnostics, Done: e.Done, Outputs: e.Outputs, RunURL: cmp.Or(e.Run.URL, request.ManagerRun.URL), EndedAt: e.At}
	if err := r.plan(ctx, st, &t); err != nil {
		return TargetReport{}, fmt.Errorf("read the plan of %s/%s: %w", request.Customer, env, err)
	}
	if !t.Outcome.Final() && t.Applies {
		newer, err := superseding(ctx, r.Store, request, env)
		if err != nil {
			return TargetReport{}, err
		}
		if newer != "" && t.Outcome != OutcomeApplying {
			t.Outcome, t.Reason, t.Message, t.Next = OutcomeSuperseded, ReasonSuperseded, "request "+newer.Short()+" took its place", ""
		}
	}
	return t, nil
}

// plan adds the redacted plan and its receipt. A model that cannot be opened is
// told as such, and hides nothing else.
func (r *Reporter) plan(ctx context.Context, st standing, t *TargetReport) error {
	if !st.folder.has(objectReceipt) {
		return nil
	}
	var b []byte
	receipt, err := readReceipt(ctx, r.Store, st.folder)
	if err != nil && !errors.Is(err, ErrTampered) {
		return err
	}
	if err == nil {
		t.ReceiptCode, t.Expires, t.PlannedAt = receipt.Code(), receipt.Expires, receipt.PlannedAt
		b, err = unsealBytes(ctx, r.Store, r.Sealer, st.folder.key(objectModel), binding(receipt, objectModel))
	}
	if err != nil {
		t.Message = strings.TrimPrefix(t.Message+"; the stored plan cannot be shown: it or its receipt is not what was stored", "; ")
		r.Tell("%v", err)
		return nil
	}
	t.Plan = &Plan{}
	return json.Unmarshal(b, t.Plan)
}

// Overall sums the targets up: the worst final state wins, and anything open
// keeps the whole pending.
func (r Report) Overall() StatusState {
	if r.Request.Reason == ReasonSuperseded {
		return StatusError // nothing to mend: the newer commit's request carries on
	}
	if r.Request.Rejected() {
		return StatusFailure
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

func (r *Reporter) statuses(ctx context.Context, report Report) error {
	request := report.Request
	set := func(env Environment, state StatusState, url string) error {
		s := Status{Context: request.StatusContext(env), State: state, Description: tagged(r.Renderer.Status(report, env), request.ID), TargetURL: url}
		if err := r.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s); err != nil {
			return fmt.Errorf("post status %s on %s of %s: %w", s.Context, request.Commit.Short(), request.Repository, err)
		}
		return nil
	}
	// Requests for one commit share its statuses: the newest that works on a
	// target has the say over the target's, and the newest of all over the rest.
	newer, err := newerRequests(ctx, r.Store, request, commitPrefix(request))
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range report.Targets {
		if !slices.ContainsFunc(newer, func(n Request) bool { return slices.Contains(n.Targets, t.Environment) }) {
			errs = append(errs, set(t.Environment, t.Outcome.Status(), t.RunURL))
		}
	}
	// The overall status comes last: who waits for it finds the others final.
	if len(newer) == 0 {
		errs = append(errs, set("", report.Overall(), request.ManagerRun.URL))
	} else {
		r.Tell("request %s is newer: it has the statuses of %s", newer[0].ID.Short(), request.Commit.Short())
	}
	return errors.Join(errs...)
}

// comment creates or edits the one comment of this customer on the pull request.
// It is ours when both the marker and the author are; a newer request has the
// say over it; duplicates are deleted.
func (r *Reporter) comment(ctx context.Context, report Report) error {
	request := report.Request
	if request.PullRequest == 0 || request.Reason == ReasonSuperseded {
		return nil
	}
	what := fmt.Sprintf("comment on pull request #%d of %s", request.PullRequest, request.Repository)
	newer, err := newerRequests(ctx, r.Store, request, pullPrefix(request.Customer, request.PullRequest))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(newer) > 0 {
		r.Tell("request %s is newer: it has the %s", newer[0].ID.Short(), what)
		return nil
	}
	comments, err := r.GitHub.Comments(ctx, request.Repository.Slug, request.PullRequest)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	marker := Marker(report.Manager, request.Customer, "plan")
	body := marker + "\n" + r.Renderer.Comment(report)
	comments = slices.DeleteFunc(slices.Clone(comments), func(c Comment) bool { return !strings.HasPrefix(c.Body, marker) })
	ours, err := r.ours(ctx, comments)
	if err != nil {
		return fmt.Errorf("%s: find out who we are: %w", what, err)
	}
	if len(ours) == 0 {
		if _, err := r.GitHub.CreateComment(ctx, request.Repository.Slug, request.PullRequest, body); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	return r.edit(ctx, report, ours, body)
}

// ours keeps the comments that we wrote: anybody can paste a marker.
func (r *Reporter) ours(ctx context.Context, comments []Comment) ([]Comment, error) {
	if len(comments) == 0 {
		return nil, nil
	}
	login, err := r.GitHub.Login(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(comments, func(c Comment) bool { return !strings.EqualFold(c.Author, login) }), nil
}

func (r *Reporter) edit(ctx context.Context, report Report, ours []Comment, body string) error {
	repo := report.Request.Repository.Slug
	var errs []error
	if ours[0].Body != body {
		_, err := r.GitHub.EditComment(ctx, repo, ours[0].ID, body)
		errs = append(errs, err)
	}
	for _, duplicate := range ours[1:] {
		errs = append(errs, r.GitHub.DeleteComment(ctx, repo, duplicate.ID))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("update the comment on pull request #%d of %s: %w", report.Request.PullRequest, repo, err)
	}
	return nil
}

// Marker is the hidden first line of a comment or issue by which it is found
// again: a hash of who writes it, for which customer, and of what kind.
func Marker(manager Slug, customer CustomerName, kind string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(manager.String()) + "\x00" + string(customer) + "\x00" + kind))
	return "<!-- metapipe:" + hex.EncodeToString(sum[:8]) + " -->"
}

// deployments creates the deployment that carries the outputs of each applied
// target.
func (r *Reporter) deployments(ctx context.Context, report Report) error {
	request := report.Request
	var errs []error
	for _, t := range report.Targets {
		if t.Outcome != OutcomeApplied {
			continue
		}
		outputs := map[string]string{}
		for _, o := range t.Outputs {
			if !o.Sensitive {
				outputs[o.Name] = o.Value
			}
		}
		_, err := r.GitHub.CreateDeployment(ctx, request.Repository.Slug, Deployment{
			SHA: request.Commit, Ref: string(request.Commit), Environment: request.DeploymentEnvironment(t.Environment),
			Description: r.Renderer.Status(report, t.Environment), State: "success", LogURL: t.RunURL,
			Payload: DeploymentPayload{Request: request.ID, Customer: request.Customer, Environment: t.Environment, Outcome: t.Outcome, Outputs: outputs},
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("create deployment %s of %s: %w", request.DeploymentEnvironment(t.Environment), request.Repository, err))
		}
	}
	return errors.Join(errs...)
}

// FindRejected returns what fetch-vars wrote down about a run whose request had
// no proved origin, or ErrNotFound.
func FindRejected(ctx context.Context, s Store, run Run) (Unproved, error) {
	var u Unproved
	return u, readJSON(ctx, s, unprovedKey(run), &u)
}
