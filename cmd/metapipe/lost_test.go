package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// deployed applies staging of shop.
func (w *world) deployed(variables string) *request {
	w.t.Helper()
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variables}))
	p := r.planned("staging")
	r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"])
	r.report("--final")
	return r
}

// TestLostState loses the state of an applied target, and brings it back from a
// backup.
func TestLostState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.deployed(variablesYML)
	file := w.stateFile("shop/staging")
	backup := filepath.Join(t.TempDir(), "backup.tfstate")
	check(t, os.WriteFile(backup, []byte(w.state("shop/staging")), 0o600))
	check(t, os.Remove(file))

	run, _ := w.pull(w.customer, "comment", map[string]string{"infra/variables.yml": "# a comment\n" + variablesYML})
	requested, _ := w.ask(run, 0)
	refused := requested.do(4, "plan", "staging")
	refused.want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.says(t, "it was applied at", "holds no state", "metapipe state restore --customer shop --environment staging")
	requested.report("--final")
	comment := w.customer.Snapshot().Pulls[0].Comments[0].Body
	if !strings.Contains(comment, "You have nothing to do") && !strings.Contains(comment, "you have nothing to do") || strings.Contains(comment, "to add") || strings.Contains(comment, "metapipe state") {
		t.Errorf("the customer reads:\n%s", comment)
	}
	w.wantNothingPending()

	target := []string{"--customer", "shop", "--environment", "staging"}
	do := func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(requested.run).do(exit, append(args, target...)...)
	}
	do(0, "state", "list").says(t, "LOST", "holds no state", "metapipe state restore")
	do(0, "state", "show").says(t, "LOST", "metapipe state restore")
	found, _, log := w.scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || found.Failure == nil || found.Failure.Cause != "state-lost" || found.Plan != nil {
		t.Errorf("drift found %+v", found)
	}
	if strings.Contains(log.log, "started a request") {
		t.Errorf("a lost state is remediated:\n%s", log.log)
	}
	log.want(t, "lost=1", "errors=0")
	if !strings.Contains(log.summary, "the state of 1 target is lost") || !strings.Contains(log.summary, "State lost (`lost`) | 1") {
		t.Errorf("the summary does not count it:\n%s", log.summary)
	}

	do(2, "state", "restore").says(t, "keeps no versions", "--file COPY")
	do(0, "state", "restore", "--file", backup).says(t, "FITS", "yes")
	if w.state("shop/staging") != "" {
		t.Fatal("restore without --apply has written a state")
	}
	do(0, "state", "restore", "--file", backup, "--apply").says(t, "the state of shop/staging is in", "serial")
	do(4, "state", "restore", "--file", backup, "--apply").says(t, "has a state")
	do(0, "ledger").says(t, "restored")
	if strings.Contains(do(0, "state", "list").log, "LOST") {
		t.Error("a restored state is still called lost")
	}
	requested.do(0, "plan", "staging").want(t, "outcome=no-changes")
}

// TestStateDestroyedByHand: the operator says so, and the next plan builds anew.
func TestStateDestroyedByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	check(t, os.Remove(w.stateFile("shop/staging")))
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# again\n" + variablesYML}))
	r.do(4, "plan", "staging").want(t, "reason=state-lost")
	accept := []string{"state", "accept", "--customer", "shop", "--environment", "staging"}
	w.newJob(r.run).do(2, accept...).says(t, "no reason is given")
	w.newJob(r.run).do(0, append(accept, "--reason", "destroyed by hand")...).says(t, "accepted for shop/staging: no state")
	w.newJob(r.run).do(0, "ledger", "--customer", "shop").says(t, "accepted", "destroyed by hand")
	r.do(0, "plan", "staging").want(t, "outcome=waiting", "create=2")
}

// TestDestroyedByApply: a state that our own apply has emptied is not lost.
func TestDestroyedByApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"terraform/main.tf": "variable \"config\" { type = any }\nresource \"terraform_data\" \"one\" {\n  count = try(var.config.count, 1)\n}\n"})
	w.deployed(variablesYML)
	w.deployed("count: 0\n" + variablesYML)
	w.deployed("count: 1\n" + variablesYML)
}

// TestStoreThatDoesNotExist: reading from it finds nothing, so it is refused.
func TestStoreThatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	missing := filepath.Join(t.TempDir(), "typo")
	for _, args := range [][]string{{"state", "list"}, {"state", "show", "--customer", "shop", "--environment", "staging"}, {"ledger"}, {"ledger", "--customer", "shop"},
		{"unlock", "--customer", "shop", "--environment", "staging", "--lock-id", "x"}, {"state", "restore", "--customer", "shop", "--environment", "staging"},
		{"state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "x"}} {
		w.driftJob().do(2, append(args, "--store", missing)...).says(t, "the store "+missing, "does not exist")
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a command that reads has made the store")
	}
}

// TestMovedStore: a manager whose store is another one than before plans nothing of what
// GitHub knows as applied. It goes on at the old place, or where the operator accepts
// that there is no state.
func TestMovedStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.deployed(variablesYML)
	check(t, os.Rename(w.store, w.store+".before"))
	check(t, os.Mkdir(w.store, 0o700))

	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# moved\n" + variablesYML}))
	refused := r.do(4, "plan", "staging")
	refused.want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.says(t, "deployment ", "says that it was applied", "TF_STATE_BUCKET", "metapipe state accept --customer shop --environment staging")
	r.report("--final")
	found, _, log := w.scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || !strings.Contains(found.Failure.Next, "has the store moved") || strings.Contains(log.log, "started a request") {
		t.Errorf("drift found %+v %+v", found, found.Failure)
	}

	checkout := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(checkout, "infra"), 0o700))
	check(t, os.WriteFile(filepath.Join(checkout, "infra", "variables.yml"), []byte(variablesYML), 0o600))
	dry := func(exit int, env ...string) result {
		t.Helper()
		return w.newJob(r.run).with(env...).do(exit, "plan", "--state", "--customer", "shop", "--environment", "staging", "--customer-dir", checkout)
	}
	dry(4).says(t, "says that it was applied")
	dry(0, "SOURCE_REPOS_PAT=").says(t, "Without SOURCE_REPOS_PAT, metapipe cannot ask GitHub whether it was applied")

	accept := []string{"state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "destroyed"}
	w.newJob(r.run).do(0, accept...)
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# new\n" + variablesYML}))
	again.do(0, "plan", "staging").want(t, "outcome=waiting", "create=2")

	check(t, os.RemoveAll(w.store))
	check(t, os.Rename(w.store+".before", w.store))
	back := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# back\n" + variablesYML}))
	back.do(0, "plan", "staging").want(t, "outcome=no-changes")
}
