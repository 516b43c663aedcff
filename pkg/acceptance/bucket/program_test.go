package bucket

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketProgram keeps the state of a stack of Pulumi in S3, each command under the least
// policy of its role: a plan writes nothing there, and a lock that a dead run has left is
// found and released.
func TestBucketProgram(t *testing.T) {
	t.Parallel()
	_, path := pulumitest.Tool(t)
	page := filepath.Join(t.TempDir(), "page")
	b, w := fixture.NewTenant(t), fixture.New(t, map[string]string{
		"metapipe.yml": "environments: [{name: staging, branches: [main]}]\nstacks: [{name: web, root: web, tool: pulumi}]\n",
		"web/Pulumi.yaml": "name: web\nruntime: yaml\nconfig: {name: {type: string}}\nresources:\n  page:\n    type: metapipetest:index:File\n" +
			"    properties: {path: " + page + ", content: \"${name}\", secret: {\"fn::secret\": \"open-sesame\"}}\noutputs: {id: \"${page.id}\"}\n",
	})
	w.Setenv("PATH=" + path)
	r := b.Accepted(w)
	as := func(role store.Role) []string {
		policy := fixture.Must(store.RolePolicy(role, store.Scope{Bucket: b.Bucket, Customer: "shop", Environment: "staging", Stack: "web", Home: "pulumi"}))(t)
		vars := []string{"METAPIPE_STORE=", "TF_STATE_BUCKET=" + b.Bucket.Name, "RUNNER_ENVIRONMENT=github-hosted"}
		for name, value := range b.Server.Environ(b.Server.Session(t, b.Short(policy))) {
			vars = append(vars, name+"="+value)
		}
		return vars
	}
	step := func(exit int, role store.Role, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(as(role)...).Do(exit, args...)
	}
	step(0, store.RolePlan, r.Args("plan", "staging/web")...).Want(t, "outcome=waiting", "create=1")
	b.WantNone("/.pulumi/", "a plan")
	step(0, store.RoleApply, r.Args("apply", "staging/web")...).Want(t, "outcome=applied")
	if got := fixture.ReadOptional(t, page); got != "shop\nopen-sesame" {
		t.Errorf("the program has written %q", got)
	}
	if keys := b.Keys("shop/staging.web/pulumi/.pulumi/stacks/web/shop.staging.json"); len(keys) == 0 {
		t.Errorf("the bucket holds %q", b.Keys(""))
	}
	b.WantNone("/.pulumi/locks/", "an apply")
	target := []string{"--customer", "shop", "--environment", "staging", "--stack", "web"}
	step(0, store.RoleDrift, append([]string{"state", "show", "--json"}, target...)...).Says(t, `"exists": true`, `"resources": 1`, "s3://provider-states/shop/staging.web/pulumi")
	fixture.Check(t, os.WriteFile(page, []byte("someone\n"), 0o600))
	step(6, store.RoleDrift, "drift", "--environment", "staging", "--json").Says(t, "metapipetest:index:File::page")

	lock := fixture.Must(store.NewS3(t.Context(), store.S3Options{Bucket: b.Bucket.Name, Lookup: lookup(b)}))(t)
	fixture.Check(t, lock.Create(t.Context(), "shop/staging.web/pulumi/.pulumi/locks/organization/web/shop.staging/0a1b.json",
		strings.NewReader(`{"pid":1,"username":"runner","hostname":"gone","timestamp":"2026-12-01T04:05:06Z"}`)))
	step(0, store.RoleDrift, append([]string{"state", "list"}, target...)...).Says(t, "runner@gone")
	step(0, store.RoleSweep, append([]string{"unlock", "--lock-id", "0a1b", "--no-run"}, target...)...).Says(t, "is released")
	b.WantNone("/.pulumi/locks/", "an unlock")
	b.WantNone("/plans/unlock", "an unlock")
}

func lookup(b fixture.Tenant) func(string) (string, bool) {
	environ := b.Server.Environ(b.Server.Root())
	return func(name string) (string, bool) {
		value, is := environ[name]
		return value, is
	}
}
