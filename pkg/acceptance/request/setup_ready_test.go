package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestPlannedPushIsNotReady: a push that a property lets only be planned has applied
// nothing, so a check that requires the infrastructure does not pass.
func TestPlannedPushIsNotReady(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments:\n  - {name: staging, branches: [main]}\nproperties: {}\n"})
	w.Customer.SetProperties(hub.Properties{"spacelift_auto_deploy": "false"})
	run := w.Push("main", map[string]string{"infra/variables.yml": variables})
	triggered := w.NewJob(run).Start("trigger", "--wait", "10m")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).Do(0, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	r.Do(0, "plan", "staging")
	r.Report("--final")
	end := triggered.Wait()
	if end.Exit != 0 {
		t.Errorf("exit %d", end.Exit)
	}
	end.Want(t, "outcome=planned", "ready=false", `setup={"staging":"waiting"}`)
}
