package drift

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketDrift scans, writes issues and starts requests with everything in S3,
// under the least policy of the scan's role.
func TestBucketDrift(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {pending: issue, remediate: [staging]}\n"})
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	r := b.Accepted(w)
	step := func(exit int, role store.Role, customer, env string, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.As(role, customer, env)...).Do(exit, args...)
	}
	step(0, store.RolePlan, "shop", "staging", r.Args("plan", "staging")...)
	step(0, store.RoleApply, "shop", "staging", r.Args("apply", "staging")...).Want(t, "outcome=applied")
	step(0, store.RoleReport, "shop", "staging", "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"})

	scan := func(args ...string) fixture.Result {
		t.Helper()
		list := step(0, store.RoleDrift, "*", "*", "drift", "list", "--shards", "2")
		var shards []int
		fixture.Check(t, json.Unmarshal([]byte(list.Outputs["shards"]), &shards))
		for _, n := range shards {
			step(0, store.RoleDrift, "*", "*", "drift", "scan", list.Outputs["scan"], "--shard", strconv.Itoa(n))
		}
		token := w.Token(hub.Token{Name: "starter " + list.Outputs["scan"], Kind: hub.Actions, Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.DocumentedPermissions(t)[[2]string{"drift", "GITHUB_TOKEN"}]})
		return w.NewJob(r.Run).With(b.As(store.RoleDrift, "*", "*")...).With("GITHUB_TOKEN="+token).
			Do(0, append([]string{"drift", "summary", list.Outputs["scan"], "--issues", "10", "--fail-on", "error"}, args...)...)
	}
	first := scan("--remediate")
	first.Want(t, "targets=2", "found=1", "errors=0")
	first.Says(t, "shop/staging: issue #1 opened", "shop/staging: started a request to apply")
	if started := w.Queued(); started.Run.Event != "workflow_dispatch" {
		t.Errorf("started %+v", started.Run)
	}
	scan().Want(t, "found=1", "errors=0")
	if issues := w.Customer.Snapshot().Issues; len(issues) != 1 {
		t.Errorf("issues %+v", issues)
	}
}
