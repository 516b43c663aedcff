package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedgerAfterRename compares the whole history of a renamed customer with GitHub, under
// the new name and under the old one.
func TestLedgerAfterRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.renameCustomer("shop", "store")
	verify := func(exit int, customer string) result {
		return w.driftJob().do(exit, "ledger", "--verify", "--customer", customer, "--environment", "staging")
	}
	verify(2, "shop").says(t, "not registered any more")
	w.driftJob().do(0, "customer", "rename", "shop", "store", "--apply")
	const compared = "fits 1 deployment and 1 receipt on GitHub"
	verify(0, "shop").says(t, "shop/staging: ", compared)
	verify(0, "store").says(t, "store/staging: ", "shop/staging: ", compared)
	w.driftJob().do(0, "ledger", "--verify", "--customer", "store").says(t, "shop/staging: ", compared)

	entries := must(filepath.Glob(filepath.Join(w.store, "shop", "staging", "ledger", "*")))(t)
	for _, file := range entries[1:] { // the chain of what is left still holds
		check(t, os.Remove(file))
	}
	for _, name := range []string{"shop", "store"} {
		verify(6, name).says(t, "the ledger is shorter than its anchor")
	}
}

// TestRemovedAfterRename leaves an environment out after a rename: the report says that
// nothing of it is destroyed, as before the rename.
func TestRemovedAfterRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.renameCustomer("shop", "store")
	w.driftJob().do(0, "customer", "rename", "shop", "store", "--apply")
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	r, _ := w.ask(run, 0)
	if summary := r.report().summary; !strings.Contains(summary, "no longer in the variables") {
		t.Errorf("the summary does not name the removed environment:\n%s", summary)
	}
}
