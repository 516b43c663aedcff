//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketLock kills an apply together with its tool, twice: the lock file that
// is left in the bucket goes by its exact id, once by hand and once by the sweep,
// each under the least policy of its role.
func TestBucketLock(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	target := []string{"--customer", "shop", "--environment", "staging"}
	const key = "shop/staging/terraform.tfstate.tflock"
	killed := func(run string) *request {
		begun := filepath.Join(t.TempDir(), "begun")
		r := b.acceptedFile(w, "name: shop "+run+"\ncommand: 'echo $PPID > "+begun+".new; mv "+begun+".new "+begun+"; sleep 300'\nenvironments:\n  staging: {}\n")
		w.newJob(r.run).with(b.as(store.RolePlan, "shop", "staging")...).do(0, r.args("plan", "staging")...)
		p := w.newJob(r.run).with(b.as(store.RoleApply, "shop", "staging")...).start(r.args("apply", "staging")...)
		awaitFile(t, begun)
		check(t, p.cmd.Process.Kill())
		p.wait()
		killTool(t, begun)
		if len(b.keys(key)) != 1 {
			t.Fatal("the state is not locked")
		}
		return r
	}
	r := killed("one")
	sweeper := func(r *request) *job { return w.sweepJob(r).with(b.as(store.RoleSweep, "*", "*")...) }
	shown := sweeper(r).do(0, append([]string{"state", "show", "--json"}, target...)...)
	id := regexp.MustCompile(`"id": "([^"]+)"`).FindStringSubmatch(shown.log)
	if id == nil {
		t.Fatalf("no lock is shown:\n%s", shown.log)
	}
	unlock := append([]string{"unlock", "--lock-id", id[1]}, target...)
	sweeper(r).do(4, unlock...).says(t, "holds the lock of shop/staging: the run is in_progress")
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	sweeper(r).do(4, append([]string{"unlock", "--lock-id", "00000000-0000-4000-8000-000000000000"}, target...)...).says(t, "is another one")
	sweeper(r).do(0, unlock...).says(t, "is released")
	if left := b.keys(key); len(left) != 0 {
		t.Fatalf("%v is still there", left)
	}
	r = killed("two")
	sweeper(r).do(0, "sweep", "--fix")
	if len(b.keys(key)) != 1 {
		t.Fatal("the lock of a run that goes on was released")
	}
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	sweeper(r).do(0, "sweep", "--fix").says(t, "lock: the apply of request", "; repaired")
	if left := b.keys(key); len(left) != 0 {
		t.Fatalf("%v is still there", left)
	}
	w.wantNothingPending()
}
