package main

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestRemediationLeavesAlone asks for no apply where a request is open, or where one
// has been applied since, and asks for the others all the same.
func TestRemediationLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging, production]}\n"})
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	variables := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"}
	token := w.token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{managerSlug}, Permissions: permissions("contents", "actions")})
	driftRun := func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().with("GITHUB_TOKEN="+token).do(exit, append([]string{"drift"}, append(args, "--remediate")...)...)
	}
	r := w.accept(w.push("main", variables))
	p := r.planned("staging")
	id := w.driftJob().do(0, "drift", "list", "--shards", "1").outputs["scan"]
	open := driftRun(6, "--scan", id)
	open.says(t, "shop/staging: no request started: request ", "is open", "shop/production: no request started")
	r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"])
	r.report("--final")
	again := driftRun(6, "summary", id)
	again.says(t, "shop/staging: no request started: it was applied since the scan looked at it", "shop/production: started a request")
}
