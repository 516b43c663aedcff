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
	"strconv"
	"strings"
	"time"
)

// TriggerWorkflow is the file in a customer's repo from which requests come.
const TriggerWorkflow = ".github/workflows/trigger-infra.yml"

// runGrace is how long before the manager's run the customer's run may have
// ended: long enough for a dispatch to be delivered, too short to replay one.
const runGrace = 15 * time.Minute

// FetchVars is the manager's first step: it proves where a request comes from,
// reads variables.yml at the commit, and writes the request down.
type FetchVars struct {
	GitHub    sourceGitHub
	Customers customerRegistry
	Store     Store
	Sealer    Sealer
	// Parse reads variables.yml of a customer; file is its path in their repo.
	Parse func(c Customer, file string, raw []byte) (Document, Problems)
	// Verify checks an ID token; at is the time the token has to be valid at.
	Verify func(ctx context.Context, token, audience string, at time.Time) (Claims, error)
	Now    func() time.Time
	Tell   func(format string, args ...any)
}

type sourceGitHub interface {
	Repository(ctx context.Context, repo Slug) (Repository, error)
	WorkflowRun(ctx context.Context, repo Slug, id int64) (WorkflowRun, error)
	PullRequest(ctx context.Context, repo Slug, number int) (PullRequest, error)
	PullRequestsOf(ctx context.Context, repo Slug, sha SHA) ([]PullRequest, error)
	Reachable(ctx context.Context, repo Slug, branch string, sha SHA) (bool, error)
	BranchHead(ctx context.Context, repo Slug, branch string) (SHA, error)
	File(ctx context.Context, repo Slug, ref, path string) (File, error)
	SetStatus(ctx context.Context, repo Slug, sha SHA, status Status) error
}

type customerRegistry interface {
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
	Manual *ManualAsk
}

// ManualAsk is a request that an operator of the manager makes.
type ManualAsk struct {
	Customer CustomerName
	// Commit is a full SHA on an allowed branch; empty means the head of the
	// repo's default branch.
	Commit      SHA
	Environment Environment // empty: all
	Mode        Mode
	Actor       string
}

// origin is what was found out about where a request comes from.
type origin struct {
	customer    Customer
	repository  Repository
	id          RequestID
	event       string
	mode        Mode
	commit      SHA
	branch      string
	pullRequest int
	run         Run
	actor       string
	only        Environment
	named       bool   // status contexts carry the customer's name
	token       string // identity of the ID token, "" when there is none
	// answer is a reason to reject the request that is the customer's to know:
	// it is given once the origin is proved.
	answer *RejectedError
}

// Run accepts or rejects the request. A request that is rejected after its
// origin was proved is returned beside the *RejectedError, since the answer to
// it goes to the customer; without a proved origin the returned request is zero
// and nothing was written to any customer's repo.
func (f *FetchVars) Run(ctx context.Context, in FetchInput) (Request, error) {
	from, err := f.origin(ctx, in)
	if err != nil {
		return Request{}, f.unproved(ctx, in, err)
	}
	if known, found, err := f.known(ctx, in, from); err != nil {
		return known, err
	} else if found {
		return known, f.announce(ctx, known)
	}
	request := Request{
		ID: from.id, Customer: from.customer.Name, Repository: from.repository, Event: from.event, Actor: from.actor,
		Mode: from.mode, Commit: from.commit, Branch: from.branch, PullRequest: from.pullRequest,
		File:     path.Join(from.customer.Path, VariablesFile),
		Siblings: from.named, ManagerCommit: in.ManagerCommit, CustomerRun: from.run, ManagerRun: in.Run,
		CreatedAt: f.Now().UTC(),
	}
	var raw []byte
	if from.answer != nil {
		request.Reason, request.Problems = from.answer.Reason, from.answer.Problems
	} else if raw, err = f.read(ctx, from, &request); err != nil {
		return Request{}, err
	}
	if err := f.write(ctx, request, raw); err != nil {
		return Request{}, err
	}
	if request.Rejected() {
		return request, &RejectedError{Reason: request.Reason, Message: fmt.Sprintf("request %s of %s is rejected", request.ID.Short(), request.Customer), Problems: request.Problems}
	}
	return request, f.announce(ctx, request)
}

