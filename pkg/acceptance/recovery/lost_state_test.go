package recovery

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestLostState loses the state of an applied target, and brings it back from a
// backup.
func TestLostState(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.Deployed(fixture.VariablesYML)
	file := w.StateFile("shop/staging")
	backup := filepath.Join(t.TempDir(), "backup.tfstate")
	fixture.Check(t, os.WriteFile(backup, []byte(w.State("shop/staging")), 0o600))
	fixture.Check(t, os.Remove(file))

	run, _ := w.Pull(w.Customer, "comment", map[string]string{"infra/variables.yml": "# a comment\n" + fixture.VariablesYML})
	requested, _ := w.Ask(run, 0)
	refused := requested.Do(4, "plan", "staging")
	refused.Want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.Says(t, "it was applied at", "holds no state", "metapipe state restore --customer shop --environment staging")
	requested.Report("--final")
	comment := w.Customer.Snapshot().Pulls[0].Comments[0].Body
	if !strings.Contains(comment, "You have nothing to do") && !strings.Contains(comment, "you have nothing to do") || strings.Contains(comment, "to add") || strings.Contains(comment, "metapipe state") {
		t.Errorf("the customer reads:\n%s", comment)
	}
	w.WantNothingPending()

	target := []string{"--customer", "shop", "--environment", "staging"}
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(requested.Run).Do(exit, append(args, target...)...)
	}
	do(0, "state", "list").Says(t, "LOST", "holds no state", "metapipe state restore")
	do(0, "state", "show").Says(t, "LOST", "metapipe state restore")
	found, _, log := w.Scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || found.Failure == nil || found.Failure.Cause != "state-lost" || found.Plan != nil {
		t.Errorf("drift found %+v", found)
	}
	if strings.Contains(log.Log, "started a request") {
		t.Errorf("a lost state is remediated:\n%s", log.Log)
	}
	log.Want(t, "lost=1", "errors=0")
	if !strings.Contains(log.Summary, "the state of 1 target is lost") || !strings.Contains(log.Summary, "State lost (`lost`) | 1") {
		t.Errorf("the summary does not count it:\n%s", log.Summary)
	}

	do(2, "state", "restore").Says(t, "keeps no versions", "--file COPY")
	do(0, "state", "restore", "--file", backup).Says(t, "FITS", "yes")
	if w.State("shop/staging") != "" {
		t.Fatal("restore without --apply has written a state")
	}
	do(0, "state", "restore", "--file", backup, "--apply").Says(t, "the state of shop/staging is in", "serial")
	do(4, "state", "restore", "--file", backup, "--apply").Says(t, "has a state")
	do(0, "ledger").Says(t, "restored")
	if strings.Contains(do(0, "state", "list").Log, "LOST") {
		t.Error("a restored state is still called lost")
	}
	requested.Do(0, "plan", "staging").Want(t, "outcome=no-changes")
}

// TestStateDestroyedByHand: the operator says so, and the next plan builds anew.
func TestStateDestroyedByHand(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	fixture.Check(t, os.Remove(w.StateFile("shop/staging")))
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# again\n" + fixture.VariablesYML}))
	r.Do(4, "plan", "staging").Want(t, "reason=state-lost")
	accept := []string{"state", "accept", "--customer", "shop", "--environment", "staging"}
	w.NewJob(r.Run).Do(2, accept...).Says(t, "no reason is given")
	w.NewJob(r.Run).Do(0, append(accept, "--reason", "destroyed by hand")...).Says(t, "accepted for shop/staging: no state")
	w.NewJob(r.Run).Do(0, "ledger", "--customer", "shop").Says(t, "accepted", "destroyed by hand")
	r.Do(0, "plan", "staging").Want(t, "outcome=waiting", "create=2")
}

