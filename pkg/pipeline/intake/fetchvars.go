package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// FetchVars is the manager's first step: it proves where a request comes from,
// reads variables.yml at the commit, and writes the request down.
type FetchVars struct {
	GitHub    sourceGitHub
	Customers pipeline.CustomerRegistry
	Store     pipeline.Store
	Sealer    pipeline.Sealer
	// Parse reads variables.yml of a customer; file is its path in their repo.
	Parse func(c pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems)
	// Overlap reports whether a version can fulfill two constraints.
	Overlap func(a, b string) bool
	// Verify checks an ID token; at is the time the token has to be valid at.
	Verify func(ctx context.Context, token, audience string, at time.Time) (pipeline.Claims, error)
	// Runs stops the manager's runs that wait in vain; nil where there are none (a
	// laptop). Close reports on their requests for the last time.
	Runs pipeline.RunCanceller
	// Own reads the manager's repository; nil where there is no token for it.
	Own   ownGitHub
	Close func(ctx context.Context, old pipeline.Request) error
	// Status is the description of the status of the whole request. The words are those of
	// a report, which then does not write it again.
	Status func(r pipeline.Report, t pipeline.Target) string
	Now    func() time.Time
	Logf   func(format string, args ...any)

	seen *record.View // of Store, for what is decided before the request is written
}

type sourceGitHub interface {
	pipeline.DeployedGitHub
	// RepositoryProperties reads a repository and, in the same answer, its custom properties.
	RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
	WorkflowRun(ctx context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error)
	// RunAttempt is one attempt of a run, which need not be the newest.
	RunAttempt(ctx context.Context, repo pipeline.Slug, id int64, attempt int) (pipeline.WorkflowRun, error)
	PullRequest(ctx context.Context, repo pipeline.Slug, number int) (pipeline.PullRequest, error)
	PullRequestsOf(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error)
	Reachable(ctx context.Context, repo pipeline.Slug, branch string, sha pipeline.SHA) (bool, error)
	// Compare reports whether head has commits that base has not, and the other way
	// round; a *NotVisibleError when one of them does not exist.
	Compare(ctx context.Context, repo pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error)
	BranchHead(ctx context.Context, repo pipeline.Slug, branch string) (pipeline.SHA, error)
	File(ctx context.Context, repo pipeline.Slug, ref, path string) (pipeline.File, error)
	// SetStatus writes a status that is not among known.
	SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, status pipeline.Status, known []pipeline.Status) error
}

// FetchInput is one call of fetch-vars.
type FetchInput struct {
	Event         pipeline.Event // the manager's own event
	Run           pipeline.Run   // the manager's own run
	Manager       pipeline.Slug
	ManagerCommit pipeline.SHA
	// Manual is set for a request born in the manager (workflow_dispatch, or an
	// operator): there is no payload then.
	Manual *ManualRequest
	// Requesters caused this attempt of the manager's run, as GitHub says: they are
	// those of a manual request. nil where it was not asked.
	Requesters []pipeline.Account
}

// ManualRequest is a request that an operator of the manager makes.
type ManualRequest struct {
	Customer pipeline.CustomerName
	// Commit is a full SHA on an allowed branch; empty means the head of the
	// repo's default branch.
	Commit      pipeline.SHA
	Environment pipeline.Environment // empty: all; a destroy needs one
	Stack       pipeline.StackName   // empty: all; a destroy needs one where stacks have names
	Mode        pipeline.Mode
	// Confirm is the target of a destroy as the operator typed it: customer/environment, with /stack where
	// stacks have names.
	Confirm string
	Actor   string
}

// target is the one of a request for a single target.
func (a ManualRequest) target() pipeline.Target {
	return pipeline.Target{Customer: a.Customer, Environment: a.Environment, Stack: a.Stack}
}

// ownGitHub reads the manager's own repository.
type ownGitHub interface {
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	BranchHead(ctx context.Context, repo pipeline.Slug, branch string) (pipeline.SHA, error)
}

