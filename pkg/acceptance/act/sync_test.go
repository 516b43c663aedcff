package act

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/sources/slapdtest"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

const syncWorkflow = "external-sync.yml"

// TestSyncWorkflow runs the scheduled workflow, which only looks, then by hand, which writes, and for an event.
func TestSyncWorkflow(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	directory := slapdtest.Start(t)
	for _, e := range []engine{inAct, inRunner} {
		t.Run("sync-"+string(e), func(t *testing.T) { // the bucket is called like the test
			t.Parallel()
			syncInAct(t, e, server, directory)
		})
	}
}

func syncInAct(t *testing.T, e engine, server *miniotest.Server, directory *slapdtest.Server) {
	w := newSetupIn(t, e, server, map[string]string{
		"sync.yml": "organizations: [acme]\nsources:\n  - {name: billing, type: csv, path: billing.csv, key: customer, fields: {customer_tier: {from: plan}}}\n" +
			fmt.Sprintf("  - {name: people, type: ldap, url: \"ldaps://%s\", ca_file: ca.pem, bind_dn: %q, password_env: LDAP_PASSWORD, base: %q, filter: \"(objectClass=inetOrgPerson)\", key: repository_id, key_field: employeeNumber, fields: {security_contact: {from: mail}}}\n",
				directory.Secure, slapdtest.ReaderDN, "ou=people,"+slapdtest.Suffix),
		"billing.csv": "customer,plan\nshop,enterprise\n",
		"ca.pem":      string(fixture.Must(os.ReadFile(filepath.Join(directory.Dir, "ca.pem")))(t)),
	})
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "customer_tier", Type: hub.TextProperty}, hub.PropertyDefinition{Name: "security_contact", Type: hub.TextProperty}))
	blog := fixture.Must(w.Hub.AddRepo("acme", "blog", hub.RepoOptions{ID: 5003, Private: true}))(t) // the directory has a person for it
	fixture.Must(w.Hub.AddUser(hub.User{Login: "ops", Type: hub.Person}))(t)
	fixture.Check(t, w.Hub.AddOwner("acme", "ops"))
	fixture.Check(t, w.Customer.Grant("ops", hub.Admin))
	fixture.Check(t, blog.Grant("ops", hub.Admin))
	token := w.Token(hub.Token{Name: "sync", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
	apply := ""
	w.amend = func(_ fixture.WorkflowRun, s settings) {
		s.secrets["ORGANIZATION_PAT"], s.secrets["LDAP_PASSWORD"] = token, slapdtest.Password
		s.vars["METAPIPE_SYNC_APPLY"] = apply
	}
	repository := map[string]any{"id": w.Manager.ID(), "full_name": w.Manager.Slug(), "default_branch": "main"}
	want := func(steps []actStep, succeeded bool, tier string, args ...string) {
		t.Helper()
		if !succeeded || len(steps) != 1 || !slices.Contains(steps[0].args, "sync") {
			for _, s := range steps {
				t.Logf("%v → %s\n%s", s.args, s.exit, s.said)
			}
			t.Fatalf("succeeded %v with %d steps", succeeded, len(steps))
		}
		if got := strings.Join(steps[0].args, " "); !strings.Contains(got+" ", strings.Join(args, " ")+" ") || strings.Contains(got, "--apply") != slices.Contains(args, "--apply") {
			t.Errorf("sync is called with %q, want %q", got, args)
		}
		if got := fmt.Sprint(w.Customer.Properties()["customer_tier"]); got != tier {
			t.Errorf("the tier is %s, want %s\n%s", got, tier, steps[0].said)
		}
		if !strings.Contains(steps[0].summary, "| `billing` | csv | 1 | complete |") {
			t.Errorf("the summary:\n%s", steps[0].summary)
		}
	}
	steps, succeeded := w.manages(syncWorkflow, "schedule", map[string]any{"schedule": "41 2 * * *"}, nil)
	want(steps, succeeded, "<nil>", "sync")
	steps, succeeded = w.manages(syncWorkflow, "workflow_dispatch", map[string]any{"inputs": map[string]string{"source": "billing", "property": "customer_tier", "apply": "true"}, "repository": repository},
		map[string]string{"source": "billing", "property": "customer_tier", "apply": "true"})
	want(steps, succeeded, "enterprise", "sync", "--source", "billing", "--property", "customer_tier", "--apply")
	w.Customer.SetProperties(hub.Properties{"customer_tier": "free"})
	apply = "true"
	steps, succeeded = w.manages(syncWorkflow, "repository_dispatch", map[string]any{"action": "billing_update", "branch": "main", "client_payload": map[string]string{"customer_repo": fixture.CustomerSlug, "new_tier": "platinum"}, "repository": repository, "sender": map[string]any{"login": "robin"}}, nil)
	want(steps, succeeded, "enterprise", "sync", "--apply")
	if !strings.Contains(steps[0].summary, "| `people` | ldap | 1200 | complete |") {
		t.Errorf("the summary:\n%s", steps[0].summary)
	}
	if got := fmt.Sprint(blog.Properties()["security_contact"]); got != "<nil>" { // the event names another repository
		t.Errorf("the contact of the blog is %s", got)
	}
	steps, succeeded = w.manages(syncWorkflow, "schedule", map[string]any{"schedule": "41 2 * * *"}, nil)
	want(steps, succeeded, "enterprise", "sync", "--apply")
	if got := fmt.Sprint(blog.Properties()["security_contact"]); got != "p0003@example.com" {
		t.Errorf("the contact of the blog is %s", got)
	}
}
