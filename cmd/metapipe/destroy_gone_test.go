package main

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func (w *world) offboard() {
	w.t.Helper()
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"] + "offboarded: true\n"})
}

// TestDestroyWithoutRepository ends an environment of a customer with a repository that
// was deleted, that belongs to another account, or whose name another one has taken. It
// takes an operator's word in the customer's file, and nothing reaches the repository.
func TestDestroyWithoutRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leave        func(*world)
		refused, why string
	}{
		"deleted":     {func(w *world) { w.customer.Remove() }, "GitHub does not show repository acme/shop", "does not exist any more"},
		"transferred": {func(w *world) { w.giveAway() }, "belongs to mallory now", "belongs to another account now"},
		"replaced": {func(w *world) {
			w.customer.Remove()
			w.customer = must(w.hub.AddRepo("acme", "shop", hub.RepoOptions{}))(w.t)
			check(w.t, w.customer.Grant("metapipe-bot", hub.Write))
			w.commit(w.customer, "main", map[string]string{"README.md": "new"})
		}, "now belongs to another repository", "belongs to another repository now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.deployed(variablesYML)
			w.reviewers("staging", "robin")
			state := w.state("shop/staging")
			w.sees = []string{managerSlug}
			if c.leave(w); name != "deleted" {
				w.sees = []string{w.customer.Slug()}
			}
			do := func(run workflowRun, exit int, args ...string) result {
				return w.newJob(run).do(exit, args...)
			}
			do(w.byHand(), 3, destroyFlags("shop/staging")...).says(t, c.refused, "`offboarded: true` in customers/shop.yml")
			if w.state("shop/staging") != state {
				t.Fatal("a refused destroy has changed the state")
			}
			w.offboard()
			for _, mode := range []string{"apply", "plan", "dry-run"} {
				do(w.byHand(), 3, "fetch-vars", "--customer", "shop", "--mode", mode).says(t, "is offboarded", "can only be destroyed")
			}
			w.hub.ResetCalls()
			run := w.byHand()
			asked := do(run, 0, destroyFlags("shop/staging")...)
			asked.want(t, "outcome=requested", "mode=destroy", `environments=["staging"]`)
			asked.says(t, "nothing is reported to acme/shop", c.why)
			r := &request{w: w, trigger: run, run: run, customer: "shop", id: asked.outputs["request-id"]}
			plan := do(run, 0, r.args("plan", "staging")...)
			plan.want(t, "create=0", "delete=2", "outcome=waiting")
			do(run, 4, r.args("apply", "staging", "--receipt", plan.outputs["receipt"])...).says(t, "no approval for environment staging-apply is on record")
			r.approve("staging", "robin")
			do(run, 0, r.args("apply", "staging", "--receipt", plan.outputs["receipt"])...).want(t, "outcome=applied")
			final := do(run, 0, "report", "--customer", "shop", "--request", r.id, "--final")
			final.want(t, "outcome=success")
			if !strings.Contains(final.summary, c.why) {
				t.Errorf("the summary does not say %q:\n%s", c.why, final.summary)
			}
			for _, call := range w.hub.Calls() {
				if call.Method != "GET" && !strings.Contains(call.Path, "/"+w.manager.Slug()) {
					t.Errorf("written: %s %s", call.Method, call.Path)
				}
			}
			if state := w.state("shop/staging"); strings.Contains(state, "terraform_data") {
				t.Errorf("the state still holds resources:\n%s", state)
			}
			w.driftJob().do(0, "state", "list").says(t, "ENDED")
			w.driftJob().do(0, "ledger", "--customer", "shop", "--environment", "staging").says(t, "to be destroyed; customer shop is offboarded", "unreported", "destroyed")
			w.driftJob().do(0, "sweep")
		})
	}
}

// TestDestroyUnseen: a token that lost its access to the repository gets the same answer
// as for one that was deleted. Nothing ends by it.
func TestDestroyUnseen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.sees = []string{managerSlug}
	w.newJob(w.byHand()).do(3, destroyFlags("shop/staging")...).says(t, "it was deleted, or the token may not see it", "give the token access to it", "offboarded: true")
	w.sees = nil
	// An offboarded customer with a repository that is still there hears of its end.
	w.offboard()
	w.reviewers("staging", "robin")
	r := w.askDestroy()
	head := must(w.customer.Head("main"))(t)
	w.wantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for the plan")
	r.planned("staging")
	r.approve("staging", "robin")
	r.do(0, "apply", "staging")
	r.report("--final").want(t, "outcome=success")
	w.wantNothingPending()
}

// TestOffboardedAppliesNothing: no step of a manager that knows the customer as offboarded
// plans or applies for it.
func TestOffboardedAppliesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": oneTarget}))
	p := r.planned("staging")
	w.reviewers("staging", "robin")
	w.offboard()
	r.approve("staging", "robin")
	r.run.sha = must(w.manager.Head("main"))(t)
	r.do(3, "plan", "staging").says(t, "is offboarded", "can only be destroyed")
	r.do(3, "apply", "staging", "--receipt", p.outputs["receipt"]).says(t, "is offboarded", "can only be destroyed")
	if w.state("shop/staging") != "" {
		t.Error("something was applied")
	}
}
