package drift

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRemediationLeavesAlone asks for no apply where a request is open, or where one
// has been applied since, and asks for the others all the same.
func TestRemediationLeavesAlone(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging, production]}\n"})
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	variables := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"}
	token := w.Token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("contents", "actions")})
	driftRun := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().With("GITHUB_TOKEN="+token).Do(exit, append([]string{"drift"}, append(args, "--remediate")...)...)
	}
	r := w.Accept(w.Push("main", variables))
	p := r.Planned("staging")
	id := w.DriftJob().Do(0, "drift", "list", "--shards", "1").Outputs["scan"]
	open := driftRun(6, "--scan", id)
	open.Says(t, "shop/staging: no request started: request ", "is open", "shop/production: no request started")
	r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
	r.Report("--final")
	again := driftRun(6, "summary", id)
	again.Says(t, "shop/staging: no request started: it was applied since the scan looked at it", "shop/production: started a request")
}
