package main

import (
	"os"
	"testing"
	"time"
)

// TestDestroyRefused: without the typed name of one target, and where it is not known
// what there is, nothing is planned.
func TestDestroyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	refuse := func(exit int, args []string, texts ...string) {
		t.Helper()
		w.newJob(w.byHand()).do(exit, args...).says(t, texts...)
	}
	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "# first\n" + variablesYML})
	refuse(4, destroyFlags("shop/staging"), "no apply of it is on record")
	for _, typed := range []string{"", "shop", "staging", "shop/production", "Shop/staging", " shop/staging", "shop/staging ", "shop/staging\u200b", "*", "shop//staging", "shop/staging\n"} {
		refuse(2, destroyFlags(typed), "the destroy of shop/staging is not confirmed")
	}
	for _, mode := range []string{"Destroy", "DESTROY", "destroy ", "destr\u00f6y", "\u0501estroy", "-destroy"} {
		refuse(2, []string{"fetch-vars", "--customer", "shop", "--environment", "staging", "--mode=" + mode, "--confirm", "shop/staging"}, "want apply, plan, dry-run or destroy")
	}
	refuse(2, []string{"fetch-vars", "--customer", "shop", "--mode", "destroy", "--confirm", "shop/"}, "one environment at a time")
	refuse(2, append(destroyFlags("shop/staging"), "--commit", must(w.customer.Head("main"))(t)), "takes no commit")
	refuse(2, []string{"fetch-vars", "--customer", "shop", "--mode", "apply", "--confirm", "shop/staging"}, "belongs to mode destroy")
	refuse(2, []string{"fetch-vars", "--mode", "destroy", "--confirm", "shop/staging"}, "no customer is named")
	refuse(2, []string{"fetch-vars", "--customer", "gone", "--environment", "staging", "--mode", "destroy", "--confirm", "gone/staging"}, `"gone" does not exist`, "put the customer's file back")
	w.newJob(w.byHand()).with("GITHUB_ACTIONS=", "GITHUB_EVENT_NAME=").do(2, destroyFlags("shop/staging")...).says(t, "outside of GitHub Actions")

	w.deployed(variablesYML)
	state := w.state("shop/staging")
	check(t, os.Remove(w.stateFile("shop/staging")))
	r := w.askDestroy()
	r.do(4, "plan", "staging").want(t, "reason=state-lost")
	check(t, os.WriteFile(w.stateFile("shop/staging"), []byte(state), 0o600))
	r.report("--final")
	if w.state("shop/staging") != state {
		t.Error("a refused destroy has changed the state")
	}
	w.commit(w.manager, "main", map[string]string{"schema.json": `{"type":"object","properties":{"name":{"maxLength":2}}}`, "metapipe.yml": managerFiles["metapipe.yml"] + "schema: schema.json\n"})
	refuse(4, destroyFlags("shop/staging"), "do not pass the manager's rules any more", "relax the rule")
}

// TestDestroySuperseded: a push that comes after the request takes its turn, and one
// that came before waits no longer.
func TestDestroySuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.reviewers("staging", "robin")
	before := w.state("shop/staging")
	older := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: older\nenvironments:\n  staging: {}\n"}))
	waiting := older.do(0, "plan", "staging")
	r := w.askDestroy()
	older.do(4, "apply", "staging", "--receipt", waiting.outputs["receipt"]).want(t, "reason=superseded")
	plan := r.planned("staging")
	r.approve("staging", "robin")
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // GitHub's times have whole seconds
	w.accept(w.push("main", map[string]string{"infra/variables.yml": "# newer\n" + variablesYML}))
	r.do(4, "apply", "staging", "--receipt", plan.outputs["receipt"]).want(t, "reason=superseded")
	if w.state("shop/staging") != before {
		t.Error("a superseded destroy has changed the state")
	}
}
