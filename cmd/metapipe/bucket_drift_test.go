package main

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketDrift scans, writes issues and starts requests with everything in S3,
// under the least policy of the scan's role.
func TestBucketDrift(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {pending: issue, remediate: [staging]}\n"})
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	r := b.accepted(w)
	step := func(exit int, role store.Role, customer, env string, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(b.as(role, customer, env)...).do(exit, args...)
	}
	step(0, store.RolePlan, "shop", "staging", r.args("plan", "staging")...)
	step(0, store.RoleApply, "shop", "staging", r.args("apply", "staging")...).want(t, "outcome=applied")
	step(0, store.RoleReport, "shop", "staging", "report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=success")
	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"})

	scan := func(args ...string) result {
		t.Helper()
		list := step(0, store.RoleDrift, "*", "*", "drift", "list", "--shards", "2")
		var shards []int
		check(t, json.Unmarshal([]byte(list.outputs["shards"]), &shards))
		for _, n := range shards {
			step(0, store.RoleDrift, "*", "*", "drift", "scan", list.outputs["scan"], "--shard", strconv.Itoa(n))
		}
		token := w.token(hub.Token{Name: "starter " + list.outputs["scan"], Kind: hub.Actions, Repositories: []string{managerSlug}, Permissions: documentedPermissions(t)[[2]string{"drift", "GITHUB_TOKEN"}]})
		return w.newJob(r.run).with(b.as(store.RoleDrift, "*", "*")...).with("GITHUB_TOKEN="+token).
			do(0, append([]string{"drift", "summary", list.outputs["scan"], "--issues", "10", "--fail-on", "error"}, args...)...)
	}
	first := scan("--remediate")
	first.want(t, "targets=2", "found=1", "errors=0")
	first.says(t, "shop/staging: issue #1 opened", "shop/staging: started a request to apply")
	if started := w.queued(); started.run.Event != "workflow_dispatch" {
		t.Errorf("started %+v", started.run)
	}
	scan().want(t, "found=1", "errors=0")
	if issues := w.customer.Snapshot().Issues; len(issues) != 1 {
		t.Errorf("issues %+v", issues)
	}
}
