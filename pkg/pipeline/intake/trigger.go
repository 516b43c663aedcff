package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Trigger is the customer's side: it checks the change, sends the request and
// waits for the answer on the customer's own commit.
type Trigger struct {
	Own     triggerGitHub // with the run's own token
	Manager dispatcher    // with MANAGER_REPO_PAT; of the inbox, where there is one
	// Validate checks variables.yml of the checkout; nil skips it.
	Validate func(context.Context) pipeline.Problems
	// CheckContent looks at the files of the checkout; nil skips it.
	CheckContent func(context.Context) (ContentAnswer, error)
	// Directory refuses a path that is no directory of the checkout; nil skips it.
	Directory func() error
	// IDToken asks the runner for an ID token; nil where there is no runner.
	IDToken func(ctx context.Context, audience string) (string, error)
	Now     func() time.Time
	Sleep   func(context.Context, time.Duration) error
	// MaxPause is the longest pause between two looks at the statuses.
	MaxPause time.Duration
	// Logf reports progress in a sentence.
	Logf func(format string, args ...any)
}

type triggerGitHub interface {
	ChangedPaths(ctx context.Context, repo pipeline.Slug, base, head pipeline.SHA) (paths []string, complete bool, err error)
	PullRequestPaths(ctx context.Context, repo pipeline.Slug, number int) (paths []string, complete bool, err error)
	Statuses(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error)
	// SetStatus writes a status that is not among known.
	SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, status pipeline.Status, known []pipeline.Status) error
	// CommitDeployments are those of a commit to any environment, without their states.
	CommitDeployments(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA) ([]pipeline.Deployment, error)
	// Deployments with an empty sha are the newest ones of any commit, with their states.
	Deployments(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, environment string) ([]pipeline.Deployment, error)
}

type dispatcher interface {
	Dispatch(ctx context.Context, manager pipeline.Slug, eventType string, payload json.RawMessage) error
}

// TriggerInput is one call of trigger.
type TriggerInput struct {
	Event pipeline.Event
	Run   pipeline.Run
	// Manager is the repository that the request is signed for, Inbox the one that takes it
	// and forwards it there; the zero value where requests go to the manager itself.
	Manager, Inbox pipeline.Slug
	Path           string // directory of variables.yml in the repo
	// Customer is set where the repo holds several customers: the contexts of
	// the statuses carry it then.
	Customer pipeline.CustomerName
	Mode     pipeline.Mode // can only reduce what the event allows
	// Pickup bounds the wait until the manager has accepted the request, Wait the
	// wait for its end; a zero Wait returns once it is picked up.
	Pickup, Wait time.Duration
}

// TriggerResult is what trigger hands to the later steps of the customer's job.
type TriggerResult struct {
	Request     pipeline.RequestID // empty when nothing was sent
	Outcome     pipeline.Outcome   // as far as it was waited for
	RunURL      string             // the manager's run, once known
	Stage       string             // what was waited for last: picked-up, planned, approved, applied or end
	Skipped     string             // why nothing was sent
	Description string             // the description of the overall status, once there is one
	// Targets are those of the request by their names, as far as they were seen.
	Targets  []TargetStatus
	Problems pipeline.Problems // of variables.yml; nothing was sent then
	// Content is what the look at the files has found; nil where there was none.
	Content *pipeline.ContentResult
	// Outputs are the outputs of each target, by its name, as JSON text, after a wait.
	Outputs map[string]map[string]string
}

// Run sends the request. A change that is none of metapipe's business posts
// success, since a required check must not hang. Problems in variables.yml are a
// *RejectedError, an end that was not seen in time is a *WaitingError.
func (t *Trigger) Run(ctx context.Context, in TriggerInput) (TriggerResult, error) {
	why := in.Event.Idle()
	if why != "" && !in.Event.Fork {
		return TriggerResult{Skipped: why}, nil
	}
	if err := in.Event.CheckTrigger(); err != nil {
		return TriggerResult{}, err
	}
	answer, err := t.content(ctx, in)
	if err != nil {
		return TriggerResult{}, t.Unsent(ctx, in, err)
	}
	if why != "" {
		return TriggerResult{Skipped: why, Content: answer.Checked}, nil
	}
	if answer.NoInfra != "" {
		return t.asksNothing(ctx, in, answer)
	}
	result, err := t.ask(ctx, in, answer)
	result.Content = answer.Checked
	return result, err
}

