package main

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestSuperseded lets a newer push end a run that waits for its reviewers.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	check(t, w.manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	old := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	old.planned("staging")
	if gate := must(w.manager.EnterEnvironment(old.run.run.ID, "apply", "staging-apply"))(t); gate != hub.GateWaiting {
		t.Fatalf("the gate is %s", gate)
	}
	newer := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# newer\n" + variablesYML}))
	if run := must(w.manager.Run(old.run.run.ID))(t); run.Status != "completed" || run.Conclusion != "cancelled" {
		t.Errorf("the older run is %s %s", run.Status, run.Conclusion)
	}
	w.wantStatus(old.trigger.sha, "infra/terraform-deploy/staging", "error: ")
	w.wantStatus(old.trigger.sha, "infra/terraform-deploy", "error: ")
	w.wantStatus(newer.trigger.sha, "infra/terraform-deploy", "pending: ")
	planned := newer.planned("staging")
	newer.do(0, "apply", "staging", "--receipt", planned.outputs["receipt"]).want(t, "outcome=applied")
	newer.report("--final")
	w.wantNothingPending()
}
