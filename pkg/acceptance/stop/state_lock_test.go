//go:build unix

package stop

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestApplyThatMeetsALock runs into the lock of someone else, and then again
// without it: the reviewed plan is applied, since nothing had been changed.
func TestApplyThatMeetsALock(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}))
	receipt := r.Planned("staging").Outputs["receipt"]
	apply := func(exit int) fixture.Result { return r.Do(exit, "apply", "staging", "--receipt", receipt) }
	state := w.StateFile("shop/staging")
	fixture.Check(t, os.MkdirAll(filepath.Dir(state), 0o700))
	release := lockFile(t, state)
	met := apply(1)
	met.Says(t, "Error acquiring the state lock")
	met.Want(t, "outcome=failed")
	if report := r.Report(); !strings.Contains(report.Summary, "applies the same plan") {
		t.Errorf("the report does not say how to go on:\n%s", report.Summary)
	}
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "pending: ")
	release()
	apply(0).Want(t, "outcome=applied")
	apply(0).Want(t, "outcome=applied")
	r.Report("--final")
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "success: ")
	w.WantNothingPending()
}

// lockFile locks a file as the tool does, for other processes.
func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	f := fixture.Must(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600))(t)
	fixture.Check(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}))
	return func() { fixture.Check(t, f.Close()) }
}
