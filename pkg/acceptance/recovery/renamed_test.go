package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestRecoverRenamedCustomer plays the page about a renamed customer: nothing is planned a
// second time under the new name, and after the move all goes on there.
func TestRecoverRenamedCustomer(t *testing.T) {
	t.Parallel()
	w, _ := fixture.Deployed(t)
	w.RenameCustomer("shop", "store")
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: again\nenvironments:\n  staging: {}\n"})
	rejected, end := w.Ask(run, 3)
	end.Want(t, "outcome=rejected", "reason=customer-renamed", "customer=store", "targets=[]")
	end.Says(t, "is registered as customer", "give the file its old name (shop.yml)", "metapipe customer rename shop store")
	if rejected.Customer != "store" {
		t.Errorf("rejected for %q", rejected.Customer)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	page := fixture.RecoveryPage(t, "A customer was renamed", "OLD", "shop", "NEW", "store")
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(rejected.Run).Do(exit, args...)
	}
	page.Run(6, "drift", "--customer", "store", "--environment", "staging").Says(t, "customer-renamed")
	page.Next(0).Says(t, "NOT REGISTERED shop (staging)", "shop/staging/terraform.tfstate")
	page.Next(0).Says(t, "shop/staging: 8 entries, whole")
	page.Run(2, "customer", "rename", "Shop", "store").Says(t, "lower-case letters")
	page.Run(2, "customer", "rename", "shop", "stroe").Says(t, "stroe")
	for _, name := range []string{"../store", "", "_metapipe", "a\nb", strings.Repeat("a", 64)} {
		r := page.Run(2, "customer", "rename", "store", name)
		if r.Says(t, "the new name", "lower-case letters"); strings.Contains(r.Log, "git mv") {
			t.Errorf("%q: the advice is to rename a file so:\n%s", name, r.Log)
		}
	}
	page.Run(2, "customer", "rename", "store", "store").Says(t, "the old and the new name are both store")
	swapped := page.Run(2, "customer", "rename", "store", "shop")
	swapped.Says(t, "under the name shop, not under store", "customers/shop.yml does not exist", "names look swapped", "metapipe customer rename shop store")
	page.Run(2, "customer", "rename", "nobody", "other").Says(t, "the store has nothing under the name nobody", "customers/other.yml does not exist", "the store has shop", "store")
	known := page.Run(2, "customer", "rename", "shop", "other")
	known.Says(t, `customer "other" does not exist in customers/`, "store")
	if strings.Contains(swapped.Log+known.Log, "git mv") {
		t.Errorf("the advice is to move the file back:\n%s%s", swapped.Log, known.Log)
	}
	page.Next(0).Says(t, "last apply", "nothing is written", "--apply")
	if w.State("store/staging") != "" {
		t.Error("a plan of moves has written a state")
	}
	page.Next(0).Says(t, "customer shop is store now", "the states can go")
	page.Run(0, "customer", "rename", "shop", "store", "--apply").Says(t, "nothing to do")
	listed := page.Next(0)
	listed.Says(t, "RENAMED shop (staging): it is customer store now", "store/staging")
	if strings.Contains(listed.Log, "NOT REGISTERED") || strings.Contains(listed.Log, "LOST") {
		t.Errorf("the list says\n%s", listed.Log)
	}
	for key, says := range map[string]string{"": "METAPIPE_KEY is not set, so", "?not-base-64?": "METAPIPE_KEY is malformed (", "c2hvcnQ=": "METAPIPE_KEY is malformed ("} {
		w.NewJob(rejected.Run).With("METAPIPE_KEY="+key).Do(0, "state", "list").Says(t, "RENAMED shop", says, "the record of the rename is not verified")
	}
	back := page.Run(2, "customer", "rename", "store", "shop")
	back.Says(t, "customer shop was renamed to store", "there is nothing to do")
	found := page.Next(6) // what was pushed under the refusal is not applied yet
	found.Says(t, "store/staging: pending")
	page.Run(0, "ledger", "--customer", "shop").Says(t, "renamed", "to store")
	page.Run(0, "ledger", "--customer", "store").Says(t, "renamed", "from shop")
	page.Done()
	if w.State("shop/staging") == "" {
		t.Error("the state of the old name is gone")
	}
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"}))
	again.Do(0, "plan", "staging").Want(t, "outcome=no-changes", "create=0")
	again.Report("--final")
	page.Run(0, "drift", "--customer", "store").Want(t, "found=0", "errors=0", "lost=0")
}

// TestRenameKilled kills the move of a customer again and again, later each time. In
// between neither name loses anything, and a run that is let be ends it.
func TestRenameKilled(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	before := w.State("shop/staging")
	w.RenameCustomer("shop", "store")
	move := []string{"customer", "rename", "shop", "store", "--apply"}
	for after := 200 * time.Millisecond; after < 4*time.Second; after += after / 2 {
		running := w.DriftJob().Start(move...)
		killed := time.AfterFunc(after, func() { _ = running.Kill() }) // it may have ended
		running.Wait()
		killed.Stop()
		if w.State("shop/staging") != before {
			t.Fatal("the state of the old name has changed")
		}
		if there := w.State("store/staging"); there != "" && there != before {
			t.Fatalf("killed after %s, the new name has half a state:\n%s", after, there)
		}
		lock := filepath.Join(filepath.Dir(w.StateFile("store/staging")), ".terraform.tfstate.lock.info")
		fixture.Await(t, "the tool to end", func() bool { _, err := os.Stat(lock); return os.IsNotExist(err) }) // it outlives its parent
	}
	w.DriftJob().Do(0, move...)
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# again\n" + fixture.VariablesYML}))
	again.Do(0, "plan", "staging").Want(t, "outcome=no-changes")
}
