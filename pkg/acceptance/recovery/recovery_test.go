package recovery

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
)

// plays runs the commands of a page in jobs of the manager.
func plays(w *fixture.Setup, r fixture.WorkflowRun, page *fixture.Page, pairs ...string) {
	page.Run = func(exit int, args ...string) fixture.Result {
		page.T.Helper()
		return w.NewJob(r).With(pairs...).Do(exit, args...)
	}
}

// TestRecoverLostState plays the page about a lost state, with a bucket.
func TestRecoverLostState(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, fixture.Impatient)
	r := b.Accepted(w)
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...)
	b.Do(r, 0, store.RoleApply, r.Args("apply", "staging")...)
	b.Do(r, 0, store.RoleReport, "report", "--customer", r.Customer, "--request", r.ID, "--final")
	page := fixture.RecoveryPage(t, "A state is lost", "NAME", "shop", "ENVIRONMENT", "staging")
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.Root()...).Do(exit, args...)
	}
	restore := []string{"state", "restore", "--customer", "shop", "--environment", "staging"}
	page.Run(4, restore...).Says(t, "VERSION", "has a state")
	lose := func() {
		key := "shop/staging/terraform.tfstate"
		fixture.Must(b.Server.Client(b.Server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(t)
	}
	lose()
	r = b.AcceptedFile(w, "# again\n"+fixture.VariablesYML)
	b.Do(r, 4, store.RolePlan, r.Args("plan", "staging")...).Want(t, "reason=state-lost")
	page.Next(0).Says(t, "LOST")
	page.Next(0).Says(t, "VERSION", "yes")
	page.Run(2, append(restore, "--version", "no-such-version", "--apply")...).Says(t, "has no version")
	page.Next(0).Says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	page.Run(0, "ledger", "--customer", "shop", "--environment", "staging").Says(t, "restored")
	if strings.Contains(page.Run(0, "state", "list").Log, "LOST") {
		t.Error("a restored state is still called lost")
	}
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...).Want(t, "outcome=no-changes")
	lose()
	page.Next(0).Says(t, "accepted for shop/staging: no state")
	r = b.AcceptedFile(w, "# anew\n"+fixture.VariablesYML)
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...).Want(t, "outcome=waiting", "create=2")
	page.Done()
}
