package pipelinetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// ManualInput is a request that someone of the manager makes in a run started by an event.
func (w *Setup) ManualInput(event string, ask intake.ManualRequest) intake.FetchInput {
	ask.Customer, ask.Actor = "acme", "robin"
	in := intake.FetchInput{Manager: ManagerSlug, ManagerCommit: ManagerCommit, Manual: &ask, Requesters: []pipeline.Account{Robin},
		Run: pipeline.Run{Repository: ManagerSlug, ID: 77, Attempt: 1, URL: "https://hub/run", CreatedAt: w.Now}}
	in.Event.Name, in.Event.Ref, in.Event.Repository.DefaultBranch = event, "refs/heads/main", "main"
	return in
}

// DestroyStaging is the manual request to destroy staging.
var DestroyStaging = intake.ManualRequest{Environment: "staging", Mode: pipeline.ModeDestroy, Confirm: "acme/staging"}

// BothEnvironments is a variables.yml for staging and production.
const BothEnvironments = "staging one\nproduction one\n"

// Dispatch builds what trigger would send for a commit of the hub.
func (w *Setup) Dispatch(commit pipeline.SHA, event string) pipeline.DispatchRequest {
	w.lastRun++
	a := pipeline.DispatchRequest{Version: 1, Repository: "acme/app", RepositoryID: 7, Path: "infra", Event: event, Commit: commit,
		Ref: "refs/heads/main", Mode: pipeline.ModeApply, RunID: w.lastRun, RunAttempt: 1}
	a.ID = a.OwnID()
	if event == "pull_request" {
		a.PullRequest, a.Ref, a.Mode = 5, "refs/pull/5/merge", pipeline.ModePlan
		w.Hub.Pulls[5] = pipeline.PullRequest{Number: 5, State: "open", Head: commit, HeadBranch: "change", HeadRepoID: 7, BaseBranch: "main"}
	}
	w.Hub.Runs[w.lastRun] = pipeline.WorkflowRun{
		ID:          w.lastRun,
		Attempt:     1,
		Event:       event,
		Status:      "in_progress",
		HeadSHA:     commit,
		Path:        intake.TriggerWorkflow,
		Actor:       "dev",
		StartedBy:   Dev,
		TriggeredBy: Dev,
		RepoID:      7,
		CreatedAt:   w.Now,
		UpdatedAt:   w.Now,
	}
	return a
}

// LastRun is the id of the run that asked last.
func (w *Setup) LastRun() int64 { return w.lastRun }

// Send is the manager's prepare job for a dispatch request.
func (w *Setup) Send(a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.Tick()
	return w.Fetcher().Run(context.Background(), w.FetchInput(a, w.Claims(a)))
}

// FetchInput is the input of fetch-vars for a dispatch with this token.
func (w *Setup) FetchInput(a pipeline.DispatchRequest, claims pipeline.Claims) intake.FetchInput {
	token, err := json.Marshal(claims)
	if err != nil {
		w.T.Fatal(err)
	}
	payload, err := json.Marshal(pipeline.Payload{Request: a, Proof: pipeline.Proof{Token: string(token)}})
	if err != nil {
		w.T.Fatal(err)
	}
	return intake.FetchInput{Event: pipeline.Event{Name: "repository_dispatch", Payload: payload}, Manager: ManagerSlug, ManagerCommit: ManagerCommit,
		Run: pipeline.Run{Repository: ManagerSlug, RepositoryID: ManagerID, ID: a.RunID + 1000, Attempt: 1, URL: "https://hub/run", CreatedAt: w.Now}}
}

// Claims are those that the runner would sign for the request.
func (w *Setup) Claims(a pipeline.DispatchRequest) pipeline.Claims {
	return pipeline.Claims{Audience: a.Audience(ManagerSlug), RepositoryID: 7, RunID: a.RunID, RunAttempt: a.RunAttempt, EventName: a.Event, Ref: a.Ref, SHA: a.Commit,
		JTI: fmt.Sprint("token-", a.RunID, "-", a.ID), IssuedAt: w.Now}
}

// Fetcher is the fetch-vars command.
func (w *Setup) Fetcher() *intake.FetchVars {
	return &intake.FetchVars{GitHub: w.Hub, Customers: w, Store: w.Store, Sealer: w.Sealer, Parse: ParseVariables, Verify: verify, Status: PlainRenderer{}.Status,
		Now: func() time.Time { return w.Now }, Logf: w.Logf, Runs: w.Hub,
		Close: func(_ context.Context, old pipeline.Request) error { w.Report(old, true); return nil }}
}

// verify stands for the signature check: the token is the claims themselves.
func verify(_ context.Context, token, audience string, _ time.Time) (pipeline.Claims, error) {
	var c pipeline.Claims
	if err := json.Unmarshal([]byte(token), &c); err != nil {
		return c, err
	}
	if c.Audience != audience {
		return c, fmt.Errorf("audience is %q", c.Audience)
	}
	return c, nil
}

// WaitingRequest is a push whose first environment is planned and waits.
func (w *Setup) WaitingRequest() pipeline.Request {
	w.T.Helper()
	request := Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	if planned := Must[deploy.TargetResult](w.T)(w.Plan(request, "staging")); planned.Outcome != pipeline.OutcomeWaiting {
		w.T.Fatalf("planned: %+v", planned)
	}
	return request
}

// SetRun moves the manager's run of a request.
func (w *Setup) SetRun(r pipeline.Request, status, conclusion string) {
	w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: status, Conclusion: conclusion, UpdatedAt: w.Now}
}
