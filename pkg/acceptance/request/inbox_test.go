package request

import (
	"os"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// byInbox is a job of the customer that has a token for the inbox alone.
func byInbox(w *fixture.Setup, run fixture.WorkflowRun) *fixture.Job {
	return w.NewJob(run).With("MANAGER_REPO_PAT="+w.InboxToken("customer of run "+run.Run.URL), "MANAGER_INBOX="+fixture.InboxSlug)
}

// TestRequestByInbox carries a request through the inbox: the manager verifies and applies it
// like a direct one, though the customer's token does not see the manager.
func TestRequestByInbox(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.AddInbox(nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
	triggered := byInbox(w, run).Start("trigger", "--wait", "2m")
	forwarded := w.Forwarded(0)
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).Do(0, "fetch-vars")
	fetched.Want(t, "outcome=requested", "reason=", "customer=shop")
	r.Customer, r.ID = "shop", fetched.Outputs["request-id"]
	forwarded.Says(t, "request "+r.ID[:8]+" was forwarded to "+fixture.ManagerSlug)
	p := r.Planned("staging")
	r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
	r.Report("--final")
	end := triggered.Wait()
	end.Want(t, "request-id="+r.ID, "outcome=applied", "ready=true")
	end.Says(t, "sent to "+fixture.InboxSlug+", the inbox of "+fixture.ManagerSlug, "so only the general rules are checked here")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied")
}

// TestInboxThatDoesNotForward: the customer's job ends at its deadline, with a status and the
// words for whom to ask; and a request that is forwarded after that is answered all the same.
func TestInboxThatDoesNotForward(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.AddInbox(nil)
	fixture.Check(t, os.MkdirAll(w.Store, 0o700))
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
	began := time.Now()
	end := byInbox(w, run).Do(5, "trigger", "--wait", "5m", "--pickup-timeout", "1s")
	end.Says(t, "was not picked up by "+fixture.ManagerSlug+" within 1s", "ask the provider whether the run of "+fixture.InboxSlug+" has forwarded it")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy", "error: Not picked up by "+fixture.ManagerSlug)
	w.WantNothingPending()

	w.Forwarded(0) // at last
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued(), Customer: "shop"}
	r.ID = w.NewJob(r.Run).Do(0, "fetch-vars").Outputs["request-id"]
	w.WantStatus(run.SHA, "infra/terraform-deploy", "pending: ")
	p := r.Planned("staging")
	r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
	r.Report("--final")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied")
}

// TestInboxWithoutItsToken: what the inbox cannot forward fails there, and says what is missing.
func TestInboxWithoutItsToken(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	inbox := w.AddInbox(nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
	triggered := byInbox(w, run).Start("trigger", "--pickup-timeout", "5s")
	queued := w.Queued()
	job := func(more ...string) *fixture.Job { return w.NewJob(queued).With(more...) }
	job("MANAGER_REPO_PAT=").Do(2, "forward").Says(t, "MANAGER_REPO_PAT is not set")
	refused := job("MANAGER_REPO_PAT="+w.InboxToken("not for the manager")).Do(1, "forward")
	refused.Says(t, "MANAGER_REPO_PAT", fixture.ManagerSlug)
	job("MANAGER_REPO_NAME=").Do(2, "forward").Says(t, "MANAGER_REPO_OWNER and MANAGER_REPO_NAME")
	job("MANAGER_REPO_NAME=inbox").Do(2, "forward").Says(t, "to itself")
	elsewhere := queued
	elsewhere.Ref = "refs/heads/evil"
	w.NewJob(elsewhere).Do(3, "forward").Says(t, "metapipe in "+inbox.Slug()+" works on its default branch main only")
	w.NewJob(run).Do(2, "forward").Says(t, "use it in the workflow of the inbox only")
	if end := triggered.Wait(); end.Exit != 5 {
		t.Errorf("exit code %d:\n%s", end.Exit, end.Log)
	}
	w.WantNoDispatch()
}