// Run accepts or rejects the request. A request that is rejected after its
// origin was proved is returned beside the *RejectedError, since the answer to
// it goes to the customer; without a proved origin the returned request is zero
// and nothing was written to any customer's repo.
func (f *FetchVars) Run(ctx context.Context, in FetchInput) (pipeline.Request, error) {
	fetch := *f
	fetch.seen = record.NewView(f.Store)
	return fetch.run(ctx, in)
}

func (f *FetchVars) run(ctx context.Context, in FetchInput) (pipeline.Request, error) {
	from, err := f.origin(ctx, in)
	if err != nil {
		return pipeline.Request{}, f.recordUnverified(ctx, in, err)
	}
	fresh, err := f.look(ctx, from.customer)
	if err != nil {
		return pipeline.Request{}, err
	}
	if known, found, err := f.known(ctx, in, from); err != nil {
		return known, err
	} else if found {
		err := errors.Join(record.MarkOpen(ctx, f.Store, known), f.rank(ctx, known)) // the report says how it stands by now
		f.supersede(ctx, in, known)
		return known, err
	}
	renamed, err := f.registered(ctx, &from)
	if err != nil {
		return pipeline.Request{}, err
	}
	request := pipeline.Request{
		ID: from.id, Customer: from.customer.Name, Repository: from.repository, Event: from.event, Actor: from.actor, Requesters: from.requesters,
		Mode: from.mode, Commit: from.commit, Branch: from.branch, PullRequest: from.pullRequest,
		File:             path.Join(from.customer.Path, pipeline.VariablesFile),
		SharedRepository: from.qualified, AskedAs: from.askedAs, Registration: from.registered, ManagerCommit: in.ManagerCommit, CustomerRun: from.run, ManagerRun: in.Run,
		CreatedAt: f.Now().UTC(),
	}
	if request.Event != "pull_request" && !request.Mode.Changes() {
		request.PullRequest = 0 // a dry run is no part of the story of a merge
	}
	var raw []byte
	var former *pipeline.RenamedEnvironmentError
	if from.rejection != nil {
		request.Reason, request.Problems = from.rejection.Reason, from.rejection.Problems
	} else if raw, err = f.variables(ctx, from, &request); errors.As(err, &former) {
		request.Reject(former.Answer(request.File))
	} else if err != nil {
		return pipeline.Request{}, err
	}
	request.Problems = request.Problems.Public()
	if err := f.write(ctx, from, request, raw); err != nil {
		return pipeline.Request{}, err
	}
	if request.Rejected() {
		rejected := &pipeline.RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s is rejected", request.ID.Short(), request.Customer), Problems: request.Problems}
		var left *pipeline.RejectedError
		if errors.As(from.customer.CheckOffboarded(request.Mode), &left) {
			rejected.Message, rejected.Next = rejected.Message+": "+left.Message, left.Next
		}
		if renamed != nil {
			rejected.Message, rejected.Next = rejected.Message+": "+renamed.What(), renamed.Operator()
		}
		if former != nil {
			rejected.Message, rejected.Next = rejected.Message+": "+former.What(), former.Operator()
		}
		return request, rejected
	}
	err = errors.Join(f.rank(ctx, request), f.announce(ctx, from, request))
	if !fresh { // one that has come since then sees that it is older by itself
		f.supersede(ctx, in, request)
	}
	return request, err
}

// known returns the request when this manager run has accepted it before (a
// re-run of the job), and rejects one that another run has accepted.
func (f *FetchVars) known(ctx context.Context, in FetchInput, from origin) (pipeline.Request, bool, error) {
	request, err := record.LoadRequest(ctx, f.viewed(), from.customer.Name, from.id)
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Request{}, false, record.TamperedOr(err, fmt.Sprintf("the record %s, which stands where this request is to be written,", record.RequestKey(from.customer.Name, from.id)))
	}
	if err == nil {
		if request.ManagerRun.ID != in.Run.ID || request.Commit != from.commit {
			return pipeline.Request{}, false, f.recordUnverified(ctx, in, &pipeline.RejectedError{
				Reason:  pipeline.ReasonReplayed,
				Message: fmt.Sprintf("request %s was accepted before, by run %d", from.id.Short(), request.ManagerRun.ID),
			})
		}
		if request.Rejected() {
			return request, true, &pipeline.RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s is rejected", request.ID.Short(), request.Customer), Problems: request.Problems}
		}
		return request, true, nil
	}
	if from.token == "" {
		return pipeline.Request{}, false, nil
	}
	return pipeline.Request{}, false, f.useToken(ctx, in, from, pipeline.SHA256Hex([]byte(from.token)))
}

