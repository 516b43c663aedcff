package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestDriftInABucket scans in shards under the role of drift alone, with states and
// records in a real S3 server: what is not of the scan stays as it is.
func TestDriftInABucket(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	r := b.accepted(w)
	apply := func(r *request) {
		t.Helper()
		w.newJob(r.run).with(b.as(store.RolePlan, "shop", "staging")...).do(0, r.args("plan", "staging")...)
		w.newJob(r.run).with(b.as(store.RoleApply, "shop", "staging")...).do(0, r.args("apply", "staging")...).want(t, "outcome=applied")
		w.newJob(r.run).with(b.as(store.RoleReport, "shop", "staging")...).do(0, "report", "--customer", r.customer, "--request", r.id, "--final")
	}
	apply(r)
	token := w.token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{managerSlug}, Permissions: permissions("contents", "actions")})
	driftRun := func(exit int, args ...string) result {
		t.Helper()
		j := w.driftJob().with(b.as(store.RoleDrift, "*", "*")...)
		return j.with("GITHUB_TOKEN="+token).do(exit, append([]string{"drift"}, args...)...)
	}
	before := b.versions("shop/")
	scan := func(exit int, args ...string) drift.Scan {
		t.Helper()
		list := driftRun(0, "list", "--shards", "2")
		id := list.outputs["scan"]
		for _, shard := range strings.Split(strings.Trim(list.outputs["shards"], "[]"), ",") {
			driftRun(0, "scan", id, "--shard", shard)
		}
		return scanOf(t, driftRun(exit, append([]string{"summary", id, "--json"}, args...)...))
	}
	kinds := func(scan drift.Scan) string {
		var all []string
		for _, r := range scan.Results {
			all = append(all, fmt.Sprint(r.Environment, r.Kinds, r.Failure, r.Skipped != ""))
		}
		slices.Sort(all)
		return strings.Join(all, "; ")
	}
	if got := kinds(scan(0)); got != "production[] <nil> true; staging[] <nil> false" {
		t.Errorf("as it was applied: %s", got)
	}
	// The manager's code changes, and a request is started: by hand, with its own roles.
	w.commit(w.manager, "main", map[string]string{"terraform/more.tf": `resource "terraform_data" "more" {}`})
	found := scan(6, "--remediate")
	if got := kinds(found); got != "production[] <nil> true; staging[manager] <nil> false" {
		t.Errorf("the manager's change: %s", got)
	}
	started := w.queued()
	if started.run.Event != "workflow_dispatch" {
		t.Errorf("started %+v", started.run)
	}
	if after := b.versions("shop/"); !slices.Equal(after, before) {
		t.Errorf("a scan wrote to what is the customer's:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	if all := b.versions("_metapipe/"); !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "/scans/history/") }) {
		t.Errorf("no history of a scan: %v", all)
	}
	// The run that it started makes a request like any other; another scan leaves it alone.
	fetched := w.newJob(started).with(b.as(store.RoleFetchVars, "shop", "*")...).do(0, "fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "apply")
	fetched.want(t, "outcome=requested")
	// So does one under a role that was cut to this target.
	narrow := w.driftJob().with(b.as(store.RoleDrift, "shop", "staging")...).with("GITHUB_TOKEN=" + token)
	narrow.do(6, "drift", "--customer", "shop", "--environment", "staging", "--remediate").says(t, "shop/staging: no request started: request "+fetched.outputs["request-id"][:8])
	driftRun(6, "--remediate").says(t, "shop/staging: no request started: request "+fetched.outputs["request-id"][:8])
}

// versions are all versions of the objects below a prefix, also the deleted ones.
func (b tenant) versions(prefix string) []string {
	b.t.Helper()
	var all []string
	pages := s3.NewListObjectVersionsPaginator(b.server.Client(b.server.Root()), &s3.ListObjectVersionsInput{Bucket: &b.bucket.Name, Prefix: &prefix})
	for pages.HasMorePages() {
		page := must(pages.NextPage(b.t.Context()))(b.t)
		for _, v := range page.Versions {
			all = append(all, *v.Key+" "+*v.VersionId+" "+*v.ETag)
		}
		for _, v := range page.DeleteMarkers {
			all = append(all, *v.Key+" deleted "+*v.VersionId)
		}
	}
	slices.Sort(all)
	return all
}
