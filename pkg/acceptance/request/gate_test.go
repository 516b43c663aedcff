package request

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestGateRules lets reviewers and the wait timer of the manager's environment
// differ from what metapipe.yml asks for.
func TestGateRules(t *testing.T) {
	t.Parallel()
	const requested = "environments:\n  - {name: staging, branches: [main], gated: true, wait_timer: 1m, prevent_self_review: true}\n"
	cases := map[string]struct {
		timer    time.Duration
		approver string // who lets the job pass; no one when empty
		exit     int
		reason   string
		says     string
	}{
		"somebody else":            {time.Minute, "robin", 0, "", ""},
		"who asked":                {time.Minute, "casey", 4, "requester-approved", "casey requested the apply of shop/staging and approved it"},
		"no timer":                 {0, "robin", 4, "missing-protection", "the wait timer of environment staging-apply of provider/infra is 0 min"},
		"nobody: rules go around":  {time.Minute, "", 4, "missing-protection", "no approval of the apply of"},
		"who asked, without timer": {0, "casey", 4, "missing-protection", "set its wait timer to 1 min"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, map[string]string{"metapipe.yml": requested})
			fixture.Check(t, w.Manager.Grant("casey", hub.Read))
			fixture.Check(t, w.Manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin", "casey"}, WaitTimer: c.timer}))
			run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			r := w.Accept(run)
			p := r.Planned("staging")
			at := fixture.Must(w.Manager.EnterEnvironment(r.Run.Run.ID, "apply", "staging-apply"))(t)
			if at != hub.GateWaiting {
				t.Fatalf("the job is %s", at)
			}
			if c.approver != "" {
				fixture.Check(t, w.Manager.Review(r.Run.Run.ID, "staging-apply", c.approver, true, ""))
			}
			applied := r.Do(c.exit, "apply", "staging", "--receipt", p.Outputs["receipt"])
			applied.Want(t, "reason="+c.reason)
			applied.Says(t, c.says)
			r.Report("--final")
			if c.exit == 0 {
				w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
				return
			}
			w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: Not applied")
			if w.State("shop/staging") != "" {
				t.Error("it was applied")
			}
		})
	}
}
