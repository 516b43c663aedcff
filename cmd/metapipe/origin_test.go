package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// forgery changes a genuine request into one that must not be believed.
type forgery struct {
	name   string
	reason string
	// forge changes the payload: request and proof. It may change the world too.
	forge func(t *testing.T, w *world, request, proof map[string]any)
}

func forgeries() []forgery {
	set := func(key string, value any) func(*testing.T, *world, map[string]any, map[string]any) {
		return func(_ *testing.T, _ *world, request, _ map[string]any) { request[key] = value }
	}
	return []forgery{
		{"a run that does not exist", "unproved-origin", set("run_id", 999)},
		{"no signature", "unproved-origin", func(_ *testing.T, _ *world, _, proof map[string]any) { delete(proof, "token") }},
		{"a made-up signature", "unproved-origin", func(_ *testing.T, _ *world, _, proof map[string]any) { proof["token"] = "e30.e30.e30" }},
		{"another id under the signature", "unproved-origin", set("id", "0b7f4a52-91ad-4f6e-9d43-6f8f3ad0a111")},
		{"another event", "unproved-origin", set("event", "workflow_dispatch")},
		{"another attempt", "unproved-origin", set("run_attempt", 2)},
		{"another commit", "unproved-origin", func(_ *testing.T, w *world, request, _ map[string]any) {
			request["commit"] = w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "name: evil\nenvironments:\n  staging: {}\n"})
		}},
		{"another customer's path", "unknown-customer", set("path", "other")},
		{"another repository", "unknown-customer", set("repository_id", 4712)},
		{"a repository of another name", "unknown-customer", set("repository", managerSlug)},
		{"a commit that was taken off its branch", "unreachable-commit", func(t *testing.T, w *world, request, _ map[string]any) {
			check(t, w.customer.SetBranch("main", must(w.customer.CommitOf(request["commit"].(string)))(t).Parents[0]))
		}},
		{"an unknown key", "invalid-payload", set("approve", true)},
		{"an event that deploys nothing", "invalid-payload", set("event", "issue_comment")},
		{"a path that leads out", "invalid-payload", set("path", "../../etc")},
		{"a command as a path", "unknown-customer", set("path", "$(touch /tmp/owned)")},
		{"no commit", "invalid-payload", set("commit", "main")},
	}
}

func TestUnprovedRequestsWriteNothing(t *testing.T) {
	t.Parallel()
	for _, c := range forgeries() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
			w.newJob(run).do(5, "trigger", "--pickup-timeout", "1s").says(t, "was not picked up", "run this job again")
			w.wantStatus(run.sha, "infra/terraform-deploy", "error: Not picked up")
			forged := w.forge(w.queued(), func(request, proof map[string]any) { c.forge(t, w, request, proof) })
			before := string(must(json.Marshal(w.customer.Snapshot()))(t))

			w.hub.ResetCalls()
			fetched := w.newJob(forged).do(3, "fetch-vars")
			fetched.want(t, "outcome=rejected", "reason="+c.reason, "request-id=", "customer=", "environments=[]", "applies=[]")
			told := w.newJob(forged).do(0, "report", "--customer", fetched.outputs["customer"], "--request", fetched.outputs["request-id"])
			told.want(t, "outcome=")
			if !strings.Contains(told.summary, "Request rejected: `"+c.reason+"`") || !strings.Contains(told.summary, "Nothing was written") {
				t.Errorf("the summary does not explain:\n%s", told.summary)
			}
			w.newJob(forged).do(0, "report", "--final")
			if writes := w.writes(); len(writes) != 0 {
				t.Errorf("written: %v", writes)
			}
			if after := string(must(json.Marshal(w.customer.Snapshot()))(t)); after != before {
				t.Errorf("the customer's repository has changed:\n%s\n%s", before, after)
			}
		})
	}
}

// forge makes a manager's run with a changed payload, as everybody can who has
// the token for dispatches.
func (w *world) forge(genuine workflowRun, change func(request, proof map[string]any)) workflowRun {
	w.t.Helper()
	var event struct {
		Payload struct {
			Request map[string]any `json:"request"`
			Proof   map[string]any `json:"proof"`
		} `json:"client_payload"`
	}
	check(w.t, json.Unmarshal(genuine.event, &event))
	change(event.Payload.Request, event.Payload.Proof)
	name := "mallory " + w.t.Name()
	w.token(hub.Token{Name: name, Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{managerSlug}, Permissions: permissions("", "contents")})
	raw := must(w.manager.DispatchEvent(pipeline.DispatchEvent, must(json.Marshal(event.Payload))(w.t), name))(w.t)
	run := must(w.manager.StartRun(hub.NewRun{Event: "repository_dispatch", Path: managerWorkflow, HeadSHA: genuine.sha, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(w.t)
	return workflowRun{repo: w.manager, run: run, event: raw, sha: genuine.sha, ref: "refs/heads/main"}
}

func TestReplayIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	// The same job again is the same request.
	w.newJob(r.run).do(0, "fetch-vars").want(t, "request-id="+r.id, "outcome=requested")
	replayed := w.forge(r.run, func(_, _ map[string]any) {})
	w.hub.ResetCalls()
	w.newJob(replayed).do(3, "fetch-vars").want(t, "reason=replayed", "request-id=")
	w.newJob(replayed).do(0, "report").want(t, "outcome=")
	if writes := w.writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
	r.planned("staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	r.report("--final").want(t, "outcome=success")
}

func TestAnotherWorkflowMayNotAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	check(t, w.customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/mine.yml", Name: "Mine"}))
	run.run = must(w.customer.StartRun(hub.NewRun{Event: "push", Path: ".github/workflows/mine.yml", HeadSHA: run.sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(t)
	_, fetched := w.askInVain(run)
	fetched.want(t, "reason=unproved-origin")
	fetched.says(t, "and not from .github/workflows/trigger-infra.yml")
}

// askInVain sends a request that nobody accepts.
func (w *world) askInVain(run workflowRun) (triggered, fetched result) {
	w.t.Helper()
	triggered = w.newJob(run).do(5, "trigger", "--pickup-timeout", "1s")
	return triggered, w.newJob(w.queued()).do(3, "fetch-vars")
}

func TestRejectedVariablesAreAnswered(t *testing.T) {
	t.Parallel()
	// The manager's schema cannot be read by the customer's token here, so the
	// manager finds what the customer's run has not.
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "schema: schema.json\n", "customers/shop.yml": managerFiles["customers/shop.yml"] + "environments: [staging]\n",
		"schema.json": `{"type":"object","properties":{"name":{"maxLength":5}}}`})
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"})
	_, fetched := w.ask(run, 3)
	fetched.want(t, "outcome=rejected", "reason=invalid-variables")
	fetched.says(t, "infra/variables.yml:4:3: environment-not-allowed", "::error ")
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	w.wantNothingPending()

	bad := w.push("main", map[string]string{"infra/variables.yml": "name: too long\nname: twice\nenvironments:\n  staging: {}\n"})
	rejected := w.newJob(bad).do(3, "trigger")
	rejected.says(t, "infra/variables.yml:2:1", "nothing was sent", "::error col=1,file=infra/variables.yml,line=2,title=duplicate-key::")
	w.wantStatus(bad.sha, "infra/terraform-deploy", "failure: infra/variables.yml:")
	w.wantNoDispatch()
}

// wantNoDispatch checks that the manager has nothing to do.
func (w *world) wantNoDispatch() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 50*time.Millisecond)
	defer cancel()
	if q, err := w.hub.NextRun(ctx); err == nil {
		w.t.Errorf("something was sent: %s", q.Run.Payload)
	}
}
