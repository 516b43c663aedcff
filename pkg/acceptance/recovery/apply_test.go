//go:build unix

package recovery

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestRecoverStuckLock plays the page about a stuck lock: an apply is killed together with
// its tool.
func TestRecoverStuckLock(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	begun := filepath.Join(t.TempDir(), "begun")
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	fixture.AwaitFile(t, begun)
	fixture.AwaitWritten(t, filepath.Join(filepath.Dir(w.StateFile("shop/staging")), ".terraform.tfstate.lock.info"))
	fixture.Check(t, p.Kill())
	p.Wait()
	fixture.KillTool(t, begun)
	shown := w.NewJob(r.Run).Do(0, "state", "show", "--customer", "shop", "--environment", "staging")
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).FindString(shown.Log[strings.Index(shown.Log, "lock"):])
	page := fixture.RecoveryPage(t, "A lock is stuck", "NAME", "shop", "ENVIRONMENT", "staging", "LOCK", id)
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		j := w.NewJob(r.Run)
		j.Binary = "metapipe-later" // minutes have passed
		return j.Do(exit, args...)
	}
	page.Next(0).Says(t, "shop/staging", " since ", "(apply, lock "+id)
	page.Next(0).Says(t, id, "held by", "the apply of request "+r.ID[:8]+" (run ", "metapipe unlock --customer shop --environment staging --lock-id "+id)
	unlock := page.Commands[0]
	page.Run(4, fixture.Words(unlock)[1:]...).Says(t, "run")
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	page.Next(0).Says(t, "the lock of shop/staging is released")
	page.Next(0).Says(t, "unlocked")
	page.Run(0, "state", "show", "--customer", "shop", "--environment", "staging").Says(t, "free")
	page.Done()
}

// TestRecoverHalfApply plays the page about an apply that could not write its state.
func TestRecoverHalfApply(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, fixture.Impatient)
	r := b.Accepted(w)
	step := func(exit int, role store.Role, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.As(role, "shop", "staging")...).Do(exit, args...)
	}
	step(0, store.RolePlan, r.Args("plan", "staging")...)
	step(1, store.RolePlan, r.Args("apply", "staging")...).Says(t, "2 changes were made", "metapipe state recover")
	step(0, store.RoleReport, "report", "--customer", r.Customer, "--request", r.ID, "--final")
	page := fixture.RecoveryPage(t, "An apply ended half-way", "NAME", "shop", "ENVIRONMENT", "staging", "REQUEST", r.ID[:8])
	plays(w, r.Run, page, b.Root()...)
	page.Next(0).Says(t, "== apply 1 of request", "terraform_data.first: Creation complete")
	page.Next(0).Says(t, r.ID[:8], "kept")
	page.Next(0).Says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	clean := page.Commands[0]
	page.Next(0).Says(t, "shop/staging: clean")
	page.Done()
	r = b.AcceptedFile(w, "# again\n"+fixture.VariablesYML)
	step(0, store.RolePlan, r.Args("plan", "staging")...).Want(t, "outcome=no-changes")
	page.Run(0, fixture.Words(clean)[1:]...).Says(t, "shop/staging: clean")
}

// TestRecoverHalfApplyByHand follows the same page where the state was written, and a
// part of the plan was not.
func TestRecoverHalfApplyByHand(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'false'\nenvironments:\n  staging: {}\n"}))
	r.Planned("staging")
	r.Do(1, "apply", "staging").Want(t, "outcome=failed")
	r.Report("--final")
	page := fixture.RecoveryPage(t, "An apply ended half-way", "NAME", "shop", "ENVIRONMENT", "staging", "REQUEST", r.ID[:8])
	plays(w, r.Run, page)
	page.Next(0).Says(t, "== apply 1 of request", "terraform_data.first: Creation complete")
	if shown := page.Next(0); strings.Contains(shown.Log, r.ID[:8]) {
		t.Errorf("a state is kept:\n%s", shown.Log)
	}
	page.Next(2).Says(t, "has no kept state")
	fails := page.Commands[0]
	page.Next(6).Says(t, "shop/staging: ", "terraform_data.second")
	page.Done()
	w.Deployed(fixture.VariablesYML)
	page.Run(0, fixture.Words(fails)[1:]...).Says(t, "shop/staging: clean")
}
