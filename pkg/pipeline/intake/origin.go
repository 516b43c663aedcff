package intake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TriggerWorkflow is the file in a customer's repo from which requests come.
const TriggerWorkflow = ".github/workflows/trigger-infra.yml"

// runGrace is how long before the manager's run the customer's run may have
// ended: long enough for a dispatch to be delivered, too short to replay one.
const runGrace = 15 * time.Minute

// origin is what was found out about where a request comes from.
type origin struct {
	customer    pipeline.Customer
	offered     pipeline.Customer // the customer before its properties narrow it
	repository  pipeline.Repository
	properties  pipeline.Properties // of the repository
	id          pipeline.RequestID
	event       string
	mode        pipeline.Mode
	commit      pipeline.SHA
	branch      string
	pullRequest int
	run         pipeline.Run
	actor       string
	requesters  []pipeline.Account
	only        pipeline.Environment  // empty: all of variables.yml
	stack       pipeline.StackName    // empty: all that the customer has
	qualified   bool                  // status contexts carry the customer's name
	askedAs     pipeline.CustomerName // the former name that the trigger asks for; empty: the present one
	unseen      string                // why nothing is reported to the repository; empty where it is
	registered  int                   // number of the registration of the customer; 0: not known
	claims      pipeline.Properties   // in the ID token; unknown where there is none
	token       string                // identity of the ID token, "" when there is none
	// rejection is a reason to reject the request that is the customer's to know:
	// it is given once the origin is proved.
	rejection *pipeline.RejectedError
}

// origin proves where the request comes from: by the registry, by asking GitHub
// back, and by the signature.
func (f *FetchVars) origin(ctx context.Context, in FetchInput) (origin, error) {
	if in.Manual != nil {
		return f.manualOrigin(ctx, in)
	}
	payload, err := pipeline.ParsePayload(in.Event.Payload)
	if err != nil {
		return origin{}, &pipeline.RejectedError{Reason: pipeline.ReasonInvalidPayload, Message: err.Error()}
	}
	ask := payload.Request
	slug, err := pipeline.ParseSlug(ask.Repository)
	if err != nil {
		return origin{}, &pipeline.RejectedError{Reason: pipeline.ReasonInvalidPayload, Message: err.Error()}
	}
	from, err := f.customerOf(ctx, slug, ask)
	if err != nil {
		return origin{}, err
	}
	customer := from.customer
	from.id, from.event, from.mode = ask.ID, ask.Event, pipeline.ModeOf(ask.Event).Reduce(ask.Mode)
	from.commit, from.pullRequest, from.qualified = ask.Commit, ask.PullRequest, ask.Customer != ""
	if ask.Customer != "" && ask.Customer != customer.Name {
		from.askedAs, from.rejection = ask.Customer, formerName(ask.Customer, customer.Name)
	}
	if err := f.callback(ctx, in, ask, &from); err != nil {
		return origin{}, err
	}
	if err := f.signature(ctx, in, payload, &from); err != nil {
		return origin{}, err
	}
	if customer.Offboarded { // no payload asks for a destroy
		from.rejection = pipeline.OffboardedAnswer(path.Join(customer.Path, pipeline.VariablesFile))
	}
	return from, nil
}

// customerOf asks GitHub for the repository, with its custom properties, and the registry
// for its customer. The message names no other customer. The trigger may still use a former
// name of it.
func (f *FetchVars) customerOf(ctx context.Context, slug pipeline.Slug, ask pipeline.DispatchRequest) (origin, error) {
	unknown := &pipeline.RejectedError{
		Reason:  pipeline.ReasonUnknownCustomer,
		Message: fmt.Sprintf("no customer is registered for repository %s (id %d) with path %s", slug, ask.RepositoryID, pipeline.Quote(ask.Path)),
		Next:    "register it with a file in customers/, or fix its repository_id or path there",
	}
	if len(f.Customers.ByRepository(ask.RepositoryID)) == 0 {
		return origin{}, unknown
	}
	repo, properties, err := f.GitHub.RepositoryProperties(ctx, slug)
	if pipeline.NotVisible(err) || pipeline.Gone(err) {
		return origin{}, &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnknownCustomer,
			Message: fmt.Sprintf("GitHub does not show repository %s (id %d)", slug, ask.RepositoryID),
			Next:    "when it exists, give the token that reads the customers' repositories access to it; then run this again",
		}
	}
	if err != nil {
		return origin{}, fmt.Errorf("look up repository %s: %w", slug, err)
	}
	if repo.ID != ask.RepositoryID {
		return origin{}, unknown
	}
	c, err := f.named(ctx, repo, ask)
	if err != nil {
		return origin{}, err
	}
	if c == nil {
		return origin{}, unknown
	}
	return origin{customer: *c, repository: repo, properties: properties}, sameRepository(*c, repo)
}

