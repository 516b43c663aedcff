package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRecoverRenamedCustomer plays the page about a renamed customer: nothing is planned a
// second time under the new name, and after the move all goes on there.
func TestRecoverRenamedCustomer(t *testing.T) {
	t.Parallel()
	w, _ := deployed(t)
	w.renameCustomer("shop", "store")
	run := w.push("main", map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"})
	rejected, end := w.ask(run, 3)
	end.want(t, "outcome=rejected", "reason=customer-renamed", "customer=store", "environments=[]")
	end.says(t, "is registered as customer", "give the file its old name (shop.yml)", "metapipe customer rename shop store")
	if rejected.customer != "store" {
		t.Errorf("rejected for %q", rejected.customer)
	}
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	page := recoveryPage(t, "A customer was renamed", "OLD", "shop", "NEW", "store")
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(rejected.run).do(exit, args...)
	}
	page.run(6, "drift", "--customer", "store", "--environment", "staging").says(t, "customer-renamed")
	page.next(0).says(t, "NOT REGISTERED shop (staging)", "shop/staging/terraform.tfstate")
	page.next(0).says(t, "shop/staging: 8 entries, whole")
	page.run(2, "customer", "rename", "Shop", "store").says(t, "lower-case letters")
	page.run(2, "customer", "rename", "shop", "stroe").says(t, "stroe")
	for _, name := range []string{"../store", "", "_metapipe", "a\nb", strings.Repeat("a", 64)} {
		r := page.run(2, "customer", "rename", "store", name)
		if r.says(t, "the new name", "lower-case letters"); strings.Contains(r.log, "git mv") {
			t.Errorf("%q: the advice is to rename a file so:\n%s", name, r.log)
		}
	}
	page.run(2, "customer", "rename", "store", "store").says(t, "the old and the new name are both store")
	swapped := page.run(2, "customer", "rename", "store", "shop")
	swapped.says(t, "under the name shop, not under store", "customers/shop.yml does not exist", "names look swapped", "metapipe customer rename shop store")
	page.run(2, "customer", "rename", "nobody", "other").says(t, "the store has nothing under the name nobody", "customers/other.yml does not exist", "the store has shop", "store")
	known := page.run(2, "customer", "rename", "shop", "other")
	known.says(t, `customer "other" does not exist in customers/`, "store")
	if strings.Contains(swapped.log+known.log, "git mv") {
		t.Errorf("the advice is to move the file back:\n%s%s", swapped.log, known.log)
	}
	page.next(0).says(t, "last apply", "nothing is written", "--apply")
	if w.state("store/staging") != "" {
		t.Error("a plan of moves has written a state")
	}
	page.next(0).says(t, "customer shop is store now", "the states can go")
	page.run(0, "customer", "rename", "shop", "store", "--apply").says(t, "nothing to do")
	listed := page.next(0)
	listed.says(t, "RENAMED shop (staging): it is customer store now", "store/staging")
	if strings.Contains(listed.log, "NOT REGISTERED") || strings.Contains(listed.log, "LOST") {
		t.Errorf("the list says\n%s", listed.log)
	}
	for key, says := range map[string]string{"": "METAPIPE_KEY is not set, so", "?not-base-64?": "METAPIPE_KEY is malformed (", "c2hvcnQ=": "METAPIPE_KEY is malformed ("} {
		w.newJob(rejected.run).with("METAPIPE_KEY="+key).do(0, "state", "list").says(t, "RENAMED shop", says, "the record of the rename is not verified")
	}
	back := page.run(2, "customer", "rename", "store", "shop")
	back.says(t, "customer shop was renamed to store", "there is nothing to do")
	found := page.next(6) // what was pushed under the refusal is not applied yet
	found.says(t, "store/staging: pending")
	page.run(0, "ledger", "--customer", "shop").says(t, "renamed", "to store")
	page.run(0, "ledger", "--customer", "store").says(t, "renamed", "from shop")
	page.done()
	if w.state("shop/staging") == "" {
		t.Error("the state of the old name is gone")
	}
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	again.do(0, "plan", "staging").want(t, "outcome=no-changes", "create=0")
	again.report("--final")
	page.run(0, "drift", "--customer", "store").want(t, "found=0", "errors=0", "lost=0")
}

// TestRenameKilled kills the move of a customer again and again, later each time. In
// between neither name loses anything, and a run that is let be ends it.
func TestRenameKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	before := w.state("shop/staging")
	w.renameCustomer("shop", "store")
	move := []string{"customer", "rename", "shop", "store", "--apply"}
	for after := 200 * time.Millisecond; after < 4*time.Second; after += after / 2 {
		running := w.driftJob().start(move...)
		killed := time.AfterFunc(after, func() { _ = running.cmd.Process.Kill() }) // it may have ended
		running.wait()
		killed.Stop()
		if w.state("shop/staging") != before {
			t.Fatal("the state of the old name has changed")
		}
		if there := w.state("store/staging"); there != "" && there != before {
			t.Fatalf("killed after %s, the new name has half a state:\n%s", after, there)
		}
		lock := filepath.Join(filepath.Dir(w.stateFile("store/staging")), ".terraform.tfstate.lock.info")
		await(t, "the tool to end", func() bool { _, err := os.Stat(lock); return os.IsNotExist(err) }) // it outlives its parent
	}
	w.driftJob().do(0, move...)
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# again\n" + variablesYML}))
	again.do(0, "plan", "staging").want(t, "outcome=no-changes")
}