// useToken marks the signature of a request as used by this run, and rejects one that
// another run has used.
func (f *FetchVars) useToken(ctx context.Context, in FetchInput, from origin, sum string) error {
	mark, key := record.PlanAttempt{Target: pipeline.Target{Customer: from.customer.Name}}, "_metapipe/tokens/"+sum
	err := f.records().CreateRecord(ctx, mark, key, in.Run.ID)
	if !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	var used int64
	switch err := f.records().ReadRecord(ctx, mark, key, &used); {
	case err != nil:
		return record.TamperedOr(err, fmt.Sprintf("the mark of the used signature of request %s, %s,", from.id.Short(), key))
	case used != in.Run.ID:
		return f.recordUnverified(ctx, in, &pipeline.RejectedError{Reason: pipeline.ReasonReplayed, Message: fmt.Sprintf("the signature of request %s was used before, by run %d", from.id.Short(), used)})
	}
	return nil
}

func (f *FetchVars) records() record.Records { return record.Records{Store: f.Store, Sealer: f.Sealer} }

// viewed are the records as this call of Run sees them: each is read once.
func (f *FetchVars) viewed() record.Records {
	if f.seen == nil {
		return f.records()
	}
	return record.Records{Store: f.seen, Sealer: f.Sealer}
}

// variables returns the variables.yml that the request works with, and fills in its
// targets.
func (f *FetchVars) variables(ctx context.Context, from origin, request *pipeline.Request) ([]byte, error) {
	if request.Mode == pipeline.ModeDestroy {
		return f.lastVariables(ctx, from, request)
	}
	return f.read(ctx, from, request)
}

// read fetches and checks variables.yml and works out the targets. Problems that
// the customer can correct are put into the request.
func (f *FetchVars) read(ctx context.Context, from origin, request *pipeline.Request) ([]byte, error) {
	if !f.narrow(&from, request) {
		return nil, nil
	}
	file, err := f.GitHub.File(ctx, from.repository.Slug, string(from.commit), request.File)
	if pipeline.Gone(err) && request.Properties.OnlyApp() {
		return nil, f.disabled(ctx, from, allEnvironments(from.offered), request)
	}
	if pipeline.Gone(err) {
		request.Reason = pipeline.ReasonMissingVariables
		request.Problems = pipeline.Problems{{
			Position: pipeline.Position{File: request.File},
			Rule:     "missing-file",
			Message:  "the file does not exist at commit " + from.commit.Short(),
			Remedy:   "add " + request.File + " with a project_name and an environments map",
		}}
		return nil, nil
	}
	var problems pipeline.Problems
	if errors.As(err, &problems) { // a symlink, a directory, too large
		request.Reason, request.Problems = pipeline.ReasonInvalidVariables, problems
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of %s at %s: %w", request.File, from.repository, from.commit.Short(), err)
	}
	request.Blob = file.Blob
	document, problems := f.Parse(from.customer, request.File, file.Content)
	if problems.Err() == nil {
		problems = append(problems, targets(from, document, request)...)
		denied, err := f.denied(ctx, from, document, request)
		if err != nil {
			return nil, err
		}
		problems = append(problems, denied...)
		if problems.Err() == nil && len(request.Targets) == 0 && !request.NoTools() { // it would count as done
			problems = append(problems, nothingLeft(from.customer, request.File))
		}
	}
	if problems.Err() != nil {
		request.Reason, request.Problems = reasonOf(problems), problems
		request.Targets = nil
		return file.Content, nil
	}
	return file.Content, errors.Join(f.removed(ctx, from, document.Environments(), request), f.deployed(ctx, from.customer, request))
}

