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

// TestDamagedState damages the state of an applied target, and restores it. The damaged
// one is kept.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {remediate: [staging]}\n"})
	w.Deployed(fixture.VariablesYML)
	file, whole := w.StateFile("shop/staging"), w.State("shop/staging")
	backup := filepath.Join(t.TempDir(), "backup.tfstate")
	fixture.Check(t, os.WriteFile(backup, []byte(whole), 0o600))
	target := []string{"--customer", "shop", "--environment", "staging"}
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, append(args, target...)...)
	}
	for name, content := range map[string]string{"half": whole[:len(whole)/2], "null": "null", "list": "[ ]", "blank": " ", "page": "<html><h1>504</h1></html>"} {
		fixture.Check(t, os.WriteFile(file, []byte(content), 0o600))
		do(0, "state", "list").Says(t, "LOST shop/staging: the state of shop/staging is damaged", "metapipe state restore --customer shop --environment staging")
		do(0, "state", "show").Says(t, "is damaged", "restore")
		do(0, "unlock", "--lock-id", "5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36").Says(t, "is not locked")
		do(4, "state", "accept", "--reason", "it is fine").Says(t, "is damaged", "metapipe state restore")
		do(2, "state", "restore", "--file", file).Says(t, "is no state")
		if w.State("shop/staging") != content {
			t.Fatalf("%s: a command that looks has changed the state", name)
		}
	}

	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# again\n" + fixture.VariablesYML}))
	refused := r.Do(4, "plan", "staging")
	refused.Want(t, "outcome=refused", "reason=state-lost", "receipt=")
	refused.Says(t, "is damaged", "metapipe state restore --customer shop --environment staging")
	if strings.Contains(refused.Log, "read the output of") {
		t.Errorf("the operator is sent to the tool's words:\n%s", refused.Log)
	}
	found, _, log := w.Scan(6, "--remediate")
	if !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || found.Failure == nil || found.Failure.Cause != "state-lost" || strings.Contains(log.Log, "started a request") {
		t.Errorf("drift found %+v %+v", found, found.Failure)
	}

	damaged := w.State("shop/staging")
	do(0, "state", "restore", "--file", backup).Says(t, "FITS", "yes")
	do(0, "state", "restore", "--file", backup, "--apply").Says(t, "the state of shop/staging is in", "what it replaced is kept in "+filepath.Join(w.Store, "shop", "staging", "replaced"))
	kept := fixture.Must(filepath.Glob(filepath.Join(w.Store, "shop", "staging", "replaced", "*")))(t)
	if len(kept) != 1 || string(fixture.Must(os.ReadFile(kept[0]))(t)) != damaged {
		t.Errorf("kept: %v", kept)
	}
	do(0, "ledger", "--json").Says(t, "from a file; what it replaced is kept as shop/staging/replaced/")
	r.Do(0, "plan", "staging").Want(t, "outcome=no-changes")
}

// TestRestoreOfACopyThatDoesNotFit: an older copy and another state are refused, and
// --force restores them with a way back.
func TestRestoreOfACopyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	dir := t.TempDir()
	older, newer, other := filepath.Join(dir, "older"), filepath.Join(dir, "newer"), filepath.Join(dir, "other")
	fixture.Check(t, os.WriteFile(older, []byte(w.State("shop/staging")), 0o600))
	w.Deployed(strings.Replace(fixture.VariablesYML, "name: shop", "name: shop2", 1) + "more: true\n")
	file, right := w.StateFile("shop/staging"), w.State("shop/staging")
	fixture.Check(t, os.WriteFile(newer, []byte(right), 0o600))
	fixture.Check(t, os.WriteFile(other, []byte(`{"version":4,"serial":99,"lineage":"of-another-target","outputs":{},"resources":[]}`), 0o600))
	if string(fixture.Must(os.ReadFile(older))(t)) == right {
		t.Fatal("the second apply has left the same state")
	}
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, append(append([]string{"state", "restore", "--customer", "shop", "--environment", "staging"}, args...), "--apply")...)
	}
	fixture.Check(t, os.Remove(file))
	do(4, "--file", older).Says(t, "file "+older+" is not the state that the last apply of shop/staging left", "older one", "--force")
	do(4, "--file", other).Says(t, "file "+other, "another one", "--force")
	if w.State("shop/staging") != "" {
		t.Fatal("a copy that does not fit was restored")
	}
	do(0, "--file", older, "--force").Says(t, "it does not fit", "older one", "import what was built since")
	w.DriftJob().Do(0, "ledger", "--customer", "shop", "--environment", "staging").Says(t, "forced, does not fit: from a file")

	do(4, "--file", newer).Says(t, "has a state", "--force")
	wrong := w.State("shop/staging")
	do(0, "--file", newer, "--force").Says(t, "what it replaced is kept in", "the way back", "--file "+filepath.Join(w.Store, "shop", "staging", "replaced")+"/", ".json --force --apply")
	kept := fixture.Must(filepath.Glob(filepath.Join(w.Store, "shop", "staging", "replaced", "*")))(t)
	if len(kept) != 1 || string(fixture.Must(os.ReadFile(kept[0]))(t)) != wrong {
		t.Errorf("kept: %v", kept)
	}
	if !strings.Contains(w.State("shop/staging"), "shop2") {
		t.Errorf("the right copy is not back:\n%s", w.State("shop/staging"))
	}
	if strings.Contains(w.DriftJob().Do(0, "state", "list").Log, "LOST") {
		t.Error("the restored state is called lost")
	}
}

