package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestKeyRotation follows docs/SETUP.md: the new key before the old one, and the
// old one removed later. A plan that a pull request showed under the old key is
// compared all the way, and one that waits for its approval stays applicable.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	old, next := w.Key, store.NewKey().Secret()
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	shown, _ := w.Ask(run, 0)
	shown.Do(0, "plan", "staging").Want(t, "outcome=planned")
	shown.Report("--final")

	w.Key = next + "\n" + old
	merged := w.Accept(w.Pushed("main", fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t)))
	merged.Planned("staging")
	w.Key = old
	merged.Do(4, "apply", "staging").Want(t, "reason=unknown-key")
	w.Key = next
	merged.Do(0, "apply", "staging").Want(t, "outcome=applied")
	merged.Report("--final")
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "same as the plan in the pull request") {
		t.Errorf("comments %+v", comments)
	}
	w.WantNothingPending()
}

// TestKeyRemovedTooEarly: the plan of the merge cannot be compared with one under
// a key that is gone, and says so instead of calling it another plan.
func TestKeyRemovedTooEarly(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	shown, _ := w.Ask(run, 0)
	shown.Do(0, "plan", "staging").Want(t, "outcome=planned")
	w.Key = store.NewKey().Secret()
	// Whose commit the request was about cannot be believed any more, so nothing is told.
	w.NewJob(shown.Run).Do(4, "report", "--customer", shown.Customer, "--request", shown.ID, "--final").Says(t, "needs the key with the id")
	// Nor can the history of the target, until somebody answers for its state.
	push := w.Pushed("main", fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t))
	w.DriftJob().Do(1, "status", "--environment", "staging").Says(t, "shop/staging", "unknown", "needs the key with the id")
	w.DriftJob().Do(0, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "the key is gone").Says(t, "accepted for shop/staging")
	merged := w.Accept(push)
	merged.Planned("staging")
	merged.Report("--final")
	if body := w.Customer.Snapshot().Pulls[0].Comments[0].Body; !strings.Contains(body, "sealed with a key that has been removed since") {
		t.Errorf("the comment does not tell that the plans cannot be compared:\n%s", body)
	}
	merged.Do(0, "apply", "staging").Want(t, "outcome=applied")
}

// TestRekey follows docs/SETUP.md for what must last: after rekey the new key alone
// opens all of it.
func TestRekey(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Deployed(fixture.VariablesYML)
	w.Scan(0) // what scans remember is under the old key, too
	old, next := w.Key, store.NewKey().Secret()
	rekey := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).Do(exit, append([]string{"rekey"}, args...)...)
	}
	w.Key = next + "\n" + old
	waiting := acceptUnder(w, old, next)
	rekey(6).Says(t, "old-key", "shop/staging/applied/", "waits", "shop/requests/"+waiting.ID, "the older keys are still needed")
	rekey(6, "--apply").Says(t, "resealed", "waits", "3 sealed again")
	rekey(6, "--apply").Says(t, "waits", "0 sealed again") // a repetition writes nothing
	waiting.Do(0, "plan", "staging")
	waiting.Do(0, "apply", "staging")
	waiting.Report("--final")
	rekey(6, "--apply").Says(t, "shop/requests/"+waiting.ID, "the order of a push before then is compared with it")
	pushesPass(w)
	rekey(0, "--apply").Says(t, "the older ones can go")
	w.Key = next
	rekey(0).Says(t, "the older ones can go")
	w.Scan(0)
}

// pushesPass lets so much time pass for the store of shop that no push is compared with
// the earlier ones: their entries are an hour older then.
func pushesPass(w *fixture.Setup) {
	w.T.Helper()
	const layout = "20060102T150405.000000000Z"
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(w.Store, "shop", "*", "queue", "*")))(w.T) {
		dir, name := filepath.Split(file)
		at := fixture.Must(time.Parse(layout, name[:len(layout)]))(w.T)
		fixture.Check(w.T, os.Rename(file, filepath.Join(dir, at.Add(-time.Hour).Format(layout)+name[len(layout):])))
	}
}

// TestRekeyInABucket: rekey works with the policy of its own role in a bucket, and
// without --apply with none to write.
func TestRekeyInABucket(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	r := b.Accepted(w)
	step := func(exit int, role store.Role, env string, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.As(role, "*", env)...).Do(exit, args...)
	}
	step(0, store.RolePlan, "staging", r.Args("plan", "staging")...)
	step(0, store.RoleApply, "staging", r.Args("apply", "staging")...).Want(t, "outcome=applied")
	step(0, store.RoleReport, "staging", "report", "--customer", r.Customer, "--request", r.ID, "--final")
	old, next := w.Key, store.NewKey().Secret()
	w.Key = next + "\n" + old
	step(6, store.RoleRekey, "*", "rekey").Says(t, "old-key", "shop/staging/applied/")
	step(1, store.RoleDrift, "*", "rekey", "--apply").Says(t, "AccessDenied", "s3:ListBucket")
	step(6, store.RoleRekey, "*", "rekey", "--apply").Says(t, "resealed", "3 sealed again")
	w.Key = next
	j := w.DriftJob().With(b.As(store.RoleDrift, "*", "*")...)
	j.Do(0, "drift", "--environment", "staging").Want(t, "errors=0", "found=0", "lost=0")
}

