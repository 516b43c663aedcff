package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestDamagedState damages the state of an applied target, and restores it. The damaged
// one is kept.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.deployed(variablesYML)
	file, whole := w.stateFile("shop/staging"), w.state("shop/staging")
	backup := filepath.Join(t.TempDir(), "backup.tfstate")
	check(t, os.WriteFile(backup, []byte(whole), 0o600))
	target := []string{"--customer", "shop", "--environment", "staging"}
	do := func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().do(exit, append(args, target...)...)
	}
	for name, content := range map[string]string{"half": whole[:len(whole)/2], "null": "null", "list": "[ ]", "blank": " ", "page": "<html><h1>504</h1></html>"} {
		check(t, os.WriteFile(file, []byte(content), 0o600))
		do(0, "state", "list").says(t, "LOST shop/staging: the state of shop/staging is damaged", "metapipe state restore --customer shop --environment staging")
		do(0, "state", "show").says(t, "is damaged", "restore")
		do(0, "unlock", "--lock-id", "5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36").says(t, "is not locked")
		do(4, "state", "accept", "--reason", "it is fine").says(t, "is damaged", "metapipe state restore")
		do(2, "state", "restore", "--file", file).says(t, "is no state")
		if w.state("shop/staging") != content {
			t.Fatalf("%s: a command that looks has changed the state", name)
		}
	}

	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# again\n" + variablesYML}))
	refused := r.do(4, "plan", "staging")
	refused.want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.says(t, "is damaged", "metapipe state restore --customer shop --environment staging")
	if strings.Contains(refused.log, "read the output of") {
		t.Errorf("the operator is sent to the tool's words:\n%s", refused.log)
	}
	found, _, log := w.scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || found.Failure == nil || found.Failure.Cause != "state-lost" || strings.Contains(log.log, "started a request") {
		t.Errorf("drift found %+v %+v", found, found.Failure)
	}

	damaged := w.state("shop/staging")
	do(0, "state", "restore", "--file", backup).says(t, "FITS", "yes")
	do(0, "state", "restore", "--file", backup, "--apply").says(t, "the state of shop/staging is in", "what it replaced is kept in "+filepath.Join(w.store, "shop", "staging", "replaced"))
	kept := must(filepath.Glob(filepath.Join(w.store, "shop", "staging", "replaced", "*")))(t)
	if len(kept) != 1 || string(must(os.ReadFile(kept[0]))(t)) != damaged {
		t.Errorf("kept: %v", kept)
	}
	do(0, "ledger", "--json").says(t, "from a file; what it replaced is kept as shop/staging/replaced/")
	r.do(0, "plan", "staging").want(t, "outcome=no-changes")
}

// TestRestoreOfACopyThatDoesNotFit: an older copy and another state are refused, and
// --force restores them with a way back.
func TestRestoreOfACopyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	dir := t.TempDir()
	older, newer, other := filepath.Join(dir, "older"), filepath.Join(dir, "newer"), filepath.Join(dir, "other")
	check(t, os.WriteFile(older, []byte(w.state("shop/staging")), 0o600))
	w.deployed(strings.Replace(variablesYML, "name: shop", "name: shop2", 1) + "more: true\n")
	file, right := w.stateFile("shop/staging"), w.state("shop/staging")
	check(t, os.WriteFile(newer, []byte(right), 0o600))
	check(t, os.WriteFile(other, []byte(`{"version":4,"serial":99,"lineage":"of-another-target","outputs":{},"resources":[]}`), 0o600))
	if string(must(os.ReadFile(older))(t)) == right {
		t.Fatal("the second apply has left the same state")
	}
	do := func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().do(exit, append(append([]string{"state", "restore", "--customer", "shop", "--environment", "staging"}, args...), "--apply")...)
	}
	check(t, os.Remove(file))
	do(4, "--file", older).says(t, "file "+older+" is not the state that the last apply of shop/staging left", "older one", "--force")
	do(4, "--file", other).says(t, "file "+other, "another one", "--force")
	if w.state("shop/staging") != "" {
		t.Fatal("a copy that does not fit was restored")
	}
	do(0, "--file", older, "--force").says(t, "it does not fit", "older one", "import what was built since")
	w.driftJob().do(0, "ledger", "--customer", "shop", "--environment", "staging").says(t, "forced, does not fit: from a file")

	do(4, "--file", newer).says(t, "has a state", "--force")
	wrong := w.state("shop/staging")
	do(0, "--file", newer, "--force").says(t, "what it replaced is kept in", "the way back", "--file COPY --force --apply")
	kept := must(filepath.Glob(filepath.Join(w.store, "shop", "staging", "replaced", "*")))(t)
	if len(kept) != 1 || string(must(os.ReadFile(kept[0]))(t)) != wrong {
		t.Errorf("kept: %v", kept)
	}
	if !strings.Contains(w.state("shop/staging"), "shop2") {
		t.Errorf("the right copy is not back:\n%s", w.state("shop/staging"))
	}
	if strings.Contains(w.driftJob().do(0, "state", "list").log, "LOST") {
		t.Error("the restored state is called lost")
	}
}