// ask sends what the change asks for.
func (t *Trigger) ask(ctx context.Context, in TriggerInput, answer ContentAnswer) (TriggerResult, error) {
	statusContext := in.request().StatusContext(pipeline.Target{})
	relevant, err := t.relevant(ctx, in)
	if err != nil {
		return t.unreadable(ctx, in, err)
	}
	if err := t.exists(in, relevant); err != nil {
		return TriggerResult{}, t.Unsent(ctx, in, err)
	}
	if in.Event.Dependabot {
		return t.dependabot(ctx, in, relevant)
	}
	if relevant == untouched {
		why := in.nothingToDo()
		err := t.post(ctx, in, pipeline.Status{Context: statusContext, State: pipeline.StatusSuccess, Description: why, TargetURL: in.Run.URL})
		if err == nil {
			err = answer.failure()
		}
		return TriggerResult{Skipped: why, Outcome: pipeline.OutcomeNoChanges}, err
	}
	if err := answer.failure(); err != nil {
		return TriggerResult{Outcome: pipeline.OutcomeRejected}, t.wrongContent(ctx, in, err)
	}
	if problems, err := t.validate(ctx, in, statusContext); err != nil {
		return TriggerResult{Outcome: pipeline.OutcomeRejected, Problems: problems}, err
	}
	id, sent, err := t.earlier(ctx, in, statusContext)
	if err != nil {
		return TriggerResult{}, t.Unsent(ctx, in, err)
	}
	if sent {
		t.Logf("request %s of an earlier attempt is still under way: waiting for it", id.Short())
	} else if err := t.send(ctx, in, id); err != nil {
		return TriggerResult{}, t.unsent(ctx, in, id, err)
	}
	return t.follow(ctx, in, id, statusContext)
}

// relevance says what a change has to do with the customer's path.
type relevance int

const (
	unknown   relevance = iota // GitHub did not list all of the change
	touched                    // it changes something there
	untouched                  // it changes nothing there
)

func (t *Trigger) relevant(ctx context.Context, in TriggerInput) (relevance, error) {
	var paths []string
	var complete bool
	var err error
	switch e := in.Event; {
	case e.Name == "pull_request":
		paths, complete, err = t.Own.PullRequestPaths(ctx, e.Repository.Slug, e.PullRequest)
	case e.Name == "workflow_dispatch" || e.Base.Zero():
		return unknown, nil
	default:
		paths, complete, err = t.Own.ChangedPaths(ctx, e.Repository.Slug, e.Base, e.Head)
	}
	if err != nil {
		return unknown, err
	}
	for _, p := range paths {
		if pipeline.Touches(p, in.Path) {
			return touched, nil
		}
	}
	if !complete {
		return unknown, nil
	}
	return untouched, nil
}

// exists refuses a path that the checkout does not have: "no change under it" would
// hold for ever. A change that takes the directory away is let through, so that the
// missing file is reported.
func (t *Trigger) exists(in TriggerInput, r relevance) error {
	if t.Directory == nil || r == touched {
		return nil
	}
	return t.Directory()
}

func (t *Trigger) validate(ctx context.Context, in TriggerInput, statusContext string) (pipeline.Problems, error) {
	if t.Validate == nil {
		return nil, nil
	}
	problems := t.Validate(ctx)
	if problems.Err() == nil {
		return problems, nil
	}
	description := pipeline.ClipBefore(firstProblem(problems), listedInSummary, pipeline.StatusLimit)
	err := t.post(ctx, in, pipeline.Status{Context: statusContext, State: pipeline.StatusFailure, Description: description, TargetURL: in.Run.URL})
	if err != nil {
		t.Logf("could not post the status: %v", err)
	}
	return problems, &pipeline.RejectedError{
		Reason:   pipeline.ReasonInvalidVariables,
		Message:  "variables.yml has problems; nothing was sent, so no comment follows; the summary of this job lists all of them",
		Problems: problems,
	}
}