// acceptUnder accepts a request under the old key alone, as one that was open before the
// rotation began.
func acceptUnder(w *fixture.Setup, old, next string) *fixture.Request {
	w.T.Helper()
	w.Key = old
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# open\n" + fixture.VariablesYML}))
	w.Key = next + "\n" + old
	return r
}

// deletesSealed deletes the plans and requests of customers, as the page about a leaked key
// says, which must do so before a customer may push again.
func deletesSealed(t *testing.T, w *fixture.Setup, customers ...string) {
	t.Helper()
	text := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), fixture.RecoveryPages)))(t))
	_, page, _ := strings.Cut(text, "\n## METAPIPE_KEY has leaked\n")
	_, page, disables := strings.Cut(page, "gh workflow disable")
	_, page, deletes := strings.Cut(page, "Delete what the leaked key opens")
	page, _, _ = strings.Cut(page, "\n## ")
	if enables, pushes := strings.Index(page, "gh workflow enable"), strings.Index(page, "Ask the customers to push again"); !disables || !deletes || enables < 0 || pushes < enables {
		t.Fatal("the page does not delete between the end of old requests and the first new one")
	}
	for _, customer := range customers {
		for _, pattern := range []string{"requests", filepath.Join("*", "plans")} {
			for _, dir := range fixture.Must(filepath.Glob(filepath.Join(w.Store, customer, pattern)))(t) {
				fixture.Check(t, os.RemoveAll(dir))
			}
		}
	}
}

// TestRecoverLeakedKey plays the page about a leaked key, of a customer that was renamed
// before: what lies under both names leaves the list, and the rename is verified again.
func TestRecoverLeakedKey(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.RenameCustomer("shop", "store")
	w.DriftJob().Do(0, "customer", "rename", "shop", "store", "--apply")
	w.Scan(0)
	open := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "name: shop", "name: open", 1)}))
	open.Planned("staging")
	w.Key = store.NewKey().Secret()
	page := fixture.RecoveryPage(t, "METAPIPE_KEY has leaked", "NAME", "store", "ENVIRONMENT", "staging", "OLD", "shop", "NEW", "store")
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, args...)
	}
	accept := []string{"state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "the key has leaked"}
	listed := page.Next(1)
	listed.Says(t, "no-key", "store/staging/applied/", "shop/staging/applied/", "_metapipe/customers/4711/renamed/shop/", "needs the key with the id", "metapipe customer rename shop NEW --apply", "→ ")
	for line := range strings.Lines(listed.Log) {
		if strings.Contains(line, " no-key ") && len(line) > 200 {
			t.Errorf("a row of %d letters: %s", len(line), line)
		}
	}
	listed.Says(t, "store/requests/"+open.ID, "delete this object")
	if n := strings.Count(listed.Log, "needs the key with the id"); n != 4 { // one for each kind of record
		t.Errorf("%d texts below the table:\n%s", n, listed.Log)
	}
	states := page.Run(0, "state", "list")
	states.Says(t, "cannot be opened: ", "it needs the key with the id", "add the key of that id")
	if strings.Contains(states.Log, "your service provider") {
		t.Errorf("the operator reads a sentence for customers:\n%s", states.Log)
	}
	deletesSealed(t, w, "shop", "store")
	page.Next(0).Says(t, "accepted for store/staging")
	page.Run(0, accept...).Says(t, "accepted for shop/staging")
	page.Run(2, accept...).Says(t, "there is nothing to accept")
	page.Run(1, "rekey").Says(t, "_metapipe/customers/4711/renamed/shop/")
	page.Run(0, "customer", "rename", "shop", "store").Says(t, "rename", "nothing is written")
	page.Next(0).Says(t, "customer shop is store now")
	page.Next(0).Says(t, "the older ones can go")
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "name: shop", "name: again", 1)}))
	again.Planned("staging")
	again.Do(0, "apply", "staging").Want(t, "outcome=applied")
	again.Report("--final")
	page.Next(0).Says(t, "store/staging: clean")
	page.Done()
	w.Scan(0)
	page.Run(0, "rekey").Says(t, "the older ones can go")
	states = page.Run(0, "state", "list")
	if states.Says(t, "RENAMED shop (staging): it is customer store now"); strings.Contains(states.Log, "warning") {
		t.Errorf("the rename is not verified:\n%s", states.Log)
	}
	page.Run(0, "ledger", "--verify", "--customer", "shop").Says(t, "shop/staging: ")
	page.Run(0, "ledger", "--verify", "--customer", "store").Says(t, "shop/staging: ")
}
