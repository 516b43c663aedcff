package drift

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestDriftInABucket scans in shards under the role of drift alone, with states and
// records in a real S3 server: what is not of the scan stays as it is.
func TestDriftInABucket(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		Inputs: []hub.Input{{Name: "customer"}, {Name: "environment"}, {Name: "mode"}}}))
	r := b.Accepted(w)
	apply := func(r *fixture.Request) {
		t.Helper()
		w.NewJob(r.Run).With(b.As(store.RolePlan, "shop", "staging")...).Do(0, r.Args("plan", "staging")...)
		w.NewJob(r.Run).With(b.As(store.RoleApply, "shop", "staging")...).Do(0, r.Args("apply", "staging")...).Want(t, "outcome=applied")
		w.NewJob(r.Run).With(b.As(store.RoleReport, "shop", "staging")...).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final")
	}
	apply(r)
	token := w.Token(hub.Token{Name: "starter", Kind: hub.Actions, Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("contents", "actions")})
	driftRun := func(exit int, args ...string) fixture.Result {
		t.Helper()
		j := w.DriftJob().With(b.As(store.RoleDrift, "*", "*")...)
		return j.With("GITHUB_TOKEN="+token).Do(exit, append([]string{"drift"}, args...)...)
	}
	before := versions(b, "shop/")
	scan := func(exit int, args ...string) drift.Scan {
		t.Helper()
		list := driftRun(0, "list", "--shards", "2")
		id := list.Outputs["scan"]
		for _, shard := range strings.Split(strings.Trim(list.Outputs["shards"], "[]"), ",") {
			driftRun(0, "scan", id, "--shard", shard)
		}
		return fixture.ScanOf(t, driftRun(exit, append([]string{"summary", id, "--json"}, args...)...))
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
	w.Commit(w.Manager, "main", map[string]string{"terraform/more.tf": `resource "terraform_data" "more" {}`})
	found := scan(6, "--remediate")
	if got := kinds(found); got != "production[] <nil> true; staging[manager] <nil> false" {
		t.Errorf("the manager's change: %s", got)
	}
	started := w.Queued()
	if started.Run.Event != "workflow_dispatch" {
		t.Errorf("started %+v", started.Run)
	}
	if after := versions(b, "shop/"); !slices.Equal(after, before) {
		t.Errorf("a scan wrote to what is the customer's:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	if all := versions(b, "_metapipe/"); !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "/scans/history/") }) {
		t.Errorf("no history of a scan: %v", all)
	}
	// The run that it started makes a request like any other; another scan leaves it alone.
	fetched := w.NewJob(started).With(b.As(store.RoleFetchVars, "shop", "*")...).Do(0, "fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "apply")
	fetched.Want(t, "outcome=requested")
	// So does one under a role that was cut to this target.
	narrow := w.DriftJob().With(b.As(store.RoleDrift, "shop", "staging")...).With("GITHUB_TOKEN=" + token)
	narrow.Do(6, "drift", "--customer", "shop", "--environment", "staging", "--remediate").Says(t, "shop/staging: no request started: request "+fetched.Outputs["request-id"][:8])
	driftRun(6, "--remediate").Says(t, "shop/staging: no request started: request "+fetched.Outputs["request-id"][:8])
}

// versions are all versions of the objects below a prefix, also the deleted ones.
func versions(b fixture.Tenant, prefix string) []string {
	b.T.Helper()
	var all []string
	pages := s3.NewListObjectVersionsPaginator(b.Server.Client(b.Server.Root()), &s3.ListObjectVersionsInput{Bucket: &b.Bucket.Name, Prefix: &prefix})
	for pages.HasMorePages() {
		page := fixture.Must(pages.NextPage(b.T.Context()))(b.T)
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
