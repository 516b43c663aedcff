//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
)

// plays runs the commands of a page in jobs of the manager.
func (w *world) plays(r workflowRun, page *recovery, pairs ...string) {
	page.run = func(exit int, args ...string) result {
		page.t.Helper()
		return w.newJob(r).with(pairs...).do(exit, args...)
	}
}

// TestRecoverStuckLock plays the page about a stuck lock: an apply is killed together with
// its tool.
func TestRecoverStuckLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	begun := filepath.Join(t.TempDir(), "begun")
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
	planned := r.planned("staging")
	p := w.newJob(r.run).start(r.args("apply", "staging", "--receipt", planned.outputs["receipt"])...)
	awaitFile(t, begun)
	awaitWritten(t, filepath.Join(filepath.Dir(w.stateFile("shop/staging")), ".terraform.tfstate.lock.info"))
	check(t, p.cmd.Process.Kill())
	p.wait()
	killTool(t, begun)
	shown := w.newJob(r.run).do(0, "state", "show", "--customer", "shop", "--environment", "staging")
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).FindString(shown.log[strings.Index(shown.log, "lock"):])
	page := recoveryPage(t, "A lock is stuck", "NAME", "shop", "ENVIRONMENT", "staging", "LOCK", id)
	page.run = func(exit int, args ...string) result {
		t.Helper()
		j := w.newJob(r.run)
		j.binary = "metapipe-later" // minutes have passed
		return j.do(exit, args...)
	}
	page.next(0).says(t, "shop/staging", " since ", "(apply, lock "+id)
	page.next(0).says(t, id, "held by", "the apply of request "+r.id[:8]+" (run ", "metapipe unlock --customer shop --environment staging --lock-id "+id)
	unlock := page.commands[0]
	page.run(4, words(unlock)[1:]...).says(t, "run")
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	page.next(0).says(t, "the lock of shop/staging is released")
	page.next(0).says(t, "unlocked")
	page.run(0, "state", "show", "--customer", "shop", "--environment", "staging").says(t, "free")
	page.done()
}

// TestRecoverHalfApply plays the page about an apply that could not write its state.
func TestRecoverHalfApply(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, impatient)
	r := b.accepted(w)
	step := func(exit int, role store.Role, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(b.as(role, "shop", "staging")...).do(exit, args...)
	}
	step(0, store.RolePlan, r.args("plan", "staging")...)
	step(1, store.RolePlan, r.args("apply", "staging")...).says(t, "2 changes were made", "metapipe state recover")
	step(0, store.RoleReport, "report", "--customer", r.customer, "--request", r.id, "--final")
	page := recoveryPage(t, "An apply ended half-way", "NAME", "shop", "ENVIRONMENT", "staging", "REQUEST", r.id[:8])
	w.plays(r.run, page, b.root()...)
	page.next(0).says(t, "== apply 1 of request", "terraform_data.first: Creation complete")
	page.next(0).says(t, r.id[:8], "kept")
	page.next(0).says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	clean := page.commands[0]
	page.next(0).says(t, "shop/staging: clean")
	page.done()
	r = b.acceptedFile(w, "# again\n"+variablesYML)
	step(0, store.RolePlan, r.args("plan", "staging")...).want(t, "outcome=no-changes")
	page.run(0, words(clean)[1:]...).says(t, "shop/staging: clean")
}

// TestRecoverHalfApplyByHand follows the same page where the state was written, and a
// part of the plan was not.
func TestRecoverHalfApplyByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'false'\nenvironments:\n  staging: {}\n"}))
	r.planned("staging")
	r.do(1, "apply", "staging").want(t, "outcome=failed")
	r.report("--final")
	page := recoveryPage(t, "An apply ended half-way", "NAME", "shop", "ENVIRONMENT", "staging", "REQUEST", r.id[:8])
	w.plays(r.run, page)
	page.next(0).says(t, "== apply 1 of request", "terraform_data.first: Creation complete")
	if shown := page.next(0); strings.Contains(shown.log, r.id[:8]) {
		t.Errorf("a state is kept:\n%s", shown.log)
	}
	page.next(2).says(t, "has no kept state")
	fails := page.commands[0]
	page.next(6).says(t, "shop/staging: ", "terraform_data.second")
	page.done()
	w.deployed(variablesYML)
	page.run(0, words(fails)[1:]...).says(t, "shop/staging: clean")
}
