package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestRecoverAnotherRepository plays the page about a repository that was deleted and
// created again: nothing is planned until the operator has given each target to the new id.
func TestRecoverAnotherRepository(t *testing.T) {
	t.Parallel()
	w, _ := fixture.Deployed(t)
	a := &attempt{Setup: w}
	a.recreate(nil)
	a.takeOver([]string{"shop"})
	id := fmt.Sprint(w.Customer.ID())
	variables := map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"}
	rejected, end := w.Ask(w.Push("main", variables), 3)
	end.Want(t, "outcome=rejected", "reason=customer-renamed", "targets=[]")
	end.Says(t, "are those of another repository (id 4711)", "--repository-id "+id)
	page := fixture.RecoveryPage(t, "A customer has another repository id", "NAME", "shop", "ENVIRONMENT", "staging", "--repository-id ID", "--repository-id "+id)
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(rejected.Run).Do(exit, args...)
	}
	page.Run(6, "drift", "--customer", "shop", "--environment", "staging").Says(t, "other-repository")
	checkout := t.TempDir()
	fixture.Check(t, os.MkdirAll(filepath.Join(checkout, "infra"), 0o700))
	fixture.Check(t, os.WriteFile(filepath.Join(checkout, "infra", "variables.yml"), []byte(variables["infra/variables.yml"]), 0o600))
	page.Run(4, "plan", "--state", "--customer", "shop", "--environment", "staging", "--customer-dir", checkout).Says(t, "belongs to another repository")
	page.Run(4, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "again").Says(t, "--repository-id "+id)
	page.Run(2, "state", "accept", "--customer", "shop", "--environment", "staging", "--repository-id", "4711", "--reason", "again").Says(t, "customers/shop.yml has repository_id "+id)
	page.Next(0).Says(t, "shop/staging")
	before := w.State("shop/staging")
	page.Next(0).Says(t, "accepted for shop/staging: serial")
	page.Done()
	page.Run(0, "ledger", "--customer", "shop", "--environment", "staging").Says(t, "repository id "+id+" in place of 4711")
	if w.State("shop/staging") != before {
		t.Error("the state has changed")
	}
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	again.Do(0, "plan", "staging").Want(t, "outcome=no-changes", "create=0")
}