// named is the customer that a request means, by its present or its former name; nil where
// there is none.
func (f *FetchVars) named(ctx context.Context, repo pipeline.Repository, ask pipeline.DispatchRequest) (*pipeline.Customer, error) {
	for _, c := range f.Customers.ByRepository(repo.ID) {
		if c.Path == ask.Path && (ask.Customer == "" || ask.Customer == c.Name) {
			return &c, nil
		}
	}
	return f.formerly(ctx, repo, ask)
}

// sameRepository rejects a request of a repository that is not the registered one
// or belongs to another account now.
func sameRepository(c pipeline.Customer, repo pipeline.Repository) error {
	var other *pipeline.OtherRepositoryError
	if errors.As(c.CheckRepository(repo), &other) {
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnknownCustomer, Message: other.Error(), Next: other.Next()}
	}
	return nil
}

// callback asks GitHub whether the run that the payload names exists, came from
// the expected workflow and event, and belongs to the commit; and whether the
// commit is on a branch of the repo itself, since commits of forks can be read
// through their parent.
func (f *FetchVars) callback(ctx context.Context, in FetchInput, ask pipeline.DispatchRequest, from *origin) error {
	unverified := func(format string, args ...any) error {
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnverified, Message: fmt.Sprintf("request %s for %s: ", ask.ID.Short(), from.repository) + fmt.Sprintf(format, args...)}
	}
	run, err := f.GitHub.WorkflowRun(ctx, from.repository.Slug, ask.RunID)
	if pipeline.NotVisible(err) || pipeline.Gone(err) {
		return unverified("run %d does not exist in that repository, or the token may not read its actions", ask.RunID)
	}
	if err != nil {
		return fmt.Errorf("look up run %d of %s: %w", ask.RunID, from.repository, err)
	}
	workflow, _, _ := strings.Cut(run.Path, "@")
	ended := run.Status == "completed"
	switch {
	case run.RepoID != from.repository.ID:
		return unverified("run %d belongs to another repository", ask.RunID)
	case workflow != TriggerWorkflow:
		return unverified("run %d came from %s and not from %s", ask.RunID, pipeline.Quote(workflow), TriggerWorkflow)
	case run.Event != ask.Event:
		return unverified("run %d was started by %s and not by %s", ask.RunID, run.Event, ask.Event)
	case run.HeadSHA != ask.Commit:
		return unverified("run %d is of commit %s and not of %s", ask.RunID, run.HeadSHA.Short(), ask.Commit.Short())
	case ask.Event != "pull_request" && run.HeadBranch != "" && ask.Ref != "refs/heads/"+run.HeadBranch:
		return unverified("run %d is of branch %s and not of %s", ask.RunID, pipeline.Quote(run.HeadBranch), pipeline.Quote(ask.Ref))
	case ask.RunAttempt > run.Attempt:
		return unverified("run %d has no attempt %d", ask.RunID, ask.RunAttempt)
	case ask.ID != ask.OwnID():
		return unverified("its id is not the one of run %d, attempt %d", ask.RunID, ask.RunAttempt)
	case ended && run.UpdatedAt.Add(runGrace).Before(f.clock(in)):
		return unverified("run %d ended at %s, long before this request", ask.RunID, run.UpdatedAt.UTC().Format(time.RFC3339))
	}
	if from.customer.SharedRepository && ask.Customer == "" {
		from.rejection = &pipeline.RejectedError{Reason: pipeline.ReasonInvalidPayload, Problems: pipeline.Problems{{Position: pipeline.Position{File: TriggerWorkflow}, Rule: "customer-missing",
			Message: "this repository holds several customers, and the trigger step does not say for which one it asks", Remedy: "add --customer " + string(from.customer.Name) + " to the trigger step"}}}
	}
	from.run = pipeline.Run{Repository: from.repository.Slug, ID: run.ID, Attempt: ask.RunAttempt, URL: run.URL, CreatedAt: run.CreatedAt}
	if err := f.noteRequesters(ctx, ask, run, from); err != nil {
		return err
	}
	if ask.Event == "pull_request" {
		return f.pullRequest(ctx, ask, from)
	}
	return f.branch(ctx, ask, from)
}