// post writes a status of the commit, unless the commit has it: the job may run again.
func (t *Trigger) post(ctx context.Context, in TriggerInput, s pipeline.Status) error {
	repo, head := in.Event.Repository.Slug, in.Event.Head
	known, err := t.Own.Statuses(ctx, repo, head)
	if err != nil {
		return err
	}
	return t.Own.SetStatus(ctx, repo, head, s, known)
}

// listedInSummary is the end of the status of a commit whose file has problems: the
// manager hears nothing of it, so that no one writes a comment.
const listedInSummary = " · Nothing was sent; see the job summary (no comment follows)"

// firstProblem is the first error in a few words: warnings do not reject a file.
func firstProblem(problems pipeline.Problems) string {
	for _, p := range problems {
		if !p.Warning {
			return p.Position.String() + ": " + p.Message
		}
	}
	return "variables.yml has problems"
}

// request is the request as far as the names of contexts need it.
func (in TriggerInput) request() pipeline.Request {
	return pipeline.Request{Customer: in.Customer, SharedRepository: in.Customer != ""}
}

// earlier returns the id for this attempt, or the id of an earlier attempt of
// the same run whose request has not ended yet.
func (t *Trigger) earlier(ctx context.Context, in TriggerInput, statusContext string) (pipeline.RequestID, bool, error) {
	if in.Run.ID > 0 && in.Run.Attempt > 1 {
		statuses, err := t.Own.Statuses(ctx, in.Event.Repository.Slug, in.Event.Head)
		if err != nil {
			return "", false, fmt.Errorf("look for the request of an earlier attempt: %w", err)
		}
		for attempt := in.Run.Attempt - 1; attempt > 0; attempt-- {
			id := in.ownID(attempt)
			if s, ok := pipeline.StatusOf(statuses, statusContext, id); ok && s.State == pipeline.StatusPending {
				return id, true, nil
			}
		}
	}
	return in.ownID(in.Run.Attempt), false, nil
}

// ownID is the id of the request that an attempt of the run sends.
func (in TriggerInput) ownID(attempt int) pipeline.RequestID {
	if in.Run.ID == 0 {
		return pipeline.NewRequestID()
	}
	return pipeline.DispatchRequest{RepositoryID: in.Event.Repository.ID, RunID: in.Run.ID, RunAttempt: attempt, Path: in.Path, Customer: in.Customer}.OwnID()
}

func (t *Trigger) send(ctx context.Context, in TriggerInput, id pipeline.RequestID) error {
	e := in.Event
	p := pipeline.Payload{Request: pipeline.DispatchRequest{
		Version: 1, ID: id, Repository: e.Repository.String(), RepositoryID: e.Repository.ID, Path: in.Path, Customer: in.Customer,
		Event: e.Name, Commit: e.Head, Ref: e.Ref, PullRequest: e.PullRequest,
		Mode: pipeline.ModeOf(e.Name).Reduce(in.Mode), RunID: in.Run.ID, RunAttempt: in.Run.Attempt,
	}}
	if t.IDToken != nil {
		token, err := t.IDToken(ctx, p.Request.Audience(in.Manager))
		if err != nil {
			return fmt.Errorf("sign the request: %w", err)
		}
		p.Proof.Token = token
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	if err := t.Manager.Dispatch(ctx, in.Receiver(), pipeline.DispatchEvent, body); err != nil {
		return fmt.Errorf("send request %s to %s: %w", id.Short(), in.Receiver(), err)
	}
	t.Logf("request %s sent to %s (%s of %s at %s)", id.Short(), in.sentTo(), p.Request.Mode, e.Repository, e.Head.Short())
	return nil
}

// Receiver is the repository that the request is sent to: the inbox, or the manager.
func (in TriggerInput) Receiver() pipeline.Slug {
	if in.Inbox != (pipeline.Slug{}) {
		return in.Inbox
	}
	return in.Manager
}

// sentTo is Receiver in words.
func (in TriggerInput) sentTo() string {
	if in.Inbox != (pipeline.Slug{}) {
		return fmt.Sprintf("%s, the inbox of %s", in.Inbox, in.Manager)
	}
	return in.Manager.String()
}
