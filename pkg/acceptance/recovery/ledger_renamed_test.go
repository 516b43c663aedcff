package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestLedgerAfterRename compares the whole history of a renamed customer with GitHub, under
// the new name and under the old one.
func TestLedgerAfterRename(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.RenameCustomer("shop", "store")
	verify := func(exit int, customer string) fixture.Result {
		return w.DriftJob().Do(exit, "ledger", "--verify", "--customer", customer, "--environment", "staging")
	}
	verify(2, "shop").Says(t, "not registered any more")
	w.DriftJob().Do(0, "customer", "rename", "shop", "store", "--apply")
	const compared = "fits 1 deployment and 1 receipt on GitHub"
	verify(0, "shop").Says(t, "shop/staging: ", compared)
	verify(0, "store").Says(t, "store/staging: ", "shop/staging: ", compared)
	w.DriftJob().Do(0, "ledger", "--verify", "--customer", "store").Says(t, "shop/staging: ", compared)

	entries := fixture.Must(filepath.Glob(filepath.Join(w.Store, "shop", "staging", "ledger", "*")))(t)
	for _, file := range entries[:len(entries)-1] { // all but the oldest: the chain of what is left still holds
		fixture.Check(t, os.Remove(file))
	}
	for _, name := range []string{"shop", "store"} {
		verify(6, name).Says(t, "the ledger is shorter than its anchor")
	}
}

// TestRemovedAfterRename leaves an environment out after a rename: the report says that
// nothing of it is destroyed, as before the rename.
func TestRemovedAfterRename(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.RenameCustomer("shop", "store")
	w.DriftJob().Do(0, "customer", "rename", "shop", "store", "--apply")
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	r, _ := w.Ask(run, 0)
	if summary := r.Report().Summary; !strings.Contains(summary, "no longer in the variables") {
		t.Errorf("the summary does not name the removed environment:\n%s", summary)
	}
}
