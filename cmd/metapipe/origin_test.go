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
func forge(w *Setup, genuine WorkflowRun, change func(request, proof map[string]any)) WorkflowRun {
	w.T.Helper()
	var event struct {
		Payload struct {
			Request map[string]any `json:"request"`
			Proof   map[string]any `json:"proof"`
		} `json:"client_payload"`
	}
	Check(w.T, json.Unmarshal(genuine.Event, &event))
	change(event.Payload.Request, event.Payload.Proof)
	name := "mallory " + w.T.Name()
	w.Token(hub.Token{Name: name, Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{ManagerSlug}, Permissions: Permissions("", "contents")})
	raw := Must(w.Manager.DispatchEvent(pipeline.DispatchEvent, Must(json.Marshal(event.Payload))(w.T), name))(w.T)
	run := Must(w.Manager.StartRun(hub.NewRun{Event: "repository_dispatch", Path: ManagerWorkflow, HeadSHA: genuine.SHA, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(w.T)
	return WorkflowRun{Repo: w.Manager, Run: run, Event: raw, SHA: genuine.SHA, Ref: "refs/heads/main"}
}

// TestFetchVarsAgain: the same job again is the same request.
func TestFetchVarsAgain(t *testing.T) {
	t.Parallel()
	w := New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": VariablesYML}))
	w.NewJob(r.Run).Do(0, "fetch-vars").Want(t, "request-id="+r.ID, "outcome=requested")
	r.Planned("staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
}

// askInVain sends a request that nobody accepts.
func askInVain(w *Setup, run WorkflowRun) (triggered, fetched Result) {
	w.T.Helper()
	triggered = w.NewJob(run).Do(5, "trigger", "--pickup-timeout", "1s")
	return triggered, w.NewJob(w.Queued()).Do(3, "fetch-vars")
}

func TestRejectedVariablesAreAnswered(t *testing.T) {
	t.Parallel()
	// The manager's schema cannot be read by the customer's token here, so the
	// manager finds what the customer's run has not.
	w := New(t, map[string]string{"metapipe.yml": ManagerFiles["metapipe.yml"] + "schema: schema.json\n", "customers/shop.yml": ManagerFiles["customers/shop.yml"] + "environments: [staging]\n",
		"schema.json": `{"type":"object","properties":{"name":{"maxLength":5}}}`})
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"})
	_, fetched := w.Ask(run, 3)
	fetched.Want(t, "outcome=rejected", "reason=invalid-variables")
	fetched.Says(t, "infra/variables.yml:4:3: environment-not-allowed", "::error ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantNothingPending()

	bad := w.Push("main", map[string]string{"infra/variables.yml": "name: too long\nname: twice\nenvironments:\n  staging: {}\n"})
	rejected := w.NewJob(bad).Do(3, "trigger")
	rejected.Says(t, "infra/variables.yml:2:1", "nothing was sent", "::error col=1,file=infra/variables.yml,line=2,title=duplicate-key::")
	w.WantStatus(bad.SHA, "infra/terraform-deploy", "failure: infra/variables.yml:")
	w.WantNoDispatch()
}

// WantNoDispatch checks that the manager has nothing to do.
func (w *Setup) WantNoDispatch() {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), 50*time.Millisecond)
	defer cancel()
	if q, err := w.Hub.NextRun(ctx); err == nil {
		w.T.Errorf("something was sent: %s", q.Run.Payload)
	}
}
