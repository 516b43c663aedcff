package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Trigger is the customer's side: it checks the change, sends the request and
// waits for the answer on the customer's own commit.
type Trigger struct {
	Own     triggerGitHub // with the run's own token
	Manager dispatcher    // with MANAGER_REPO_PAT
	// Validate checks variables.yml of the checkout; nil skips it.
	Validate func(context.Context) pipeline.Problems
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
	SetStatus(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, status pipeline.Status) error
	Deployments(ctx context.Context, repo pipeline.Slug, sha pipeline.SHA, environment string) ([]pipeline.Deployment, error)
}

type dispatcher interface {
	Dispatch(ctx context.Context, manager pipeline.Slug, eventType string, payload json.RawMessage) error
}

// TriggerInput is one call of trigger.
type TriggerInput struct {
	Event   pipeline.Event
	Run     pipeline.Run
	Manager pipeline.Slug
	Path    string // directory of variables.yml in the repo
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
	// Environments are those of the request by their names, as far as they were seen.
	Environments []EnvironmentStatus
	Problems     pipeline.Problems // of variables.yml; nothing was sent then
	// Outputs are the outputs of each environment as JSON text, after a wait.
	Outputs map[pipeline.Environment]map[string]string
}

// EnvironmentStatus is how far a request has come in one environment.
type EnvironmentStatus struct {
	Environment pipeline.Environment
	State       pipeline.StatusState
	Description string // without the request's id
}

// Run sends the request. A change that is none of metapipe's business posts
// success, since a required check must not hang. Problems in variables.yml are a
// *RejectedError, an end that was not seen in time is a *WaitingError.
func (t *Trigger) Run(ctx context.Context, in TriggerInput) (TriggerResult, error) {
	if why := in.Event.Idle(); why != "" {
		return TriggerResult{Skipped: why}, nil
	}
	if err := in.Event.CheckTrigger(); err != nil {
		return TriggerResult{}, err
	}
	repo, head := in.Event.Repository.Slug, in.Event.Head
	statusContext := in.request().StatusContext("")
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
		err := t.Own.SetStatus(ctx, repo, head, pipeline.Status{Context: statusContext, State: pipeline.StatusSuccess, Description: why, TargetURL: in.Run.URL})
		return TriggerResult{Skipped: why, Outcome: pipeline.OutcomeNoChanges}, err
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

// Unsent leaves a final status on the commit of a run that sends nothing because of
// err, and returns err: a required check must say why nothing comes, and what to do.
// Runs that need not send anything are left alone.
func (t *Trigger) Unsent(ctx context.Context, in TriggerInput, err error) error {
	if in.Event.Idle() != "" || in.Event.CheckTrigger() != nil || in.Event.Head.Zero() {
		return err
	}
	return t.unsent(ctx, in, in.ownID(in.Run.Attempt), err)
}

// unsent is Unsent for the request with that id. Where the request has arrived after
// all, the manager's own statuses replace this one.
func (t *Trigger) unsent(ctx context.Context, in TriggerInput, id pipeline.RequestID, err error) error {
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	t.close(last, in, id, in.request().StatusContext(""), whyUnsent(in.Manager, err))
	return err
}

// brief is an error with a form that fits into a commit status.
type brief interface {
	error
	Short() string // why, in a few words
}

// unsentRoom is the length of that description, in characters: an id follows.
const unsentRoom = 120

// whyUnsent is the description of a status; what to do stands last but for the id, and
// is never cut off.
func whyUnsent(manager pipeline.Slug, err error) string {
	to := ""
	if manager != (pipeline.Slug{}) {
		to = " to " + manager.String()
	}
	why, next := "", "see the log of this job, then run it again"
	var short brief
	var usage *pipeline.UsageError
	switch {
	case errors.As(err, &short):
		why, next = short.Short(), "run this job again"
	case errors.As(err, &usage):
		why, next = usage.Message, "see the log of this job"
	}
	if why != "" {
		why += "; "
	}
	return pipeline.ClipBefore("Not sent"+to+": "+why, next, unsentRoom)
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
	err := t.Own.SetStatus(ctx, in.Event.Repository.Slug, in.Event.Head, pipeline.Status{Context: statusContext, State: pipeline.StatusFailure, Description: description, TargetURL: in.Run.URL})
	if err != nil {
		t.Logf("could not post the status: %v", err)
	}
	return problems, &pipeline.RejectedError{Reason: pipeline.ReasonInvalidVariables, Message: "variables.yml has problems; nothing was sent, so no comment follows; the summary of this job lists all of them", Problems: problems}
}

// listedInSummary is the end of the status of a commit whose file has problems: the
// manager hears nothing of it, so that nobody writes a comment.
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
	if err := t.Manager.Dispatch(ctx, in.Manager, pipeline.DispatchEvent, body); err != nil {
		return fmt.Errorf("send request %s to %s: %w", id.Short(), in.Manager, err)
	}
	t.Logf("request %s sent to %s (%s of %s at %s)", id.Short(), in.Manager, p.Request.Mode, e.Repository, e.Head.Short())
	return nil
}

