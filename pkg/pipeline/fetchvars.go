package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// FetchVars is the manager's first step: it proves where a request comes from,
// reads variables.yml at the commit, and writes the request down.
type FetchVars struct {
	GitHub    sourceGitHub
	Customers CustomerRegistry
	Store     Store
	Sealer    Sealer
	// Parse reads variables.yml of a customer; file is its path in their repo.
	Parse func(c Customer, file string, raw []byte) (Document, Problems)
	// Verify checks an ID token; at is the time the token has to be valid at.
	Verify func(ctx context.Context, token, audience string, at time.Time) (Claims, error)
	// Runs stops the manager's runs that wait in vain; nil where there are none (a
	// laptop). Close reports on their requests for the last time.
	Runs RunCanceller
	// Own reads the manager's repository; nil where there is no token for it.
	Own   ownGitHub
	Close func(ctx context.Context, old Request) error
	Now   func() time.Time
	Logf  func(format string, args ...any)
}

type sourceGitHub interface {
	DeployedGitHub
	Repository(ctx context.Context, repo Slug) (Repository, error)
	WorkflowRun(ctx context.Context, repo Slug, id int64) (WorkflowRun, error)
	// RunAttempt is one attempt of a run, which need not be the newest.
	RunAttempt(ctx context.Context, repo Slug, id int64, attempt int) (WorkflowRun, error)
	PullRequest(ctx context.Context, repo Slug, number int) (PullRequest, error)
	PullRequestsOf(ctx context.Context, repo Slug, sha SHA) ([]PullRequest, error)
	Reachable(ctx context.Context, repo Slug, branch string, sha SHA) (bool, error)
	// Compare reports whether head has commits that base has not, and the other way
	// round; a *NotVisibleError when one of them does not exist.
	Compare(ctx context.Context, repo Slug, base, head SHA) (ahead, behind bool, err error)
	BranchHead(ctx context.Context, repo Slug, branch string) (SHA, error)
	File(ctx context.Context, repo Slug, ref, path string) (File, error)
	SetStatus(ctx context.Context, repo Slug, sha SHA, status Status) error
}

type CustomerRegistry interface {
	Customer(name CustomerName) (Customer, bool)
	ByRepository(id int64) []Customer
}

// FetchInput is one call of fetch-vars.
type FetchInput struct {
	Event         Event // the manager's own event
	Run           Run   // the manager's own run
	Manager       Slug
	ManagerCommit SHA
	// Manual is set for a request born in the manager (workflow_dispatch, or an
	// operator): there is no payload then.
	Manual *ManualRequest
	// Requesters caused this attempt of the manager's run, as GitHub says: they are
	// those of a manual request. nil where it was not asked.
	Requesters []Account
}

// ManualRequest is a request that an operator of the manager makes.
type ManualRequest struct {
	Customer CustomerName
	// Commit is a full SHA on an allowed branch; empty means the head of the
	// repo's default branch.
	Commit      SHA
	Environment Environment // empty: all; a destroy needs one
	Mode        Mode
	// Confirm is the target of a destroy as the operator typed it: customer/environment.
	Confirm string
	Actor   string
}

// ownGitHub reads the manager's own repository.
type ownGitHub interface {
	Repository(ctx context.Context, repo Slug) (Repository, error)
	BranchHead(ctx context.Context, repo Slug, branch string) (SHA, error)
}

// Run accepts or rejects the request. A request that is rejected after its
// origin was proved is returned beside the *RejectedError, since the answer to
// it goes to the customer; without a proved origin the returned request is zero
// and nothing was written to any customer's repo.
func (f *FetchVars) Run(ctx context.Context, in FetchInput) (Request, error) {
	from, err := f.origin(ctx, in)
	if err != nil {
		return Request{}, f.recordUnverified(ctx, in, err)
	}
	if known, found, err := f.known(ctx, in, from); err != nil {
		return known, err
	} else if found {
		err := errors.Join(MarkOpen(ctx, f.Store, known), f.rank(ctx, known), f.announce(ctx, known))
		f.supersede(ctx, in, known)
		return known, err
	}
	renamed, err := f.registered(ctx, &from)
	if err != nil {
		return Request{}, err
	}
	request := Request{
		ID: from.id, Customer: from.customer.Name, Repository: from.repository, Event: from.event, Actor: from.actor, Requesters: from.requesters,
		Mode: from.mode, Commit: from.commit, Branch: from.branch, PullRequest: from.pullRequest,
		File:             path.Join(from.customer.Path, VariablesFile),
		SharedRepository: from.qualified, ManagerCommit: in.ManagerCommit, CustomerRun: from.run, ManagerRun: in.Run,
		CreatedAt: f.Now().UTC(),
	}
	if request.Event != "pull_request" && !request.Mode.Changes() {
		request.PullRequest = 0 // a dry run is no part of the story of a merge
	}
	var raw []byte
	if from.rejection != nil {
		request.Reason, request.Problems = from.rejection.Reason, from.rejection.Problems
	} else if raw, err = f.variables(ctx, from, &request); err != nil {
		return Request{}, err
	}
	if err := f.write(ctx, request, raw); err != nil {
		return Request{}, err
	}
	if request.Rejected() {
		rejected := &RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s is rejected", request.ID.Short(), request.Customer), Problems: request.Problems}
		if renamed != nil {
			rejected.Message, rejected.Next = rejected.Message+": "+renamed.What(), renamed.Operator()
		}
		return request, rejected
	}
	err = errors.Join(f.rank(ctx, request), f.announce(ctx, request))
	f.supersede(ctx, in, request)
	return request, err
}

