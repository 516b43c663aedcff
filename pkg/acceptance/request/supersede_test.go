package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestSuperseded lets a newer push end a run that waits for its reviewers.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	fixture.Check(t, w.Manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	old := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	old.Planned("staging")
	if gate := fixture.Must(w.Manager.EnterEnvironment(old.Run.Run.ID, "apply", "staging-apply"))(t); gate != hub.GateWaiting {
		t.Fatalf("the gate is %s", gate)
	}
	newer := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# newer\n" + fixture.VariablesYML}))
	if run := fixture.Must(w.Manager.Run(old.Run.Run.ID))(t); run.Status != "completed" || run.Conclusion != "cancelled" {
		t.Errorf("the older run is %s %s", run.Status, run.Conclusion)
	}
	w.WantStatus(old.Trigger.SHA, "infra/terraform-deploy/staging", "error: ")
	w.WantStatus(old.Trigger.SHA, "infra/terraform-deploy", "error: ")
	w.WantStatus(newer.Trigger.SHA, "infra/terraform-deploy", "pending: ")
	planned := newer.Planned("staging")
	newer.Do(0, "apply", "staging", "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
	newer.Report("--final")
	w.WantNothingPending()
}