// TestDryRunOnALostState: a dry run refuses a lost or damaged state before the tool runs.
func TestDryRunOnALostState(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	file, whole := w.StateFile("shop/staging"), w.State("shop/staging")
	checkout := t.TempDir()
	fixture.Check(t, os.MkdirAll(filepath.Join(checkout, "infra"), 0o700))
	fixture.Check(t, os.WriteFile(filepath.Join(checkout, "infra", "variables.yml"), []byte(fixture.VariablesYML), 0o600))
	tool, ran := filepath.Join(t.TempDir(), "terraform"), filepath.Join(t.TempDir(), "ran")
	fixture.Check(t, os.WriteFile(tool, []byte("#!/bin/sh\necho ran >>"+ran+"\nexit 1\n"), 0o700))
	dry := func(exit int) fixture.Result {
		t.Helper()
		return w.DriftJob().With("METAPIPE_TOOL="+tool).Do(exit, "plan", "--state", "--customer", "shop", "--environment", "staging", "--customer-dir", checkout)
	}
	for _, content := range map[string]string{
		"older":   regexp.MustCompile(`"serial": \d+`).ReplaceAllString(whole, `"serial": 0`),
		"other":   `{"version":4,"serial":99,"lineage":"of-another-target","outputs":{},"resources":[]}`,
		"edited":  strings.Replace(whole, `"mode": "managed"`, `"mode": "data"`, 1), // the same serial with one resource fewer
		"letters": regexp.MustCompile(`"serial": \d+`).ReplaceAllString(whole, `"Serial": 0`),
		"format":  regexp.MustCompile(`(?s)^\{.*?"lineage": ("[^"]*").*$`).ReplaceAllString(whole, `{"version":3,"serial":99,"lineage":$1,"modules":[{"path":["root"],"resources":{}}]}`),
		"zero":    strings.Replace(whole, `"version": 4`, `"version": 0`, 1),
		"empty":   "",
		"damaged": whole[:len(whole)/2],
	} {
		fixture.Check(t, os.WriteFile(file, []byte(content), 0o600))
		dry(4).Says(t, "metapipe state restore --customer shop --environment staging")
	}
	fixture.Check(t, os.Remove(file))
	dry(4).Says(t, "holds no state", "metapipe state restore --customer shop --environment staging")
	if _, err := os.Stat(ran); err == nil {
		t.Error("the tool ran on a lost state")
	}
	fixture.Check(t, os.WriteFile(file, []byte(whole), 0o600))
	dry(2).Says(t, "does not answer")
	if _, err := os.Stat(ran); err != nil {
		t.Error("the tool does not run on a whole state")
	}
}

// TestDestroyedByApply: a state that our own apply has emptied is not lost.
func TestDestroyedByApply(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"terraform/main.tf": "variable \"config\" { type = any }\nresource \"terraform_data\" \"one\" {\n  count = try(var.config.count, 1)\n}\n"})
	w.Deployed(fixture.VariablesYML)
	w.Deployed("count: 0\n" + fixture.VariablesYML)
	w.Deployed("count: 1\n" + fixture.VariablesYML)
}

// TestMovedStore: a manager whose store is another one than before plans nothing of what
// GitHub knows as applied. It goes on at the old place, or where the operator accepts
// that there is no state.
func TestMovedStore(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.Deployed(fixture.VariablesYML)
	fixture.Check(t, os.Rename(w.Store, w.Store+".before"))
	fixture.Check(t, os.Mkdir(w.Store, 0o700))

	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# moved\n" + fixture.VariablesYML}))
	refused := r.Do(4, "plan", "staging")
	refused.Want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.Says(t, "deployment ", "says that it was applied", "TF_STATE_BUCKET", "metapipe state accept --customer shop --environment staging")
	r.Report("--final")
	found, _, log := w.Scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || !strings.Contains(found.Failure.Next, "has the store moved") || strings.Contains(log.Log, "started a request") {
		t.Errorf("drift found %+v %+v", found, found.Failure)
	}

	checkout := t.TempDir()
	fixture.Check(t, os.MkdirAll(filepath.Join(checkout, "infra"), 0o700))
	fixture.Check(t, os.WriteFile(filepath.Join(checkout, "infra", "variables.yml"), []byte(fixture.VariablesYML), 0o600))
	dry := func(exit int, env ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(env...).Do(exit, "plan", "--state", "--customer", "shop", "--environment", "staging", "--customer-dir", checkout)
	}
	dry(4).Says(t, "says that it was applied")
	dry(0, "SOURCE_REPOS_PAT=").Says(t, "Without SOURCE_REPOS_PAT, metapipe cannot ask GitHub whether it was applied")

	accept := []string{"state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "destroyed"}
	w.NewJob(r.Run).Do(0, accept...)
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# new\n" + fixture.VariablesYML}))
	again.Do(0, "plan", "staging").Want(t, "outcome=waiting", "create=2")

	fixture.Check(t, os.RemoveAll(w.Store))
	fixture.Check(t, os.Rename(w.Store+".before", w.Store))
	back := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# back\n" + fixture.VariablesYML}))
	back.Do(0, "plan", "staging").Want(t, "outcome=no-changes")
}
