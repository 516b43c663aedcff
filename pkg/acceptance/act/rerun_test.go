package act

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
)

// rerunInAct lets an apply fail for a cause outside of the request. Once it is gone, the manager's
// run is run again: the same request is planned and applied anew. Then the customer's run is run
// again: it makes a new request of the same commit, which finds nothing to change.
func rerunInAct(t *testing.T, w *actSetup) {
	mended := filepath.Join(t.TempDir(), "mended")
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf("name: shop\nenvironments:\n  staging: {}\ncommand: test -e %s\n", mended)})
	first := w.through(run, nil)
	w.wantEnds(first, false, false)
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	fixture.Check(t, os.WriteFile(mended, nil, 0o600))

	again := w.managerAgain(first.run.ID, "robin", nil).end()
	again.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	if !again.manager || again.run.Attempt != 2 {
		t.Errorf("the second attempt of the manager's run: %+v", again.run)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied")
	state := w.State("shop/staging")

	second := w.through(w.customerAgain(run, "casey"), nil)
	w.wantEnds(second, true, true)
	second.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: No changes")
	if second.run.ID == first.run.ID || w.State("shop/staging") != state {
		t.Error("the second attempt of the customer's run has no run of the manager for itself, or has changed the state")
	}
	second.wantHandedOn(t, map[string]string{"staging": "shop in staging"})
	w.WantNothingPending()
}

// rerunFailedJobs lets an apply fail, and runs only the failed jobs of the manager's run again (*Re-run
// failed jobs*). The plan that was approved has been used, so nothing is applied, and the customer
// reads what to do.
func rerunFailedJobs(t *testing.T, w *actSetup) {
	mended := filepath.Join(t.TempDir(), "mended")
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf("name: shop\nenvironments:\n  staging: {}\ncommand: test -e %s\n", mended)})
	requested := w.trigger(run, nil)
	first := w.answer(w.dispatched(requested), nil)
	j := first.end().with(requested)
	w.wantEnds(j, false, false)
	fixture.Check(t, os.WriteFile(mended, nil, 0o600))
	state := w.State("shop/staging")

	again := w.managerAgain(j.run.ID, "robin", first.now.kept).end()
	again.wantSteps(t, "apply staging", "report", "report --final")
	if again.manager || w.State("shop/staging") != state {
		t.Error("a plan was applied twice")
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	w.WantNothingPending()
}

// customerAgain begins the next attempt of a run of the customer: *Re-run all jobs*.
func (w *actSetup) customerAgain(run fixture.WorkflowRun, login string) fixture.WorkflowRun {
	w.T.Helper()
	fixture.Check(w.T, w.Customer.SetRun(run.Run.ID, "completed", "failure"))
	run.Run = fixture.Must(w.Customer.RerunBy(run.Run.ID, login))(w.T)
	fixture.Check(w.T, w.Customer.SetRun(run.Run.ID, "in_progress", ""))
	return run
}

// managerAgain begins the next attempt of a run of the manager, without the jobs that are kept.
func (w *actSetup) managerAgain(id int64, login string, kept map[string]runner.Kept) *answering {
	w.T.Helper()
	run := fixture.Must(w.Manager.RerunBy(id, login))(w.T)
	fixture.Check(w.T, w.Manager.SetRun(id, "in_progress", ""))
	return w.answerWithout(fixture.WorkflowRun{Repo: w.Manager, Run: run, Event: run.Payload, SHA: run.HeadSHA, Ref: "refs/heads/" + run.HeadBranch}, nil, kept)
}
