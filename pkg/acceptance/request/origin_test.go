package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestFetchVarsAgain: the same job again is the same request.
func TestFetchVarsAgain(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	w.NewJob(r.Run).Do(0, "fetch-vars").Want(t, "request-id="+r.ID, "outcome=requested")
	r.Planned("staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
}

// askInVain sends a request that no one accepts.
func askInVain(w *fixture.Setup, run fixture.WorkflowRun) (triggered, fetched fixture.Result) {
	w.T.Helper()
	triggered = w.NewJob(run).Do(5, "trigger", "--pickup-timeout", "1s")
	return triggered, w.NewJob(w.Queued()).Do(3, "fetch-vars")
}

func TestRejectedVariablesAreAnswered(t *testing.T) {
	t.Parallel()
	// The manager's schema cannot be read by the customer's token here, so the
	// manager finds what the customer's run has not.
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "schema: schema.json\n", "customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "environments: [staging]\n",
		"schema.json": `{"type":"object","properties":{"name":{"maxLength":5}}}`})
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"})
	_, fetched := w.Ask(run, 3)
	fetched.Want(t, "outcome=rejected", "reason=invalid-variables")
	fetched.Says(t, "infra/variables.yml:4:3: environment-not-allowed", "::error ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantNothingPending()

	bad := w.Push("main", map[string]string{"infra/variables.yml": "name: too long\nname: twice\nenvironments:\n  staging: {}\n"})
	rejected := w.NewJob(bad).Do(3, "trigger")
	rejected.Says(t, "infra/variables.yml:2:1", "nothing was sent", "::error col=1,file=infra/variables.yml,line=2,title=duplicate-key::")
	w.WantStatus(bad.SHA, "infra/terraform-deploy", "failure: infra/variables.yml:")
	w.WantNoDispatch()
}
