package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestRecoverAnotherRepository plays the page about a repository that was deleted and
// created again: nothing is planned until the operator has given each target to the new id.
func TestRecoverAnotherRepository(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	a := &attempt{world: w}
	a.recreate(nil)
	a.takeOver([]string{"shop"})
	id := fmt.Sprint(w.customer.ID())
	variables := map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"}
	rejected, end := w.ask(w.push("main", variables), 3)
	end.want(t, "outcome=rejected", "reason=customer-renamed", "environments=[]")
	end.says(t, "are those of another repository (id 4711)", "--repository-id "+id)
	page := recoveryPage(t, "A customer has another repository id", "NAME", "shop", "ENVIRONMENT", "staging", "--repository-id ID", "--repository-id "+id)
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(rejected.run).do(exit, args...)
	}
	page.run(6, "drift", "--customer", "shop", "--environment", "staging").says(t, "other-repository")
	checkout := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(checkout, "infra"), 0o700))
	check(t, os.WriteFile(filepath.Join(checkout, "infra", "variables.yml"), []byte(variables["infra/variables.yml"]), 0o600))
	page.run(4, "plan", "--state", "--customer", "shop", "--environment", "staging", "--customer-dir", checkout).says(t, "belongs to another repository")
	page.run(4, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "again").says(t, "--repository-id "+id)
	page.run(2, "state", "accept", "--customer", "shop", "--environment", "staging", "--repository-id", "4711", "--reason", "again").says(t, "customers/shop.yml has repository_id "+id)
	page.next(0).says(t, "shop/staging")
	before := w.state("shop/staging")
	page.next(0).says(t, "accepted for shop/staging: serial")
	page.done()
	page.run(0, "ledger", "--customer", "shop", "--environment", "staging").says(t, "repository id "+id+" in place of 4711")
	if w.state("shop/staging") != before {
		t.Error("the state has changed")
	}
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	again.do(0, "plan", "staging").want(t, "outcome=no-changes", "create=0")
}
