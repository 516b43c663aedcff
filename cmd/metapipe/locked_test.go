//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestApplyThatMeetsALock runs into the lock of somebody else, and then again
// without it: the reviewed plan is applied, since nothing had been changed.
func TestApplyThatMeetsALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}))
	receipt := r.planned("staging").outputs["receipt"]
	apply := func(exit int) result { return r.do(exit, "apply", "staging", "--receipt", receipt) }
	state := w.stateFile("shop/staging")
	check(t, os.MkdirAll(filepath.Dir(state), 0o700))
	release := lockFile(t, state)
	met := apply(1)
	met.says(t, "Error acquiring the state lock")
	met.want(t, "outcome=failed")
	if report := r.report(); !strings.Contains(report.summary, "applies the same plan") {
		t.Errorf("the report does not say how to go on:\n%s", report.summary)
	}
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "pending: ")
	release()
	apply(0).want(t, "outcome=applied")
	apply(0).want(t, "outcome=applied")
	r.report("--final")
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "success: ")
	w.wantNothingPending()
}

// lockFile locks a file as the tool does, for other processes.
func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	f := must(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600))(t)
	check(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}))
	return func() { check(t, f.Close()) }
}