func (f *FetchVars) origin(ctx context.Context, in FetchInput) (origin, error) {
	if in.Manual != nil {
		return f.manualOrigin(ctx, in)
	}
	payload, err := ParsePayload(in.Event.Payload)
	if err != nil {
		return origin{}, &RejectedError{Reason: ReasonInvalidPayload, Message: err.Error()}
	}
	ask := payload.Request
	slug, err := ParseSlug(ask.Repository)
	if err != nil {
		return origin{}, &RejectedError{Reason: ReasonInvalidPayload, Message: err.Error()}
	}
	customer, repo, err := f.customerOf(ctx, slug, ask)
	if err != nil {
		return origin{}, err
	}
	from := origin{customer: customer, repository: repo, id: ask.ID, event: ask.Event, mode: modeOf(ask.Event).Reduce(ask.Mode),
		commit: ask.Commit, pullRequest: ask.PullRequest, named: ask.Customer != ""}
	if err := f.callback(ctx, in, ask, &from); err != nil {
		return origin{}, err
	}
	if err := f.signature(ctx, in, payload, &from); err != nil {
		return origin{}, err
	}
	return from, nil
}

// customerOf asks GitHub for the repository and the registry for its customer.
// The message names no other customer.
func (f *FetchVars) customerOf(ctx context.Context, slug Slug, ask Ask) (Customer, Repository, error) {
	unknown := &RejectedError{Reason: ReasonUnknownCustomer, Message: fmt.Sprintf("no customer is registered for repository %s (id %d) with path %q", slug, ask.RepositoryID, ask.Path),
		Next: "onboard it with a file in customers/, or mend its repository_id or path there"}
	if len(f.Customers.ByRepository(ask.RepositoryID)) == 0 {
		return Customer{}, Repository{}, unknown
	}
	repo, err := f.GitHub.Repository(ctx, slug)
	if errors.Is(err, ErrNotFound) {
		return Customer{}, Repository{}, unknown
	}
	if err != nil {
		return Customer{}, Repository{}, fmt.Errorf("look up repository %s: %w", slug, err)
	}
	if repo.ID != ask.RepositoryID {
		return Customer{}, Repository{}, unknown
	}
	for _, c := range f.Customers.ByRepository(repo.ID) {
		if c.Path == ask.Path && (ask.Customer == "" || ask.Customer == c.Name) {
			return c, repo, nil
		}
	}
	return Customer{}, Repository{}, unknown
}

// callback asks GitHub whether the run that the payload names exists, came from
// the expected workflow and event, and belongs to the commit; and whether the
// commit is on a branch of the repo itself, since commits of forks can be read
// through their parent.
func (f *FetchVars) callback(ctx context.Context, in FetchInput, ask Ask, from *origin) error {
	unproved := func(format string, args ...any) error {
		return &RejectedError{Reason: ReasonUnproved, Message: fmt.Sprintf("request %s for %s: ", ask.ID.Short(), from.repository) + fmt.Sprintf(format, args...)}
	}
	run, err := f.GitHub.WorkflowRun(ctx, from.repository.Slug, ask.RunID)
	if errors.Is(err, ErrNotFound) {
		return unproved("run %d does not exist in that repository", ask.RunID)
	}
	if err != nil {
		return fmt.Errorf("look up run %d of %s: %w", ask.RunID, from.repository, err)
	}
	workflow, _, _ := strings.Cut(run.Path, "@")
	ended := run.Status == "completed"
	switch {
	case run.RepoID != from.repository.ID:
		return unproved("run %d belongs to another repository", ask.RunID)
	case workflow != TriggerWorkflow:
		return unproved("run %d came from %q and not from %s", ask.RunID, workflow, TriggerWorkflow)
	case run.Event != ask.Event:
		return unproved("run %d was started by %s and not by %s", ask.RunID, run.Event, ask.Event)
	case run.HeadSHA != ask.Commit:
		return unproved("run %d is of commit %s and not of %s", ask.RunID, run.HeadSHA.Short(), ask.Commit.Short())
	case ask.RunAttempt > run.Attempt:
		return unproved("run %d has no attempt %d", ask.RunID, ask.RunAttempt)
	case ended && run.UpdatedAt.Add(runGrace).Before(f.clock(in)):
		return unproved("run %d ended at %s, long before this request", ask.RunID, run.UpdatedAt.UTC().Format(time.RFC3339))
	}
	if from.customer.Siblings && ask.Customer == "" {
		from.named = true
		from.answer = &RejectedError{Reason: ReasonInvalidPayload, Problems: Problems{{Position: Position{File: TriggerWorkflow}, Rule: "customer-missing",
			Message: "this repository holds several customers, and the trigger step does not say for which one it asks", Remedy: "add --customer " + string(from.customer.Name) + " to the trigger step"}}}
	}
	from.run = Run{Repository: from.repository.Slug, ID: run.ID, Attempt: ask.RunAttempt, URL: run.URL, CreatedAt: run.CreatedAt}
	from.actor = run.Actor
	if ask.Event == "pull_request" {
		return f.pullRequest(ctx, ask, from)
	}
	return f.branch(ctx, ask, from)
}

