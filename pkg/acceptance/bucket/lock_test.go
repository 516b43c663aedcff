//go:build unix

package bucket

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestBucketLock kills an apply together with its tool, twice: the lock file that
// is left in the bucket goes by its exact id, once by hand and once by the sweep,
// each under the least policy of its role.
func TestBucketLock(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	target := []string{"--customer", "shop", "--environment", "staging"}
	const key = "shop/staging/terraform.tfstate.tflock"
	killed := func(run string) *fixture.Request {
		begun := filepath.Join(t.TempDir(), "begun")
		r := b.AcceptedFile(w, "name: shop "+run+"\ncommand: 'echo $PPID > "+begun+".new; mv "+begun+".new "+begun+"; sleep 300'\nenvironments:\n  staging: {}\n")
		w.NewJob(r.Run).With(b.As(store.RolePlan, "shop", "staging")...).Do(0, r.Args("plan", "staging")...)
		p := w.NewJob(r.Run).With(b.As(store.RoleApply, "shop", "staging")...).Start(r.Args("apply", "staging")...)
		fixture.AwaitFile(t, begun)
		fixture.Check(t, p.Kill())
		p.Wait()
		fixture.KillTool(t, begun)
		if len(b.Keys(key)) != 1 {
			t.Fatal("the state is not locked")
		}
		return r
	}
	r := killed("one")
	sweeper := func(r *fixture.Request) *fixture.Job { return w.SweepJob(r).With(b.As(store.RoleSweep, "*", "*")...) }
	shown := sweeper(r).Do(0, append([]string{"state", "show", "--json"}, target...)...)
	id := regexp.MustCompile(`"id": "([^"]+)"`).FindStringSubmatch(shown.Log)
	if id == nil {
		t.Fatalf("no lock is shown:\n%s", shown.Log)
	}
	unlock := append([]string{"unlock", "--lock-id", id[1]}, target...)
	sweeper(r).Do(4, unlock...).Says(t, "holds the lock of shop/staging: the run is in_progress")
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	sweeper(r).Do(4, append([]string{"unlock", "--lock-id", "00000000-0000-4000-8000-000000000000"}, target...)...).Says(t, "is another one")
	sweeper(r).Do(0, unlock...).Says(t, "is released")
	if left := b.Keys(key); len(left) != 0 {
		t.Fatalf("%v is still there", left)
	}
	// A lock that is taken within two seconds of the end of a run may still be the one of that run.
	time.Sleep(3 * time.Second)
	r = killed("two")
	sweeper(r).Do(0, "sweep", "--fix")
	if len(b.Keys(key)) != 1 {
		t.Fatal("the lock of a run that goes on was released")
	}
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	sweeper(r).Do(0, "sweep", "--fix").Says(t, "lock: the apply of request", "; repaired")
	if left := b.Keys(key); len(left) != 0 {
		t.Fatalf("%v is still there", left)
	}
	w.WantNothingPending()
}
