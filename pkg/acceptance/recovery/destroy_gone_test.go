package recovery

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func offboard(w *fixture.Setup) {
	w.T.Helper()
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "offboarded: true\n"})
}

// TestDestroyWithoutRepository ends an environment of a customer with a repository that
// was deleted, that belongs to another account, or whose name another one has taken. It
// takes an operator's word in the customer's file, and nothing reaches the repository.
func TestDestroyWithoutRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leave        func(*fixture.Setup)
		refused, why string
	}{
		"deleted":     {func(w *fixture.Setup) { w.Customer.Remove() }, "GitHub does not show repository acme/shop", "does not exist any more"},
		"transferred": {func(w *fixture.Setup) { w.GiveAway() }, "belongs to mallory now", "belongs to another account now"},
		"replaced": {func(w *fixture.Setup) {
			w.Customer.Remove()
			w.Customer = fixture.Must(w.Hub.AddRepo("acme", "shop", hub.RepoOptions{}))(w.T)
			fixture.Check(w.T, w.Customer.Grant("metapipe-bot", hub.Write))
			w.Commit(w.Customer, "main", map[string]string{"README.md": "new"})
		}, "now belongs to another repository", "belongs to another repository now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			w.Deployed(fixture.VariablesYML)
			w.Reviewers("staging", "robin")
			state := w.State("shop/staging")
			w.LimitAccess(fixture.ManagerSlug)
			if c.leave(w); name != "deleted" {
				w.LimitAccess(w.Customer.Slug())
			}
			do := func(run fixture.WorkflowRun, exit int, args ...string) fixture.Result {
				return w.NewJob(run).Do(exit, args...)
			}
			do(w.ByHand(), 3, destroyFlags("shop/staging")...).Says(t, c.refused, "`offboarded: true` in customers/shop.yml")
			if w.State("shop/staging") != state {
				t.Fatal("a refused destroy has changed the state")
			}
			offboard(w)
			for _, mode := range []string{"apply", "plan", "dry-run"} {
				do(w.ByHand(), 3, "fetch-vars", "--customer", "shop", "--mode", mode).Says(t, "is offboarded", "can only be destroyed")
			}
			w.Hub.ResetCalls()
			run := w.ByHand()
			asked := do(run, 0, destroyFlags("shop/staging")...)
			asked.Want(t, "outcome=requested", "mode=destroy", `targets=["staging"]`)
			asked.Says(t, "nothing is reported to acme/shop", c.why)
			r := &fixture.Request{W: w, Trigger: run, Run: run, Customer: "shop", ID: asked.Outputs["request-id"]}
			plan := do(run, 0, r.Args("plan", "staging")...)
			plan.Want(t, "create=0", "delete=2", "outcome=waiting")
			do(run, 4, r.Args("apply", "staging", "--receipt", plan.Outputs["receipt"])...).Says(t, "no approval for environment staging-apply is on record")
			r.Approve("staging", "robin")
			do(run, 0, r.Args("apply", "staging", "--receipt", plan.Outputs["receipt"])...).Want(t, "outcome=applied")
			final := do(run, 0, "report", "--customer", "shop", "--request", r.ID, "--final")
			final.Want(t, "outcome=success")
			if !strings.Contains(final.Summary, c.why) {
				t.Errorf("the summary does not say %q:\n%s", c.why, final.Summary)
			}
			for _, call := range w.Hub.Calls() {
				if call.Method != "GET" && !strings.Contains(call.Path, "/"+w.Manager.Slug()) {
					t.Errorf("written: %s %s", call.Method, call.Path)
				}
			}
			if state := w.State("shop/staging"); strings.Contains(state, "terraform_data") {
				t.Errorf("the state still holds resources:\n%s", state)
			}
			w.DriftJob().Do(0, "state", "list").Says(t, "ENDED")
			w.DriftJob().Do(0, "ledger", "--customer", "shop", "--environment", "staging").Says(t, "to be destroyed; customer shop is offboarded", "unreported", "destroyed")
			w.DriftJob().Do(0, "sweep")
		})
	}
}

// TestDestroyUnseen: a token that lost its access to the repository gets the same answer
// as for one that was deleted. Nothing ends by it.
func TestDestroyUnseen(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.LimitAccess(fixture.ManagerSlug)
	w.NewJob(w.ByHand()).Do(3, destroyFlags("shop/staging")...).Says(t, "it was deleted, or the token may not see it", "give the token access to it", "offboarded: true")
	w.LimitAccess()
	// An offboarded customer with a repository that is still there hears of its end.
	offboard(w)
	w.Reviewers("staging", "robin")
	r := askDestroy(w)
	head := fixture.Must(w.Customer.Head("main"))(t)
	w.WantStatus(head, "infra/terraform-deploy", "pending: Destroy")
	r.Report() // the next step of the same job
	w.WantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for the plan")
	r.Planned("staging")
	r.Approve("staging", "robin")
	r.Do(0, "apply", "staging")
	r.Report("--final").Want(t, "outcome=success")
	w.WantNothingPending()
}

// TestOffboardedAppliesNothing: no step of a manager that knows the customer as offboarded
// plans or applies for it.
func TestOffboardedAppliesNothing(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.OneTarget}))
	p := r.Planned("staging")
	w.Reviewers("staging", "robin")
	offboard(w)
	r.Approve("staging", "robin")
	r.Run.SHA = fixture.Must(w.Manager.Head("main"))(t)
	r.Do(3, "plan", "staging").Says(t, "is offboarded", "can only be destroyed")
	r.Do(3, "apply", "staging", "--receipt", p.Outputs["receipt"]).Says(t, "is offboarded", "can only be destroyed")
	if w.State("shop/staging") != "" {
		t.Error("something was applied")
	}
}
