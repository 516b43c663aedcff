package act

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// inboxSettings are those of the inbox, which has the provider's token for the manager.
func (w *actSetup) inboxSettings(name string) settings {
	w.T.Helper()
	owner, repository, _ := strings.Cut(fixture.ManagerSlug, "/")
	return settings{map[string]string{
		"MANAGER_REPO_PAT": w.Token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")}),
	}, map[string]string{"MANAGER_REPO_OWNER": owner, "MANAGER_REPO_NAME": repository}}
}

// forward plays the workflow of the inbox for a run of it.
func (w *actSetup) forward(run fixture.WorkflowRun) (steps []actStep, log string, well bool) {
	w.T.Helper()
	jobs := actJobs{workflow: filepath.Base(fixture.InboxWorkflow), settings: w.settings(run), record: filepath.Join(w.T.TempDir(), "record")}
	played := w.act(run, jobs)
	well = played.wait()
	fixture.Check(w.T, run.Repo.SetRun(run.Run.ID, "completed", map[bool]string{true: "success", false: "failure"}[well]))
	return actSteps(w.T, jobs.record), played.log.String(), well
}

// inboxInAct carries a push through the three workflows; the customer has a token for the
// inbox alone. What is no request ends there.
func inboxInAct(t *testing.T, w *actSetup) {
	inbox := w.AddInbox(workflowsOf(t, "inbox", false))
	w.amend = func(run fixture.WorkflowRun, s settings) {
		if run.Repo == w.Customer {
			s.secrets["MANAGER_REPO_PAT"], s.vars["MANAGER_INBOX"] = w.InboxToken("customer of "+run.Run.URL), fixture.InboxSlug
		}
	}
	hostile := fixture.Must(json.Marshal(map[string]any{"request": map[string]any{"version": 1, "id": "$(touch pwned)\n::error::pwned", "mode": "${{ secrets.MANAGER_REPO_PAT }}"}, "proof": map[string]any{}}))(t)
	w.InboxToken("mallory's")
	event := fixture.Must(inbox.DispatchEvent(pipeline.DispatchEvent, hostile, "mallory's"))(t)
	sha := fixture.Must(inbox.Head("main"))(t)
	queued := fixture.Must(inbox.StartRun(hub.NewRun{Event: "repository_dispatch", Title: "Request", Path: fixture.InboxWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(t)
	steps, log, well := w.forward(fixture.WorkflowRun{Repo: inbox, Run: queued, Event: event, SHA: sha, Ref: "refs/heads/main"})
	if well || len(steps) != 1 || steps[0].exit != "3" || strings.Contains(log, "\n::error::pwned") {
		t.Errorf("what is no request was forwarded: %+v\n%s", steps, log)
	}
	if !w.NoRun() {
		t.Fatal("the manager has something to do")
	}

	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	requested := w.trigger(run, nil)
	steps, log, well = w.forward(w.dispatched(requested))
	if !well || len(steps) != 1 || steps[0].command != "forward" {
		t.Fatalf("the inbox has not forwarded: %+v\n%s", steps, log)
	}
	j := w.answer(w.dispatched(requested), nil).end().with(requested)
	w.wantEnds(j, true, true)
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied")
	w.WantNothingPending()
	if !strings.Contains(w.State("shop/production"), "shop in production") {
		t.Error("production was not applied")
	}
}
