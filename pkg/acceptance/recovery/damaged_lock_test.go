package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestDamagedLockOfOneTarget damages the lock of one target: the other ones are listed, and
// what needs to know the holder refuses.
func TestDamagedLockOfOneTarget(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/crm.yml": "repository: acme/crm\nrepository_id: 4712\n"})
	w.Deployed(fixture.VariablesYML)
	note := filepath.Join(w.Store, "shop", "staging", ".terraform.tfstate.lock.info")
	target := []string{"--customer", "shop", "--environment", "staging"}
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, append(args, target...)...)
	}
	const whole = `{"ID":"5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36","Operation":"OperationTypeApply","Who":"runner@host","Created":"2026-01-01T00:00:00Z"}`
	for why, content := range map[string]string{"it is empty": "", "it ends in the middle": whole[:len(whole)/2], "it is no JSON": "<html>504 hunter2</html>", "it has not the form of one": "[]", "it has no ID": "null"} {
		fixture.Check(t, os.WriteFile(note, []byte(content), 0o600))
		list := w.DriftJob().Do(0, "state", "list")
		list.Says(t, "crm/production", "shop/production", "shop/staging", "LOCK shop/staging: the record of the lock is damaged ("+why, "remove "+note)
		if strings.Contains(list.Log, "hunter2") {
			t.Errorf("the record is quoted:\n%s", list.Log)
		}
		w.DriftJob().Do(0, "state", "list", "--json").Says(t, `"lock_damaged"`, why)
		do(0, "state", "show").Says(t, "damaged ("+why, "remove "+note)
		do(4, "unlock", "--lock-id", "5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36", "--no-run").Says(t, "not known who holds the lock", "remove "+note)
		do(4, "state", "accept", "--reason", "x").Says(t, "not known who holds the lock")
		do(4, "state", "restore", "--file", w.StateFile("shop/staging"), "--force", "--apply").Says(t, "not known who holds the lock")
		if content != "" && string(fixture.Must(os.ReadFile(note))(t)) != content {
			t.Fatal("the record was changed")
		}
	}
	fixture.Check(t, os.WriteFile(note, []byte(whole), 0o600))
	do(0, "state", "list").Says(t, "runner@host since 2026-01-01")
}

// TestOneTargetHidesNoOther damages the ledger of one target, and what else its line is
// made of.
func TestOneTargetHidesNoOther(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/crm.yml": "repository: acme/crm\nrepository_id: 4712\n"})
	w.Deployed(fixture.VariablesYML)
	entries := fixture.Must(filepath.Glob(filepath.Join(w.Store, "shop", "staging", "ledger", "*")))(t)
	if len(entries) == 0 {
		t.Fatal("no ledger")
	}
	for _, file := range entries {
		fixture.Check(t, os.WriteFile(file, []byte("{"), 0o600))
	}
	list := w.DriftJob().Do(1, "state", "list")
	list.Says(t, "crm/staging", "crm/production", "shop/production", "UNREAD shop/staging: ", "ledger", "1 of 4 states could not be read")
	w.DriftJob().Do(1, "state", "list", "--json").Says(t, `"unread"`, `"crm"`)
	w.DriftJob().Do(6, "ledger", "--customer", "shop").Says(t, "shop/production", "shop/staging")
	w.DriftJob().Do(0, "drift", "list")
	w.DriftJob().Do(0, "sweep")

	// A customer without a file, too.
	fixture.Check(t, os.Rename(filepath.Join(w.Store, "shop"), filepath.Join(w.Store, "store")))
	w.DriftJob().Do(1, "state", "list").Says(t, "crm/staging", "shop/staging", "UNREAD store/staging: ")
}