// noteRequesters notes who caused the attempt that asks: a run that is run again has another
// one, which may have begun meanwhile.
func (f *FetchVars) noteRequesters(ctx context.Context, ask pipeline.DispatchRequest, run pipeline.WorkflowRun, from *origin) error {
	if run.Attempt != ask.RunAttempt {
		var err error
		run, err = f.GitHub.RunAttempt(ctx, from.repository.Slug, ask.RunID, ask.RunAttempt)
		if pipeline.NotVisible(err) || pipeline.Gone(err) {
			run, err = pipeline.WorkflowRun{}, nil // not known, which no rule about people accepts
		}
		if err != nil {
			return fmt.Errorf("look up attempt %d of run %d of %s: %w", ask.RunAttempt, ask.RunID, from.repository, err)
		}
	}
	from.actor, from.requesters = run.RequesterLogin(), run.Requesters()
	return nil
}

// clock is the creation time of the manager's run: a queued run may start long
// after the dispatch.
func (f *FetchVars) clock(in FetchInput) time.Time {
	if in.Run.CreatedAt.IsZero() {
		return f.Now()
	}
	return in.Run.CreatedAt
}

func (f *FetchVars) pullRequest(ctx context.Context, ask pipeline.DispatchRequest, from *origin) error {
	pr, err := f.GitHub.PullRequest(ctx, from.repository.Slug, ask.PullRequest)
	if err != nil {
		return fmt.Errorf("look up pull request #%d of %s: %w", ask.PullRequest, from.repository, err)
	}
	rejected := func(reason pipeline.Reason, message string) error {
		return &pipeline.RejectedError{Reason: reason, Message: fmt.Sprintf("pull request #%d of %s: %s", ask.PullRequest, from.repository, message)}
	}
	switch {
	case pr.HeadRepoID != from.repository.ID:
		return rejected(pipeline.ReasonUnverified, "its head is in another repository")
	case ask.Ref != fmt.Sprintf("refs/pull/%d/merge", pr.Number):
		return rejected(pipeline.ReasonUnverified, fmt.Sprintf("ref %s is not its own", pipeline.Quote(ask.Ref)))
	case pr.Head != ask.Commit:
		from.rejection = &pipeline.RejectedError{
			Reason: pipeline.ReasonSuperseded,
			Problems: pipeline.Problems{{Position: pipeline.Position{File: fmt.Sprintf("pull request #%d", pr.Number)}, Rule: string(pipeline.ReasonSuperseded),
				Message: fmt.Sprintf("its head has moved on from %s to %s", ask.Commit.Short(), pr.Head.Short()), Remedy: "nothing: the run of the newer commit carries on"}},
		}
	}
	if from.rejection == nil && (pr.State != "open" || pr.Merged) {
		from.rejection = closedPull(pr)
	}
	from.branch = pr.HeadBranch
	return nil
}

// closedPull is the answer to a request for a pull request that is not open any more:
// no one will merge what the plan would show.
func closedPull(pr pipeline.PullRequest) *pipeline.RejectedError {
	message, remedy := "it has been closed", "nothing, or reopen it to get a plan"
	if pr.Merged {
		message, remedy = "it has been merged", "nothing: the run of the merge carries on"
	}
	return &pipeline.RejectedError{
		Reason:   pipeline.ReasonSuperseded,
		Problems: pipeline.Problems{{Position: pipeline.Position{File: fmt.Sprintf("pull request #%d", pr.Number)}, Rule: string(pipeline.ReasonSuperseded), Message: message, Remedy: remedy}},
	}
}

