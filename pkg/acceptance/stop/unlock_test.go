//go:build unix

package stop

import (
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestUnlock kills an apply together with its tool. What is left of the lock goes
// only when GitHub says that the run is over.
func TestUnlock(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"})
	r := w.Accept(run)
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	fixture.AwaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := r.LockID(target)
	unlock := append([]string{"unlock", "--lock-id", id}, target...)
	w.NewJob(r.Run).Do(4, unlock...).Says(t, "is younger than")
	note := filepath.Join(filepath.Dir(w.StateFile("shop/staging")), ".terraform.tfstate.lock.info")
	fixture.AwaitWritten(t, note)
	// The tool lives: its run goes on, and after that its own file lock says so.
	later := func() *fixture.Job {
		j := w.NewJob(r.Run)
		j.Binary = "metapipe-later"
		return j
	}
	later().Do(4, append(unlock, "--no-run")...).Says(t, "holds the lock")
	fixture.Check(t, p.Kill())
	p.Wait()
	fixture.KillTool(t, begun)
	later().Do(4, unlock...)
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	later().Do(0, unlock...).Says(t, "the lock of shop/staging is released")
	later().Do(0, unlock...).Says(t, "is not locked")
	w.NewJob(r.Run).Do(0, append([]string{"state", "show"}, target...)...).Says(t, "free")
}