// known returns the request when this manager run has accepted it before (a
// re-run of the job), and rejects one that another run has accepted.
func (f *FetchVars) known(ctx context.Context, in FetchInput, from origin) (Request, bool, error) {
	request, err := LoadRequest(ctx, f.records(), from.customer.Name, from.id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Request{}, false, TamperedOr(err, fmt.Sprintf("the record %s, which stands where this request is to be written,", RequestKey(from.customer.Name, from.id)))
	}
	if err == nil {
		if request.ManagerRun.ID != in.Run.ID || request.Commit != from.commit {
			return Request{}, false, f.recordUnverified(ctx, in, &RejectedError{Reason: ReasonReplayed, Message: fmt.Sprintf("request %s was accepted before, by run %d", from.id.Short(), request.ManagerRun.ID)})
		}
		if request.Rejected() {
			return request, true, &RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s is rejected", request.ID.Short(), request.Customer), Problems: request.Problems}
		}
		return request, true, nil
	}
	if from.token == "" {
		return Request{}, false, nil
	}
	sum := sha256.Sum256([]byte(from.token))
	return Request{}, false, f.useToken(ctx, in, from, hex.EncodeToString(sum[:]))
}

// useToken marks the signature of a request as used by this run, and rejects one that
// another run has used.
func (f *FetchVars) useToken(ctx context.Context, in FetchInput, from origin, sum string) error {
	mark, key := PlanAttempt{Customer: from.customer.Name}, "_metapipe/tokens/"+sum
	err := f.records().CreateRecord(ctx, mark, key, in.Run.ID)
	if !errors.Is(err, ErrExists) {
		return err
	}
	var used int64
	switch err := f.records().ReadRecord(ctx, mark, key, &used); {
	case err != nil:
		return TamperedOr(err, fmt.Sprintf("the mark of the used signature of request %s, %s,", from.id.Short(), key))
	case used != in.Run.ID:
		return f.recordUnverified(ctx, in, &RejectedError{Reason: ReasonReplayed, Message: fmt.Sprintf("the signature of request %s was used before, by run %d", from.id.Short(), used)})
	}
	return nil
}

func (f *FetchVars) records() Records { return Records{Store: f.Store, Sealer: f.Sealer} }

// variables returns the variables.yml that the request works with, and fills in its
// targets.
func (f *FetchVars) variables(ctx context.Context, from origin, request *Request) ([]byte, error) {
	if request.Mode == ModeDestroy {
		return f.lastVariables(ctx, from, request)
	}
	return f.read(ctx, from, request)
}

// read fetches and checks variables.yml and works out the targets. Problems that
// the customer can mend are put into the request.
func (f *FetchVars) read(ctx context.Context, from origin, request *Request) ([]byte, error) {
	file, err := f.GitHub.File(ctx, from.repository.Slug, string(from.commit), request.File)
	if Gone(err) {
		request.Reason = ReasonMissingVariables
		request.Problems = Problems{{Position: Position{File: request.File}, Rule: "missing-file", Message: "the file does not exist at commit " + from.commit.Short(), Remedy: "add " + request.File + " with a project_name and an environments map"}}
		return nil, nil
	}
	var problems Problems
	if errors.As(err, &problems) { // a symlink, a directory, too large
		request.Reason, request.Problems = ReasonInvalidVariables, problems
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of %s at %s: %w", request.File, from.repository, from.commit.Short(), err)
	}
	request.Blob = file.Blob
	document, problems := f.Parse(from.customer, request.File, file.Content)
	if problems.Err() == nil {
		problems = append(problems, targets(from, document, request)...)
		if problems.Err() == nil && len(request.Targets) == 0 { // it would count as done
			problems = append(problems, Problem{Position: Position{File: request.File}, Rule: "no-environments", Message: "no environment is left to work on", Remedy: "list one of " + AllowedNames(from.customer) + " under `environments`"})
		}
	}
	if problems.Err() != nil {
		request.Reason, request.Problems = ReasonInvalidVariables, problems
		request.Targets, request.PlanOnly = nil, nil
		return file.Content, nil
	}
	return file.Content, errors.Join(f.removed(ctx, from, document, request), f.deployed(ctx, from.customer, request))
}