func (f *FetchVars) branch(ctx context.Context, ask pipeline.DispatchRequest, from *origin) error {
	branch, ok := strings.CutPrefix(ask.Ref, "refs/heads/")
	if !ok || branch == "" {
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnverified, Message: fmt.Sprintf("ref %s of %s is not a branch", pipeline.Quote(ask.Ref), from.repository)}
	}
	reachable, err := f.GitHub.Reachable(ctx, from.repository.Slug, branch, ask.Commit)
	if pipeline.Gone(err) || err == nil && !reachable && ask.Event == pipeline.MergeGroup {
		return leftBranch(from, branch, ask.Commit, pipeline.Gone(err))
	}
	if err != nil {
		return fmt.Errorf("ask whether %s is on branch %s of %s: %w", ask.Commit.Short(), pipeline.Quote(branch), from.repository, err)
	}
	if !reachable {
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnreachable, Message: fmt.Sprintf("commit %s is not on branch %s of %s", ask.Commit.Short(), pipeline.Quote(branch), from.repository)}
	}
	from.branch = branch
	return f.mergedPullRequest(ctx, from)
}

// leftBranch is the answer to a commit that a branch does not lead to any more: the
// branch was deleted, or the merge queue has made it anew. The run, which is one of
// the repository itself, still proves where the commit comes from. A request that no
// run stands behind is rejected.
func leftBranch(from *origin, branch string, commit pipeline.SHA, deleted bool) error {
	message, remedy := fmt.Sprintf("the merge queue has made it anew, without %s", commit.Short()), "nothing: the run of the newer merge group carries on"
	if deleted {
		message, remedy = "it has been deleted", "nothing, or push again when the commit is still wanted"
	}
	if from.run.ID == 0 {
		return &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnreachable,
			Message: fmt.Sprintf("branch %s of %s does not exist", pipeline.Quote(branch), from.repository),
			Next:    "name a commit of a branch that exists",
		}
	}
	from.branch = branch
	from.rejection = &pipeline.RejectedError{
		Reason:   pipeline.ReasonSuperseded,
		Problems: pipeline.Problems{{Position: pipeline.Position{File: "branch " + branch}, Rule: string(pipeline.ReasonSuperseded), Message: message, Remedy: remedy}},
	}
	return nil
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
func (f *FetchVars) signature(ctx context.Context, in FetchInput, payload pipeline.Payload, from *origin) error {
	trust, ask := from.customer.Manager.Trust, payload.Request
	unverified := func(format string, args ...any) error {
		return &pipeline.RejectedError{Reason: pipeline.ReasonUnverified, Message: fmt.Sprintf("request %s for %s: ", ask.ID.Short(), from.repository) + fmt.Sprintf(format, args...),
			Next: "give the customer's job `permissions: id-token: write`, or set `trust` in metapipe.yml"}
	}
	if trust == pipeline.TrustOff {
		return nil
	}
	if payload.Proof.Token == "" {
		if trust == pipeline.TrustPreferred {
			f.Logf("request %s carries no signature; trust is %q, so the callback has to do", ask.ID.Short(), trust)
			return nil
		}
		return unverified("it carries no signature and trust is %q", trust)
	}
	claims, err := f.Verify(ctx, payload.Proof.Token, ask.Audience(in.Manager), f.clock(in))
	var passing interface{ Temporary() bool }
	if errors.As(err, &passing) && passing.Temporary() { // says nothing about the token
		return fmt.Errorf("verify the signature of request %s: %w", ask.ID.Short(), err)
	}
	if err != nil {
		return unverified("its signature does not hold: %v", err)
	}
	switch {
	case claims.RepositoryID != from.repository.ID:
		return unverified("it was signed by a run of repository %d", claims.RepositoryID)
	case claims.RunID != ask.RunID || claims.RunAttempt != ask.RunAttempt:
		return unverified("it was signed by run %d, attempt %d", claims.RunID, claims.RunAttempt)
	case claims.EventName != ask.Event:
		return unverified("it was signed for event %s", pipeline.Quote(claims.EventName))
	case claims.Ref != ask.Ref:
		return unverified("it was signed for ref %s", pipeline.Quote(claims.Ref))
	case ask.Event != "pull_request" && claims.SHA != ask.Commit:
		return unverified("it was signed for commit %s", claims.SHA.Short())
	case claims.IssuedAt.Before(from.run.CreatedAt):
		return unverified("it was signed before its run began")
	case claims.JTI == "":
		return unverified("its token has no id")
	}
	from.token, from.claims = claims.JTI, claims.Properties
	return nil
}