// TestRestoreOfACopyWithFewerResources: a copy with the serial of the last apply, and
// without one of its resources, does not fit and is not planned on. A block that moves
// resources is no such edit.
func TestRestoreOfACopyWithFewerResources(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"terraform/main.tf": "variable \"config\" { type = any }\nresource \"terraform_data\" \"one\" { count = 2 }\nresource \"terraform_data\" \"other\" {}\n"})
	w.Deployed(fixture.VariablesYML)
	file, whole := w.StateFile("shop/staging"), w.State("shop/staging")
	edited := filepath.Join(t.TempDir(), "edited")
	fixture.Check(t, os.WriteFile(edited, []byte(strings.Replace(whole, `"mode": "managed"`, `"mode": "data"`, 1)), 0o600))
	encrypted := filepath.Join(t.TempDir(), "encrypted")
	head := regexp.MustCompile(`(?s)"serial": \d+,\s*"lineage": "[^"]+"`).FindString(whole)
	fixture.Check(t, os.WriteFile(encrypted, []byte(`{`+head+`,"meta":{},"encrypted_data":"AAAA","encryption_version":"v0"}`), 0o600))
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, append(args, "--customer", "shop", "--environment", "staging")...)
	}
	fixture.Check(t, os.Remove(file))
	do(0, "state", "restore", "--file", edited).Says(t, "no: the state of shop/staging is another one", "with serial", "and 2 resources", "holds 1 resources under that serial")
	do(4, "state", "restore", "--file", edited, "--apply").Says(t, "is not the state that the last apply of shop/staging left", "--force")
	do(0, "state", "restore", "--file", encrypted).Says(t, "unknown: its resources cannot be counted")

	fixture.Check(t, os.Rename(edited, file))
	do(0, "state", "list").Says(t, "LOST shop/staging: the state of shop/staging is another one")
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# again\n" + fixture.VariablesYML}))
	r.Do(4, "plan", "staging").Want(t, "outcome=refused", "reason=state-lost")
	if found, _, _ := w.Scan(6); !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) {
		t.Errorf("drift found %+v", found)
	}

	fixture.Check(t, os.WriteFile(file, []byte(whole), 0o600))
	split := "variable \"config\" { type = any }\nresource \"terraform_data\" \"two\" {}\nresource \"terraform_data\" \"three\" {}\nresource \"terraform_data\" \"other\" {}\n" +
		"moved {\n  from = terraform_data.one[0]\n  to = terraform_data.two\n}\nmoved {\n  from = terraform_data.one[1]\n  to = terraform_data.three\n}\n"
	w.Commit(w.Manager, "main", map[string]string{"terraform/main.tf": split})
	r = w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# once more\n" + fixture.VariablesYML}))
	r.Do(0, "plan", "staging").Want(t, "outcome=waiting", "create=0", "delete=0")
	if found, _, _ := w.Scan(6); slices.Contains(found.Kinds, pipeline.DriftLost) || found.Failure != nil {
		t.Errorf("drift found %+v", found)
	}
}

// TestRestoreThatFailsLosesNothing: a tool that is missing, or that cannot be used, and a
// copy that it cannot read leave the state in place, byte for byte, also a damaged one.
func TestRestoreThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	dir, file, whole := t.TempDir(), w.StateFile("shop/staging"), w.State("shop/staging")
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		fixture.Check(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	good := write("good", whole)
	for _, c := range []struct{ name, copied, tool, config, says string }{
		{name: "no tool", copied: good, tool: "/nonexistent/terraform", says: "/nonexistent/terraform"},
		{name: "another version", copied: good, config: "tool: {version: \">= 9\"}\n", says: ">= 9"},
		{name: "newer format", copied: write("newer", `{"version":5,"serial":9,"lineage":"of-tomorrow","outputs":{},"resources":[]}`), says: "cannot read the copy"},
		{name: "encrypted", copied: write("encrypted", `{"serial":9,"lineage":"k","meta":{"key_provider.pbkdf2.p":"e30="},"encrypted_data":"BBBB","encryption_version":"v0"}`), says: "cannot read the copy"},
	} {
		for _, old := range []string{whole, whole[:len(whole)/3]} {
			fixture.Check(t, os.WriteFile(file, []byte(old), 0o600))
			j := w.DriftJob()
			manager := filepath.Join(j.Workspace(), "metapipe.yml")
			fixture.Check(t, os.WriteFile(manager, append(fixture.Must(os.ReadFile(manager))(t), c.config...), 0o600))
			if c.tool != "" {
				j = j.With("METAPIPE_TOOL=" + c.tool)
			}
			got := j.Start("state", "restore", "--customer", "shop", "--environment", "staging", "--file", c.copied, "--force", "--apply").Wait()
			if got.Exit == 0 || !strings.Contains(got.Log, c.says) {
				t.Errorf("%s: exit %d:\n%s", c.name, got.Exit, got.Log)
			}
			if w.State("shop/staging") != old {
				t.Fatalf("%s: the state is gone:\n%s", c.name, got.Log)
			}
		}
	}
	if strings.Contains(w.DriftJob().Do(0, "ledger", "--customer", "shop", "--environment", "staging").Log, "restoring") {
		t.Error("the ledger announces what never began")
	}
}