// clock is the creation time of the manager's run: a queued run may start long
// after the dispatch.
func (f *FetchVars) clock(in FetchInput) time.Time {
	if in.Run.CreatedAt.IsZero() {
		return f.Now()
	}
	return in.Run.CreatedAt
}

func (f *FetchVars) pullRequest(ctx context.Context, ask Ask, from *origin) error {
	pr, err := f.GitHub.PullRequest(ctx, from.repository.Slug, ask.PullRequest)
	if err != nil {
		return fmt.Errorf("look up pull request #%d of %s: %w", ask.PullRequest, from.repository, err)
	}
	rejected := func(reason Reason, message string) error {
		return &RejectedError{Reason: reason, Message: fmt.Sprintf("pull request #%d of %s: %s", ask.PullRequest, from.repository, message)}
	}
	switch {
	case pr.HeadRepoID != from.repository.ID:
		return rejected(ReasonUnproved, "its head is in another repository")
	case ask.Ref != fmt.Sprintf("refs/pull/%d/merge", pr.Number):
		return rejected(ReasonUnproved, fmt.Sprintf("ref %q is not its own", ask.Ref))
	case pr.Head != ask.Commit:
		from.answer = &RejectedError{Reason: ReasonSuperseded, Problems: Problems{{Position: Position{File: fmt.Sprintf("pull request #%d", pr.Number)}, Rule: string(ReasonSuperseded),
			Message: fmt.Sprintf("its head has moved on from %s to %s", ask.Commit.Short(), pr.Head.Short()), Remedy: "nothing: the run of the newer commit carries on"}}}
	}
	from.branch = pr.HeadBranch
	return nil
}

func (f *FetchVars) branch(ctx context.Context, ask Ask, from *origin) error {
	branch, ok := strings.CutPrefix(ask.Ref, "refs/heads/")
	if !ok || branch == "" {
		return &RejectedError{Reason: ReasonUnproved, Message: fmt.Sprintf("ref %q of %s is not a branch", ask.Ref, from.repository)}
	}
	reachable, err := f.GitHub.Reachable(ctx, from.repository.Slug, branch, ask.Commit)
	if err != nil {
		return fmt.Errorf("ask whether %s is on branch %q of %s: %w", ask.Commit.Short(), branch, from.repository, err)
	}
	if !reachable {
		return &RejectedError{Reason: ReasonUnreachable, Message: fmt.Sprintf("commit %s is not on branch %q of %s", ask.Commit.Short(), branch, from.repository)}
	}
	from.branch = branch
	return f.mergedPullRequest(ctx, from)
}

// mergedPullRequest finds the pull request whose merge put the commit on its
// branch: its comment is updated with what was applied.
func (f *FetchVars) mergedPullRequest(ctx context.Context, from *origin) error {
	pulls, err := f.GitHub.PullRequestsOf(ctx, from.repository.Slug, from.commit)
	if err != nil {
		return fmt.Errorf("look for the pull request of %s in %s: %w", from.commit.Short(), from.repository, err)
	}
	for _, pr := range pulls {
		if pr.Merged && pr.BaseBranch == from.branch && (pr.MergeSHA == from.commit || pr.Head == from.commit) && pr.Number > from.pullRequest {
			from.pullRequest = pr.Number
		}
	}
	return nil
}

