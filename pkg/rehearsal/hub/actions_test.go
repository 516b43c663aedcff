package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

const workflowPath = ".github/workflows/infra.yml"

func (s *fixture) listen() {
	s.t.Helper()
	good(s.t, s.manager.AddWorkflow(hub.Workflow{
		Path: workflowPath, Name: "Infra", Dispatches: []string{"infra-deploy"}, Manual: true,
		RunName: func(event json.RawMessage) string {
			var e struct {
				Payload struct{ Request string } `json:"client_payload"`
			}
			if json.Unmarshal(event, &e) != nil || e.Payload.Request == "" {
				return "Infra"
			}
			return "Infra " + e.Payload.Request
		},
		Inputs: []hub.Input{{Name: "customer", Required: true}, {Name: "mode", Default: "plan"}},
	}))
}

func TestRepositoryDispatch(t *testing.T) {
	t.Parallel()
	printed := make(chan hub.Queued, 1)
	s := newFixture(t, hub.Options{OnRun: func(q hub.Queued) { printed <- q }})
	s.listen()
	api, ctx := s.client("admin").Repositories, t.Context()
	payload := json.RawMessage(`{"request":"r","n":1}`)
	for _, eventType := range []string{"something-else", "infra-deploy"} {
		_, resp, err := api.Dispatch(ctx, "ops", "manager", github.DispatchRequestOptions{EventType: eventType, ClientPayload: &payload})
		good(t, err)
		equal(t, "status", resp.StatusCode, 204)
	}
	q := got(s.hub.NextRun(ctx))(t)
	equal(t, "run", fmt.Sprintln(q.Run.Event, q.Run.Status, q.Run.Actor, q.Run.HeadBranch, q.Run.Path), "repository_dispatch queued ops main "+workflowPath+"\n")
	equal(t, "hook", (<-printed).Run.ID, q.Run.ID)
	var event struct {
		Action  string          `json:"action"`
		Branch  string          `json:"branch"`
		Payload json.RawMessage `json:"client_payload"`
	}
	good(t, json.Unmarshal(q.Run.Payload, &event))
	equal(t, "event", event.Action+event.Branch+string(event.Payload), "infra-deploymain"+string(payload))
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := s.hub.NextRun(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a run nobody listens to was queued: %v", err)
	}
	runs, _, err := s.client("metapipe").Actions.ListRepositoryWorkflowRuns(ctx, "ops", "manager", &github.ListWorkflowRunsOptions{Event: "repository_dispatch"})
	good(t, err)
	equal(t, "runs", fmt.Sprintln(runs.GetTotalCount(), runs.WorkflowRuns[0].GetDisplayTitle()), "1 Infra r\n")
}