// write stores the request: variables and index entries first, the request
// itself last, so that what can be found is complete.
func (f *FetchVars) write(ctx context.Context, request Request, raw []byte) error {
	if raw != nil {
		if err := SealInto(ctx, f.Store, f.Sealer, RequestVariablesKey(request.Customer, request.ID), VariablesBinding(request), bytes.NewReader(raw)); err != nil && !errors.Is(err, ErrExists) {
			return fmt.Errorf("store variables of request %s: %w", request.ID.Short(), err)
		} else if err != nil { // of a run that died here before, and may have known less
			if err := VerifyRequest(ctx, f.records(), request); err != nil {
				return TamperedOr(err, "what an earlier attempt has stored of request "+request.ID.Short())
			}
		}
	}
	keys := []string{OpenKey(request), CommitKey(request)}
	if request.PullRequest > 0 {
		keys = append(keys, PullKey(request))
	}
	for _, env := range request.Targets {
		if request.Applies(env) {
			keys = append(keys, QueueKey(request, env))
		}
	}
	for _, key := range keys { // a run that died here before has left some of them
		if err := f.Store.Create(ctx, key, strings.NewReader(string(request.ID))); err != nil && !errors.Is(err, ErrExists) {
			return fmt.Errorf("queue request %s: %w", request.ID.Short(), err)
		}
	}
	if err := f.appendLedger(ctx, request); err != nil {
		return err
	}
	if err := f.records().CreateRecord(ctx, PlanAttempt{Customer: request.Customer}, RequestKey(request.Customer, request.ID), request); err != nil {
		return fmt.Errorf("store request %s: %w", request.ID.Short(), err)
	}
	return nil
}

func (f *FetchVars) announce(ctx context.Context, request Request) error {
	accepted, waiting := "Accepted: ", "Waiting for the plan"
	if request.Mode == ModeDestroy {
		accepted, waiting = "Accepted: destroy of ", "Destroy · Waiting for the plan"
	}
	statuses := []Status{{Context: request.StatusContext(""), Description: accepted + JoinNames(request.Targets)}}
	for _, env := range request.Targets {
		statuses = append(statuses, Status{Context: request.StatusContext(env), Description: waiting})
	}
	for _, s := range statuses {
		s.State, s.TargetURL, s.Description = StatusPending, request.ManagerRun.URL, WithRequestTag(s.Description, request.ID)
		err := f.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s)
		if cause, refused := RefusalOf(err); refused { // the report says it too; the plan does not depend on it
			f.Logf("status %s on %s cannot be posted: %s", s.Context, request.Commit.Short(), cause)
			continue
		}
		if err != nil {
			return fmt.Errorf("post status %s on %s: %w", s.Context, request.Commit.Short(), err)
		}
	}
	f.Logf("request %s: %s of %s at %s for %s", request.ID.Short(), request.Mode, request.Customer, request.Commit.Short(), JoinNames(request.Targets))
	return nil
}

// Unverified is the record of a request that nobody is answered for: only the
// manager sees it.
type Unverified struct {
	Reason  Reason          `json:"reason"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Run     Run             `json:"run"`
	At      time.Time       `json:"at"`
}

func UnverifiedKey(run Run) string {
	return fmt.Sprintf("_metapipe/rejected/%d-%d.json", run.ID, run.Attempt)
}

// recordUnverified writes a rejection down for the manager and returns it. Failures on
// the way (network, limits) pass through: they are no rejection.
func (f *FetchVars) recordUnverified(ctx context.Context, in FetchInput, cause error) error {
	var rejected *RejectedError
	if !errors.As(cause, &rejected) {
		return cause
	}
	stored := Unverified{Reason: rejected.Reason, Message: rejected.Message, Run: in.Run, At: f.Now().UTC()}
	if json.Valid(in.Event.Payload) {
		stored.Payload = WithoutToken(in.Event.Payload)
	}
	if err := f.records().CreateRecord(ctx, PlanAttempt{Customer: FleetName}, UnverifiedKey(in.Run), stored); err != nil && !errors.Is(err, ErrExists) {
		return errors.Join(cause, fmt.Errorf("write the rejection down: %w", err))
	}
	return errors.Join(cause, f.appendUnverified(ctx, in, rejected))
}