// signature verifies the ID token of the customer's run as far as the customer's
// trust level asks for it.
func (f *FetchVars) signature(ctx context.Context, in FetchInput, payload Payload, from *origin) error {
	trust, ask := from.customer.Manager.Trust, payload.Request
	unproved := func(format string, args ...any) error {
		return &RejectedError{Reason: ReasonUnproved, Message: fmt.Sprintf("request %s for %s: ", ask.ID.Short(), from.repository) + fmt.Sprintf(format, args...),
			Next: "give the customer's job `permissions: id-token: write`, or set `trust` in metapipe.yml"}
	}
	if trust == TrustOff {
		return nil
	}
	if payload.Proof.Token == "" {
		if trust == TrustPreferred {
			f.Tell("request %s carries no signature; trust is %q, so the callback has to do", ask.ID.Short(), trust)
			return nil
		}
		return unproved("it carries no signature and trust is %q", trust)
	}
	claims, err := f.Verify(ctx, payload.Proof.Token, ask.Audience(in.Manager), f.clock(in))
	var passing interface{ Temporary() bool }
	if errors.As(err, &passing) && passing.Temporary() { // says nothing about the token
		return fmt.Errorf("verify the signature of request %s: %w", ask.ID.Short(), err)
	}
	if err != nil {
		return unproved("its signature does not hold: %v", err)
	}
	switch {
	case claims.RepositoryID != from.repository.ID:
		return unproved("it was signed by a run of repository %d", claims.RepositoryID)
	case claims.RunID != ask.RunID || claims.RunAttempt != ask.RunAttempt:
		return unproved("it was signed by run %d, attempt %d", claims.RunID, claims.RunAttempt)
	case claims.EventName != ask.Event:
		return unproved("it was signed for event %q", claims.EventName)
	case claims.Ref != ask.Ref:
		return unproved("it was signed for ref %q", claims.Ref)
	case ask.Event != "pull_request" && claims.SHA != ask.Commit:
		return unproved("it was signed for commit %s", claims.SHA.Short())
	case claims.IssuedAt.Before(from.run.CreatedAt):
		return unproved("it was signed before its run began")
	case claims.JTI == "":
		return unproved("its token has no id")
	}
	from.token = claims.JTI
	return nil
}

func (f *FetchVars) manualOrigin(ctx context.Context, in FetchInput) (origin, error) {
	ask := in.Manual
	customer, ok := f.Customers.Customer(ask.Customer)
	if !ok {
		return origin{}, &RejectedError{Reason: ReasonUnknownCustomer, Message: fmt.Sprintf("customer %q is not registered", ask.Customer), Next: "see the files in customers/"}
	}
	repo, err := f.GitHub.Repository(ctx, customer.Repository)
	if err != nil {
		return origin{}, fmt.Errorf("look up repository %s of customer %s: %w", customer.Repository, customer.Name, err)
	}
	if repo.ID != customer.RepositoryID {
		return origin{}, &RejectedError{Reason: ReasonUnknownCustomer, Message: fmt.Sprintf("%s has id %d, but %s says %d: the name now belongs to another repository", repo, repo.ID, customer.File, customer.RepositoryID)}
	}
	commit := ask.Commit
	if commit == "" {
		if commit, err = f.GitHub.BranchHead(ctx, repo.Slug, repo.DefaultBranch); err != nil {
			return origin{}, fmt.Errorf("find the head of %s in %s: %w", repo.DefaultBranch, repo, err)
		}
	}
	from := origin{customer: customer, repository: repo, event: "manual", mode: ModeApply.Reduce(ask.Mode), commit: commit, only: ask.Environment, actor: ask.Actor, named: customer.Siblings}
	from.id = NewRequestID()
	if in.Run.ID != 0 {
		from.id = DeriveRequestID("manual", in.Manager.String(), strconv.FormatInt(in.Run.ID, 10), strconv.Itoa(in.Run.Attempt))
	}
	return from, f.branch(ctx, Ask{Commit: commit, Ref: "refs/heads/" + repo.DefaultBranch}, &from)
}

