package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/store"
)

// TestKeyRotation follows docs/SETUP.md: the new key before the old one, and the
// old one removed later. A plan that a pull request showed under the old key is
// compared all the way, and one that waits for its approval stays applicable.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	old, next := w.key, store.NewKey().Secret()
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	shown, _ := w.ask(run, 0)
	shown.do(0, "plan", "staging").want(t, "outcome=planned")
	shown.report("--final")

	w.key = next + "\n" + old
	merged := w.accept(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)))
	merged.planned("staging")
	w.key = old
	merged.do(4, "apply", "staging").want(t, "reason=unknown-key")
	w.key = next
	merged.do(0, "apply", "staging").want(t, "outcome=applied")
	merged.report("--final")
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "same as the plan in the pull request") {
		t.Errorf("comments %+v", comments)
	}
	w.wantNothingPending()
}

// TestKeyRemovedTooEarly: the plan of the merge cannot be compared with one under
// a key that is gone, and says so instead of calling it another plan.
func TestKeyRemovedTooEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	shown, _ := w.ask(run, 0)
	shown.do(0, "plan", "staging").want(t, "outcome=planned")
	w.key = store.NewKey().Secret()
	// Whose commit the request was about cannot be believed any more, so nothing is told.
	w.newJob(shown.run).do(4, "report", "--customer", shown.customer, "--request", shown.id, "--final").says(t, "needs the key with the id")
	merged := w.accept(w.pushed("main", must(w.customer.MergePull(number, "merge", "casey"))(t)))
	merged.planned("staging")
	merged.report("--final")
	if body := w.customer.Snapshot().Pulls[0].Comments[0].Body; !strings.Contains(body, "sealed with a key that has been removed since") {
		t.Errorf("the comment does not tell that the plans cannot be compared:\n%s", body)
	}
	merged.do(0, "apply", "staging").want(t, "outcome=applied")
}

// TestRekey follows docs/SETUP.md for what must last: after rekey the new key alone
// opens all of it.
func TestRekey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.deployed(variablesYML)
	w.scan(0) // what scans remember is under the old key, too
	old, next := w.key, store.NewKey().Secret()
	rekey := func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(r.run).do(exit, append([]string{"rekey"}, args...)...)
	}
	w.key = next + "\n" + old
	waiting := w.acceptUnder(old, next)
	rekey(6).says(t, "old-key", "shop/staging/applied/", "waits", "shop/requests/"+waiting.id, "the older keys are still needed")
	rekey(6, "--apply").says(t, "resealed", "waits", "2 sealed again")
	rekey(6, "--apply").says(t, "waits", "0 sealed again") // a repetition writes nothing
	waiting.do(0, "plan", "staging")
	waiting.do(0, "apply", "staging")
	waiting.report("--final")
	rekey(6, "--apply").says(t, "shop/requests/"+waiting.id, "the order of a push before then is compared with it")
	w.pushesPass()
	rekey(0, "--apply").says(t, "the older ones can go")
	w.key = next
	rekey(0).says(t, "the older ones can go")
	w.scan(0)
}

// pushesPass lets so much time pass for the store of shop that no push is compared with
// the earlier ones: their entries are an hour older then.
func (w *world) pushesPass() {
	w.t.Helper()
	const layout = "20060102T150405.000000000Z"
	for _, file := range must(filepath.Glob(filepath.Join(w.store, "shop", "*", "queue", "*")))(w.t) {
		dir, name := filepath.Split(file)
		at := must(time.Parse(layout, name[:len(layout)]))(w.t)
		check(w.t, os.Rename(file, filepath.Join(dir, at.Add(-time.Hour).Format(layout)+name[len(layout):])))
	}
}

// TestRekeyInABucket: rekey works with the policy of its own role in a bucket, and
// without --apply with none to write.
func TestRekeyInABucket(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	r := b.accepted(w)
	step := func(exit int, role store.Role, env string, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(b.as(role, "*", env)...).do(exit, args...)
	}
	step(0, store.RolePlan, "staging", r.args("plan", "staging")...)
	step(0, store.RoleApply, "staging", r.args("apply", "staging")...).want(t, "outcome=applied")
	step(0, store.RoleReport, "staging", "report", "--customer", r.customer, "--request", r.id, "--final")
	old, next := w.key, store.NewKey().Secret()
	w.key = next + "\n" + old
	step(6, store.RoleRekey, "*", "rekey").says(t, "old-key", "shop/staging/applied/")
	step(1, store.RoleDrift, "*", "rekey", "--apply").says(t, "AccessDenied", "s3:ListBucket")
	step(6, store.RoleRekey, "*", "rekey", "--apply").says(t, "resealed", "2 sealed again")
	w.key = next
	j := w.driftJob().with(b.as(store.RoleDrift, "*", "*")...)
	j.do(0, "drift", "--environment", "staging").want(t, "errors=0", "found=0", "lost=0")
}

// acceptUnder accepts a request under the old key alone, as one that was open before the
// rotation began.
func (w *world) acceptUnder(old, next string) *request {
	w.t.Helper()
	w.key = old
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# open\n" + variablesYML}))
	w.key = next + "\n" + old
	return r
}

// TestRecoverLeakedKey plays the page about a leaked key.
func TestRecoverLeakedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.deployed(variablesYML)
	w.scan(0)
	w.key = store.NewKey().Secret()
	page := recoveryPage(t, "A key or token has leaked", "NAME", "shop", "ENVIRONMENT", "staging")
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(r.run).do(exit, args...)
	}
	page.next(1).says(t, "no-key", "shop/staging/applied/", "needs the key with the id")
	page.next(0).says(t, "accepted for shop/staging")
	w.pushesPass()
	page.next(0).says(t, "the older ones can go")
	page.done()
	w.scan(0)
}
