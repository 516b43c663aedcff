package bucket

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketSync writes values to the repository of a customer and to one of no customer, and remembers that, under the
// least policy of the role; another role may not.
func TestBucketSync(t *testing.T) {
	t.Parallel()
	b := fixture.NewTenant(t)
	w := fixture.New(t, map[string]string{
		"sync.yml":    "organizations: [acme]\nmax_change: 100%\nsources:\n  - {name: billing, type: csv, path: billing.csv, key: repository, fields: {customer_tier: {from: plan}}}\n",
		"billing.csv": "repository,plan\nacme/shop,paid\nacme/other,free\n",
	})
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "customer_tier", Type: hub.TextProperty}))
	fixture.Must(w.Hub.AddUser(hub.User{Login: "ops", Type: hub.Person}))(t)
	fixture.Check(t, w.Hub.AddOwner("acme", "ops"))
	other := fixture.Must(w.Hub.AddRepo("acme", "other", hub.RepoOptions{Private: true}))(t)
	for _, repo := range []*hub.Repo{w.Customer, other} {
		fixture.Check(t, repo.Grant("ops", hub.Admin))
	}
	token := w.Token(hub.Token{Name: "sync", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
	as := func() *fixture.Job {
		return w.NewJob(w.ByHand()).With(b.As(store.RoleSync, "*", "*")...).With("SOURCE_REPOS_PAT=" + token)
	}
	w.NewJob(w.ByHand()).With(b.As(store.RolePlan, "shop", "staging")...).With("SOURCE_REPOS_PAT="+token).Do(1, "sync").Says(t, "AccessDenied")
	as().Do(0, "sync", "--apply", "--max-changes", "2").Want(t, "written=2")
	as().Do(0, "sync", "--apply").Want(t, "written=0", "changes=0")
	if kept := b.Keys("_metapipe/sync/"); len(kept) != 1 {
		t.Errorf("kept: %v", kept)
	}
	if w.Customer.Properties()["customer_tier"] != "paid" || other.Properties()["customer_tier"] != "free" {
		t.Errorf("%v, %v", w.Customer.Properties(), other.Properties())
	}
}