// known returns the request when this manager run has accepted it before (a
// re-run of the job), and rejects one that another run has accepted.
func (f *FetchVars) known(ctx context.Context, in FetchInput, from origin) (Request, bool, error) {
	request, err := loadRequest(ctx, f.Store, from.customer.Name, from.id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Request{}, false, err
	}
	if err == nil {
		if request.ManagerRun.ID != in.Run.ID || request.Commit != from.commit {
			return Request{}, false, f.unproved(ctx, in, &RejectedError{Reason: ReasonReplayed, Message: fmt.Sprintf("request %s was accepted before, by run %d", from.id.Short(), request.ManagerRun.ID)})
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
	key, owner := "_metapipe/tokens/"+hex.EncodeToString(sum[:]), strconv.FormatInt(in.Run.ID, 10)
	err = f.Store.Create(ctx, key, strings.NewReader(owner))
	if errors.Is(err, ErrExists) {
		used, err := readAll(ctx, f.Store, key)
		if err != nil {
			return Request{}, false, err
		}
		if string(used) != owner {
			return Request{}, false, f.unproved(ctx, in, &RejectedError{Reason: ReasonReplayed, Message: fmt.Sprintf("the signature of request %s was used before, by run %s", from.id.Short(), used)})
		}
		return Request{}, false, nil
	}
	return Request{}, false, err
}

// read fetches and checks variables.yml and works out the targets. Problems that
// the customer can mend are put into the request.
func (f *FetchVars) read(ctx context.Context, from origin, request *Request) ([]byte, error) {
	file, err := f.GitHub.File(ctx, from.repository.Slug, string(from.commit), request.File)
	if errors.Is(err, ErrNotFound) {
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
	}
	if problems.Err() != nil {
		request.Reason, request.Problems = ReasonInvalidVariables, problems
		request.Targets, request.Held = nil, nil
		return file.Content, nil
	}
	return file.Content, f.removed(ctx, from, document, request)
}

// write stores the request: variables and index entries first, the request
// itself last, so that what can be found is complete.
func (f *FetchVars) write(ctx context.Context, request Request, raw []byte) error {
	if raw != nil {
		if err := sealInto(ctx, f.Store, f.Sealer, requestVariablesKey(request.Customer, request.ID), variablesBinding(request), bytes.NewReader(raw)); err != nil && !errors.Is(err, ErrExists) {
			return fmt.Errorf("store variables of request %s: %w", request.ID.Short(), err)
		}
	}
	var keys []string
	if request.PullRequest > 0 {
		keys = append(keys, pullKey(request))
	}
	for _, env := range request.Targets {
		if request.Applies(env) {
			keys = append(keys, queueKey(request, env))
		}
	}
	for _, key := range keys {
		if err := f.Store.Create(ctx, key, strings.NewReader(string(request.ID))); err != nil {
			return fmt.Errorf("queue request %s: %w", request.ID.Short(), err)
		}
	}
	if err := createJSON(ctx, f.Store, requestKey(request.Customer, request.ID), request); err != nil {
		return fmt.Errorf("store request %s: %w", request.ID.Short(), err)
	}
	return nil
}

func (f *FetchVars) announce(ctx context.Context, request Request) error {
	names := make([]string, len(request.Targets))
	for i, env := range request.Targets {
		names[i] = string(env)
	}
	statuses := []Status{{Context: request.StatusContext(""), Description: "Accepted: " + strings.Join(names, ", ")}}
	for _, env := range request.Targets {
		statuses = append(statuses, Status{Context: request.StatusContext(env), Description: "Waiting for the plan"})
	}
	for _, s := range statuses {
		s.State, s.TargetURL, s.Description = StatusPending, request.ManagerRun.URL, tagged(s.Description, request.ID)
		if err := f.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s); err != nil {
			return fmt.Errorf("post status %s on %s: %w", s.Context, request.Commit.Short(), err)
		}
	}
	f.Tell("request %s: %s of %s at %s for %s", request.ID.Short(), request.Mode, request.Customer, request.Commit.Short(), strings.Join(names, ", "))
	return nil
}

// Unproved is the record of a request that nobody is answered for: only the
// manager sees it.
type Unproved struct {
	Reason  Reason          `json:"reason"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
	Run     Run             `json:"run"`
	At      time.Time       `json:"at"`
}

func unprovedKey(run Run) string {
	return fmt.Sprintf("_metapipe/rejected/%d-%d.json", run.ID, run.Attempt)
}

// unproved writes a rejection down for the manager and returns it. Failures on
// the way (network, limits) pass through: they are no rejection.
func (f *FetchVars) unproved(ctx context.Context, in FetchInput, cause error) error {
	var rejected *RejectedError
	if !errors.As(cause, &rejected) {
		return cause
	}
	record := Unproved{Reason: rejected.Reason, Message: rejected.Message, Run: in.Run, At: f.Now().UTC()}
	if json.Valid(in.Event.Payload) {
		record.Payload = withoutToken(in.Event.Payload)
	}
	if err := createJSON(ctx, f.Store, unprovedKey(in.Run), record); err != nil && !errors.Is(err, ErrExists) {
		return errors.Join(cause, fmt.Errorf("write the rejection down: %w", err))
	}
	return cause
}

// withoutToken drops the proof: a token is a credential, even a short-lived one.
func withoutToken(payload json.RawMessage) json.RawMessage {
	var properties map[string]json.RawMessage
	if json.Unmarshal(payload, &properties) != nil {
		return nil
	}
	delete(properties, "proof")
	b, err := json.Marshal(properties)
	if err != nil {
		return nil
	}
	return b
}