func TestDispatchRefusals(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.listen()
	properties := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"k%d":1`, i))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	dispatch := func(eventType, payload string) string {
		return fmt.Sprintf(`{"event_type":%q,"client_payload":%s}`, eventType, payload)
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"ten properties":    {dispatch("infra-deploy", properties(10)), 204},
		"eleven properties": {dispatch("infra-deploy", properties(11)), 422},
		"largest":           {dispatch("infra-deploy", `{"x":"`+strings.Repeat("y", 65535-8)+`"}`), 204},
		"too large":         {dispatch("infra-deploy", `{"x":"`+strings.Repeat("y", 65536-8)+`"}`), 422},
		"longest type":      {dispatch(strings.Repeat("t", 100), "{}"), 204},
		"long type":         {dispatch(strings.Repeat("t", 101), "{}"), 422},
		"no type":           {`{"client_payload":{}}`, 422},
		"payload a list":    {dispatch("infra-deploy", `[]`), 422},
		"no payload":        {`{"event_type":"infra-deploy"}`, 204},
	} {
		a := s.send("admin", "POST", "/repos/ops/manager/dispatches", c.body)
		if a.status != c.status {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, c.status)
		}
	}
	equal(t, "queued", len(s.manager.Snapshot().Runs), 3)
	// A customer's GITHUB_TOKEN cannot dispatch elsewhere.
	equal(t, "other repository", s.send("job", "POST", "/repos/ops/manager/dispatches", dispatch("x", "{}")).status, 403)
	equal(t, "thin token", s.send("thin", "POST", "/repos/acme/shop/dispatches", dispatch("x", "{}")).status, 403)
}

func TestWorkflowDispatch(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.listen()
	path := "/repos/ops/manager/actions/workflows/infra.yml/dispatches"
	a := s.send("admin", "POST", path, `{"ref":"main","inputs":{"customer":"shop"},"return_run_details":true}`)
	equal(t, "with details", a.status, 200)
	q := got(s.hub.NextRun(t.Context()))(t)
	equal(t, "run", int64(a.object(t)["workflow_run_id"].(float64)), q.Run.ID)
	hubtest.Event(t, "webhook-workflow-dispatch", q.Run.Payload)
	var event struct{ Inputs map[string]string }
	good(t, json.Unmarshal(q.Run.Payload, &event))
	equal(t, "inputs", event.Inputs["customer"]+event.Inputs["mode"], "shopplan")
	equal(t, "plain", s.send("admin", "POST", path, `{"ref":"refs/heads/main","inputs":{"customer":"shop"}}`).status, 204)
	for name, body := range map[string]string{
		"missing input": `{"ref":"main"}`, "unexpected input": `{"ref":"main","inputs":{"customer":"x","zzz":"1"}}`, "unknown ref": `{"ref":"zzz","inputs":{"customer":"x"}}`,
	} {
		equal(t, name, s.send("admin", "POST", path, body).status, 422)
	}
	equal(t, "unknown workflow", s.send("admin", "POST", "/repos/ops/manager/actions/workflows/x.yml/dispatches", `{"ref":"main"}`).status, 404)
}

func TestRuns(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	api, ctx := s.client("metapipe").Actions, t.Context()
	run := got(s.customer.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: s.first, HeadBranch: "main", Actor: "alice", Status: "in_progress"}))(t)
	got(s.customer.SetJob(run.ID, "trigger", "in_progress", ""))(t)
	r, _, err := api.GetWorkflowRunByID(ctx, "acme", "shop", run.ID)
	good(t, err)
	equal(t, "run", fmt.Sprintln(r.GetStatus(), r.GetHeadSHA(), r.GetActor().GetLogin(), r.GetRunAttempt(), r.GetRepository().GetID()),
		fmt.Sprintln("in_progress", s.first, "alice", 1, 4711))
	jobs, _, err := api.ListWorkflowJobs(ctx, "acme", "shop", run.ID, nil)
	good(t, err)
	equal(t, "jobs", jobs.GetTotalCount(), 1)
	_, err = api.CancelWorkflowRunByID(ctx, "acme", "shop", run.ID)
	equal(t, "cancel", fmt.Sprintf("%T", err), "*github.AcceptedError")
	equal(t, "cancel is a wish", got(s.customer.Run(run.ID))(t).CancelRequested, true)
	good(t, s.customer.SetRun(run.ID, "completed", "cancelled"))
	_, err = api.CancelWorkflowRunByID(ctx, "acme", "shop", run.ID)
	equal(t, "cancel again", status(err), 409)
	equal(t, "next attempt", got(s.customer.Rerun(run.ID))(t).Attempt, 2)
	for attempt, want := range map[int]string{1: "completed", 2: "queued"} {
		a, _, err := api.GetWorkflowRunAttempt(ctx, "acme", "shop", run.ID, attempt, nil)
		good(t, err)
		equal(t, "attempt", a.GetStatus(), want)
	}
	_, _, err = api.GetWorkflowRunAttempt(ctx, "acme", "shop", run.ID, 3, nil)
	equal(t, "unknown attempt", status(err), 404)
	_, _, err = api.GetWorkflowRunByID(ctx, "acme", "shop", 1)
	equal(t, "unknown run", status(err), 404)
	s.clock.pass(time.Hour)
	got(s.customer.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: s.first, HeadBranch: "other", Actor: "alice"}))(t)
	for name, c := range map[string]struct {
		opt  github.ListWorkflowRunsOptions
		want int
	}{
		"all":    {github.ListWorkflowRunsOptions{}, 2},
		"branch": {github.ListWorkflowRunsOptions{Branch: "other"}, 1},
		"event":  {github.ListWorkflowRunsOptions{Event: "schedule"}, 0},
		"status": {github.ListWorkflowRunsOptions{Status: "queued", HeadSHA: s.first, Actor: "alice"}, 2},
	} {
		list, _, err := api.ListRepositoryWorkflowRuns(ctx, "acme", "shop", &c.opt)
		good(t, err)
		equal(t, name, list.GetTotalCount(), c.want)
	}
	since := s.send("metapipe", "GET", "/repos/acme/shop/actions/runs?created=%3E%3D2026-03-04T06:00:00Z", "")
	equal(t, "created since", since.object(t)["total_count"].(float64), 1)
	byFile, _, err := api.ListWorkflowRunsByFileName(ctx, "acme", "shop", "infra.yml", nil)
	good(t, err)
	equal(t, "of the workflow", byFile.GetTotalCount(), 2)
	for _, bad := range [][2]string{{"done", ""}, {"completed", ""}, {"queued", "success"}, {"completed", "great"}} {
		if err := s.customer.SetRun(run.ID, bad[0], bad[1]); err == nil {
			t.Errorf("state %v was accepted", bad)
		}
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"alice", "ops"}, PreventSelfReview: true}))
	head := got(s.manager.Head("main"))(t)
	run := got(s.manager.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: head, HeadBranch: "main", Actor: "ops", Status: "in_progress"}))(t)
	equal(t, "no rules", got(s.manager.EnterEnvironment(run.ID, "plan", "production-plan"))(t), hub.GateOpen)
	equal(t, "reviewers", got(s.manager.EnterEnvironment(run.ID, "apply", "production-apply"))(t), hub.GateWaiting)
	equal(t, "run", got(s.manager.Run(run.ID))(t).Status, "waiting")
	equal(t, "waits for", fmt.Sprint(s.manager.Waiting(run.ID)), "[production-apply]")

	type answer struct {
		gate hub.Gate
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		g, err := s.manager.AwaitEnvironment(t.Context(), run.ID, "apply", "production-apply")
		done <- answer{g, err}
	}()
	ctx := t.Context()
	pending, _, err := s.client("admin").Actions.PendingDeployments(ctx, "ops", "manager", run.ID, &github.PendingDeploymentsRequest{
		EnvironmentIDs: []int64{1}, State: "approved", Comment: "",
	})
	equal(t, "unknown environment", fmt.Sprint(status(err), len(pending)), "422 0")
	at := fmt.Sprintf("/repos/ops/manager/actions/runs/%d/", run.ID)
	var list []struct {
		Environment struct{ ID int64 }
		Can         bool `json:"current_user_can_approve"`
	}
	good(t, json.Unmarshal([]byte(s.send("admin", "GET", at+"pending_deployments", "").body), &list))
	equal(t, "ops started the run", list[0].Can, false)
	s.secrets["alice"] = got(s.hub.AddToken(hub.Token{Name: "alice", Kind: hub.Classic, User: "alice", Scopes: []string{"repo"}}))(t).Secret
	good(t, s.manager.Grant("alice", hub.Write))
	review := fmt.Sprintf(`{"environment_ids":[%d],"state":"approved","comment":"looks right"}`, list[0].Environment.ID)
	equal(t, "self review", s.send("admin", "POST", at+"pending_deployments", review).status, 422)
	equal(t, "review", s.send("alice", "POST", at+"pending_deployments", review).status, 200)
	equal(t, "answer", <-done, answer{hub.GateOpen, nil})
	equal(t, "review again", s.send("alice", "POST", at+"pending_deployments", review).status, 422)
	var approvals []struct {
		State, Comment string
		User           struct{ Login string }
	}
	good(t, json.Unmarshal([]byte(s.send("admin", "GET", at+"approvals", "").body), &approvals))
	equal(t, "record", fmt.Sprint(approvals), "[{approved looks right {alice}}]")
	equal(t, "run goes on", got(s.manager.Run(run.ID))(t).Status, "in_progress")
	good(t, s.manager.LeaveEnvironment(run.ID, "apply", true))
	deps := s.manager.Snapshot().Deployments
	equal(t, "deployment", fmt.Sprint(len(deps), deps[1].States[len(deps[1].States)-1].State), "2success")
}

func TestRejectionTimerAndBranches(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.manager.SetEnvironment("gated", hub.EnvironmentRules{Reviewers: []string{"ops"}}))
	good(t, s.manager.SetEnvironment("slow", hub.EnvironmentRules{WaitTimer: 10 * time.Minute}))
	good(t, s.manager.SetEnvironment("released", hub.EnvironmentRules{Branches: []string{"release/*"}}))
	head := got(s.manager.Head("main"))(t)
	start := func() int64 {
		return got(s.manager.StartRun(hub.NewRun{Event: "push", Path: workflowPath, HeadSHA: head, HeadBranch: "main", Actor: "ops", Status: "in_progress"}))(t).ID
	}
	enter := func(id int64, env string) hub.Gate { return got(s.manager.EnterEnvironment(id, "job", env))(t) }
	id := start()
	enter(id, "gated")
	if err := s.manager.Review(id, "gated", "alice", true, ""); err == nil {
		t.Error("somebody else approved")
	}
	good(t, s.manager.Review(id, "gated", "ops", false, "no"))
	equal(t, "rejected", enter(id, "gated"), hub.GateRejected)
	equal(t, "record", got(s.manager.Run(id))(t).Reviews[0].Comment, "no")
	equal(t, "branch policy", enter(start(), "released"), hub.GateRejected)
	id = start()
	equal(t, "timer", enter(id, "slow"), hub.GateWaiting)
	s.clock.pass(9 * time.Minute)
	equal(t, "timer", enter(id, "slow"), hub.GateWaiting)
	s.clock.pass(time.Minute)
	equal(t, "timer", got(s.manager.AwaitEnvironment(t.Context(), id, "job", "slow"))(t), hub.GateOpen)
	// A run that waits is cancelled at once, and so is who waits for it.
	id = start()
	equal(t, "waits", enter(id, "gated"), hub.GateWaiting)
	_, err := s.client("admin").Actions.CancelWorkflowRunByID(t.Context(), "ops", "manager", id)
	equal(t, "cancel", fmt.Sprintf("%T", err), "*github.AcceptedError")
	equal(t, "cancelled", got(s.manager.Run(id))(t).Conclusion, "cancelled")
	if _, err := s.manager.AwaitEnvironment(t.Context(), id, "job", "gated"); err == nil {
		t.Error("entered an environment from a run that is over")
	}
}
