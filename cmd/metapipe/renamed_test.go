package main

import (
	"testing"
)

// TestRecoverRenamedCustomer plays the page about a renamed customer: nothing is planned a
// second time under the new name, and all goes on under the old one.
func TestRecoverRenamedCustomer(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	w.renameCustomer("shop", "store")
	run := w.push("main", map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"})
	rejected, end := w.ask(run, 3)
	end.want(t, "outcome=rejected", "reason=customer-renamed", "customer=store", "environments=[]")
	end.says(t, "is registered as customer", "give the file its old name (shop.yml)")
	if rejected.customer != "store" {
		t.Errorf("rejected for %q", rejected.customer)
	}
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	page := recoveryPage(t, "A customer was renamed", "OLD", "shop")
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(rejected.run).do(exit, args...)
	}
	w.newJob(rejected.run).do(6, "drift", "--customer", "store", "--environment", "staging").says(t, "customer-renamed")
	page.next(0).says(t, "NOT REGISTERED shop (staging)", "shop/staging/terraform.tfstate")
	page.next(0).says(t, "shop/staging: 8 entries, whole")
	w.renameCustomer("store", "shop")
	page.done()
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	again.do(0, "plan", "staging").want(t, "outcome=no-changes", "create=0")
}