// nothingLeft says why a request has no targets.
func nothingLeft(c pipeline.Customer, file string) pipeline.Problem {
	p := pipeline.Problem{Position: pipeline.Position{File: file}, Rule: "no-environments", Message: "no environment is left to work on",
		Remedy: "list one of " + pipeline.AllowedNames(c) + " under `environments`"}
	if len(c.RunBy(pipeline.RunnerActions)) == 0 && len(c.Targets()) > 0 {
		p.Rule, p.Message = "other-runner", "Spacelift runs all stacks of this customer"
		p.Remedy = "look at the stacks in Spacelift; the service provider brings new values there with `metapipe spacelift sync --apply`"
	}
	return p
}

// write stores the request: index entries first, the request itself with its variables
// last, so that what can be found is complete.
func (f *FetchVars) write(ctx context.Context, from origin, request pipeline.Request, raw []byte) error {
	for _, key := range append([]string{record.OpenKey(request)}, record.Places(request)...) { // a run that died here before has left some of them
		if err := f.Store.Create(ctx, key, strings.NewReader(string(request.ID))); err != nil && !errors.Is(err, pipeline.ErrExists) {
			return fmt.Errorf("queue request %s: %w", request.ID.Short(), err)
		}
	}
	if err := f.appendLedger(ctx, from, request); err != nil {
		return err
	}
	if err := record.CreateRequest(ctx, f.records(), request, raw); err != nil {
		return fmt.Errorf("store request %s: %w", request.ID.Short(), err)
	}
	return nil
}

// announce posts that the request is accepted, in the status of the whole request. The report
// that follows in the same job adds those of the targets. No status of the commit can have
// the id of a new request, so they need not be read for it.
func (f *FetchVars) announce(ctx context.Context, from origin, request pipeline.Request) error {
	if from.unseen != "" {
		f.Logf("request %s: %s of %s for %s; %s", request.ID.Short(), request.Mode, request.Customer, request.TargetNames(), from.unseen)
		return nil
	}
	report := pipeline.Report{Request: request, At: f.Now().UTC()}
	for _, t := range request.Targets {
		report.Targets = append(report.Targets, pipeline.TargetReport{Target: t.Target, Outcome: pipeline.OutcomeRequested, Applies: request.Applies(t.Target), PlanOnly: t.PlanOnly})
	}
	s := pipeline.Status{Context: request.StatusContext(pipeline.Target{}), State: pipeline.StatusPending, TargetURL: request.ManagerRun.URL,
		Description: pipeline.WithRequestTag(f.Status(report, pipeline.Target{}), request.ID)}
	err := f.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s, nil)
	if cause, refused := pipeline.RefusalOf(err); refused { // the report says it too; the plan does not depend on it
		f.Logf("status %s on %s cannot be posted: %s", s.Context, request.Commit.Short(), cause)
	} else if err != nil {
		return fmt.Errorf("post status %s on %s: %w", s.Context, request.Commit.Short(), err)
	}
	f.Logf("request %s: %s of %s at %s for %s", request.ID.Short(), request.Mode, request.Customer, request.Commit.Short(), request.TargetNames())
	return nil
}

// recordUnverified writes a rejection down for the manager and returns it. Failures on
// the way (network, limits) pass through: they are no rejection.
func (f *FetchVars) recordUnverified(ctx context.Context, in FetchInput, cause error) error {
	var rejected *pipeline.RejectedError
	if !errors.As(cause, &rejected) {
		return pipeline.PublicError(cause)
	}
	rejected = rejected.Public()
	cause = rejected
	stored := record.UnverifiedRequest{Reason: rejected.Reason, Message: rejected.Message, Run: in.Run, At: f.Now().UTC()}
	if json.Valid(in.Event.Payload) {
		stored.Payload = pipeline.KeptPayload(in.Event.Payload)
	}
	if err := f.records().CreateRecord(ctx, record.PlanAttempt{Target: pipeline.Target{Customer: record.FleetName}}, record.UnverifiedKey(in.Run), stored); err != nil &&
		!errors.Is(err, pipeline.ErrExists) {
		return errors.Join(cause, fmt.Errorf("write the rejection down: %w", err))
	}
	return errors.Join(cause, f.appendUnverified(ctx, in, rejected))
}
