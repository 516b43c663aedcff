package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

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

// TestFetchVarsAgain: the same job again is the same request.
func TestFetchVarsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	w.newJob(r.run).do(0, "fetch-vars").want(t, "request-id="+r.id, "outcome=requested")
	r.planned("staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	r.report("--final").want(t, "outcome=success")
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
