package recovery

import (
	"encoding/json"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// forge makes a manager's run with a changed payload, as everybody can who has
// the token for dispatches.
func forge(w *fixture.Setup, genuine fixture.WorkflowRun, change func(request, proof map[string]any)) fixture.WorkflowRun {
	w.T.Helper()
	var event struct {
		Payload struct {
			Request map[string]any `json:"request"`
			Proof   map[string]any `json:"proof"`
		} `json:"client_payload"`
	}
	fixture.Check(w.T, json.Unmarshal(genuine.Event, &event))
	change(event.Payload.Request, event.Payload.Proof)
	name := "mallory " + w.T.Name()
	w.Token(hub.Token{Name: name, Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")})
	raw := fixture.Must(w.Manager.DispatchEvent(pipeline.DispatchEvent, fixture.Must(json.Marshal(event.Payload))(w.T), name))(w.T)
	run := fixture.Must(w.Manager.StartRun(hub.NewRun{Event: "repository_dispatch", Path: fixture.ManagerWorkflow, HeadSHA: genuine.SHA, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(w.T)
	return fixture.WorkflowRun{Repo: w.Manager, Run: run, Event: raw, SHA: genuine.SHA, Ref: "refs/heads/main"}
}
