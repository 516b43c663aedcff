package recovery

import (
	"os"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestDestroyRefused: without the typed name of one target, and where it is not known
// what there is, nothing is planned.
func TestDestroyRefused(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	refuse := func(exit int, args []string, texts ...string) {
		t.Helper()
		w.NewJob(w.ByHand()).Do(exit, args...).Says(t, texts...)
	}
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "# first\n" + fixture.VariablesYML})
	refuse(4, destroyFlags("shop/staging"), "no apply of it is on record")
	for _, typed := range []string{"", "shop", "staging", "shop/production", "Shop/staging", " shop/staging", "shop/staging ", "shop/staging\u200b", "*", "shop//staging", "shop/staging\n"} {
		refuse(2, destroyFlags(typed), "the destroy of shop/staging is not confirmed")
	}
	for _, mode := range []string{"Destroy", "DESTROY", "destroy ", "destr\u00f6y", "\u0501estroy", "-destroy"} {
		refuse(2, []string{"fetch-vars", "--customer", "shop", "--environment", "staging", "--mode=" + mode, "--confirm", "shop/staging"}, "want apply, plan, dry-run or destroy")
	}
	refuse(2, []string{"fetch-vars", "--customer", "shop", "--mode", "destroy", "--confirm", "shop/"}, "one environment at a time")
	refuse(2, append(destroyFlags("shop/staging"), "--commit", fixture.Must(w.Customer.Head("main"))(t)), "takes no commit")
	refuse(2, []string{"fetch-vars", "--customer", "shop", "--mode", "apply", "--confirm", "shop/staging"}, "belongs to mode destroy")
	refuse(2, []string{"fetch-vars", "--mode", "destroy", "--confirm", "shop/staging"}, "no customer is named")
	refuse(2, []string{"fetch-vars", "--customer", "gone", "--environment", "staging", "--mode", "destroy", "--confirm", "gone/staging"}, `"gone" does not exist`, "put the customer's file back")
	w.NewJob(w.ByHand()).With("GITHUB_ACTIONS=", "GITHUB_EVENT_NAME=").Do(2, destroyFlags("shop/staging")...).Says(t, "outside of GitHub Actions")

	w.Deployed(fixture.VariablesYML)
	state := w.State("shop/staging")
	fixture.Check(t, os.Remove(w.StateFile("shop/staging")))
	r := askDestroy(w)
	r.Do(4, "plan", "staging").Want(t, "reason=state-lost")
	fixture.Check(t, os.WriteFile(w.StateFile("shop/staging"), []byte(state), 0o600))
	r.Report("--final")
	if w.State("shop/staging") != state {
		t.Error("a refused destroy has changed the state")
	}
	w.Commit(w.Manager, "main", map[string]string{"schema.json": `{"type":"object","properties":{"name":{"maxLength":2}}}`, "metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "schema: schema.json\n"})
	refuse(4, destroyFlags("shop/staging"), "do not pass the manager's rules any more", "relax the rule")
}

// TestDestroySuperseded: a push that comes after the request takes its turn, and one
// that came before waits no longer.
func TestDestroySuperseded(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.Reviewers("staging", "robin")
	before := w.State("shop/staging")
	older := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: older\nenvironments:\n  staging: {}\n"}))
	waiting := older.Do(0, "plan", "staging")
	r := askDestroy(w)
	older.Do(4, "apply", "staging", "--receipt", waiting.Outputs["receipt"]).Want(t, "reason=superseded")
	plan := r.Planned("staging")
	r.Approve("staging", "robin")
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond))) // GitHub's times have whole seconds
	w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# newer\n" + fixture.VariablesYML}))
	r.Do(4, "apply", "staging", "--receipt", plan.Outputs["receipt"]).Want(t, "reason=superseded")
	if w.State("shop/staging") != before {
		t.Error("a superseded destroy has changed the state")
	}
}