// follow watches the customer's own commit: the manager writes the request id
// into each status of the request.
func (t *Trigger) follow(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext string) (TriggerResult, error) {
	repo, head := in.Event.Repository.Slug, in.Event.Head
	result := TriggerResult{Request: id, Outcome: pipeline.OutcomeRequested}
	started := t.Now()
	pause, logged, picked := 250*time.Millisecond, "", false
	result.Stage = stagePickedUp
	var watch stageWatch
	for {
		statuses, err := t.Own.Statuses(ctx, repo, head)
		if err != nil {
			return result, fmt.Errorf("watch the status of %s in %s: %w", head.Short(), repo, err)
		}
		status, shown := pipeline.StatusOf(statuses, statusContext, id)
		if picked && !shown {
			return result, &pipeline.WaitingError{Stage: "end", Message: fmt.Sprintf("the statuses of %s now show another request than %s", head.Short(), id.Short()),
				Next: "a newer request for the same commit has taken its place: see its run"}
		}
		picked = shown
		if picked {
			result.RunURL = status.TargetURL
			result.Description, result.Environments = strings.TrimSuffix(status.Description, pipeline.RequestTag(id)), environmentsOf(statuses, statusContext, id)
			if status.Description != logged {
				logged = status.Description
				t.Logf("%s", logged)
			}
			if status.State != pipeline.StatusPending {
				result.Stage = stageEnd
				return t.ended(ctx, in, result, status, statuses)
			}
			if now := stageOf(statuses, statusContext, id); watch.see(now, t.Now()) {
				t.Logf("%s", now)
			}
			result.Stage = watch.at.name
		}
		waited := t.Now().Sub(started)
		switch {
		case !picked && waited >= in.Pickup:
			return result, t.notPickedUp(ctx, in, id, statusContext)
		case picked && in.Wait == 0:
			return result, nil
		case picked:
			if err := watch.late(in, id, waited, t.Now()); err != nil {
				return result, err
			}
		}
		if err := t.Sleep(ctx, pause); err != nil {
			return result, err
		}
		pause = min(pause*3/2, t.MaxPause)
	}
}

func (t *Trigger) notPickedUp(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext string) error {
	t.close(ctx, in, id, statusContext, fmt.Sprintf("Not picked up by %s within %s", in.Manager, in.Pickup))
	return &pipeline.WaitingError{Stage: "picked-up", Message: fmt.Sprintf("request %s was not picked up by %s within %s", id.Short(), in.Manager, in.Pickup),
		Next: "check that the manager's workflow listens to repository_dispatch type " + pipeline.DispatchEvent + " on its default branch, then run this job again"}
}

// close ends the overall status of a request that the manager has not answered;
// an answer that has come at the last moment stays.
func (t *Trigger) close(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext, why string) {
	repo, head := in.Event.Repository.Slug, in.Event.Head
	statuses, err := t.Own.Statuses(ctx, repo, head)
	if _, answered := pipeline.StatusOf(statuses, statusContext, id); err == nil && answered {
		return
	}
	err = t.Own.SetStatus(ctx, repo, head, pipeline.Status{Context: statusContext, State: pipeline.StatusError, Description: pipeline.WithRequestTag(why, id), TargetURL: in.Run.URL})
	if err != nil {
		t.Logf("could not post the status: %v", err)
	}
}

func (t *Trigger) ended(ctx context.Context, in TriggerInput, result TriggerResult, status pipeline.Status, statuses []pipeline.Status) (TriggerResult, error) {
	if status.State != pipeline.StatusSuccess {
		result.Outcome = pipeline.OutcomeFailed
		return result, &pipeline.FailedError{Message: fmt.Sprintf("request %s: %s", result.Request.Short(), status.Description), Next: "see " + status.TargetURL}
	}
	result.Outcome = pipeline.OutcomePlanned
	if pipeline.ModeOf(in.Event.Name).Reduce(in.Mode) != pipeline.ModeApply {
		return result, nil
	}
	return t.outputs(ctx, in, result, statuses)
}

// outputs reads what each environment of the request put out. An environment
// without changes has no deployment of this commit: the newest one holds.
func (t *Trigger) outputs(ctx context.Context, in TriggerInput, result TriggerResult, statuses []pipeline.Status) (TriggerResult, error) {
	repo := in.Event.Repository.Slug
	result.Outcome, result.Outputs = pipeline.OutcomeNoChanges, map[pipeline.Environment]map[string]string{}
	request := in.request()
	for _, e := range environmentsOf(statuses, request.StatusContext(""), result.Request) {
		env := string(e.Environment)
		for _, sha := range []pipeline.SHA{in.Event.Head, ""} {
			deployments, err := t.Own.Deployments(ctx, repo, sha, request.DeploymentEnvironment(pipeline.Environment(env)))
			if err != nil {
				return result, fmt.Errorf("read the outputs of request %s: %w", result.Request.Short(), err)
			}
			if d, ok := newestSuccess(deployments); ok {
				result.Outputs[d.Payload.Environment] = d.Payload.Outputs
				if left := d.Payload.LeftOut; len(left) > 0 {
					t.Logf("GitHub had no room for these outputs of %s: %s", d.Payload.Environment, pipeline.PlainLine(strings.Join(left, ", ")))
				}
				if d.Payload.Request == result.Request {
					result.Outcome = pipeline.OutcomeApplied
				}
				break
			}
		}
	}
	return result, nil
}

// environmentsOf are the environments of a request as its statuses show them.
func environmentsOf(statuses []pipeline.Status, overall string, id pipeline.RequestID) []EnvironmentStatus {
	var all []EnvironmentStatus
	for _, s := range statuses {
		env, ok := strings.CutPrefix(s.Context, overall+"/")
		says, ours := strings.CutSuffix(s.Description, pipeline.RequestTag(id))
		if ok && ours {
			all = append(all, EnvironmentStatus{Environment: pipeline.Environment(env), State: s.State, Description: says})
		}
	}
	slices.SortFunc(all, func(a, b EnvironmentStatus) int { return strings.Compare(string(a.Environment), string(b.Environment)) })
	return all
}

func newestSuccess(newestFirst []pipeline.Deployment) (pipeline.Deployment, bool) {
	for _, d := range newestFirst {
		if d.State == "success" && d.Payload.Environment != "" {
			return d, true
		}
	}
	return pipeline.Deployment{}, false
}
