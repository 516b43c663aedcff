package attack

import (
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// unplanned tries to plan, and the plan ends with an exit code and texts: unplanned
// EXIT ENV TEXT... Nothing is applied, and the customer gets a final status.
func (a *attempt) unplanned(args []string) {
	a.T.Helper()
	env := args[1]
	before := a.State("shop/" + env)
	planned := a.planTarget(fixture.Must(strconv.Atoi(args[0]))(a.T), env)
	planned.Says(a.T, args[2:]...)
	planned.Want(a.T, "receipt=")
	a.final()
	a.WantNothingPending()
	if printed := a.Statuses(a.r.Trigger.Run.HeadSHA)["infra/terraform-deploy/"+env]; !strings.HasPrefix(printed, "failure") && !strings.HasPrefix(printed, "error") {
		a.T.Errorf("the customer is told %q", printed)
	}
	if a.State("shop/"+env) != before {
		a.T.Error("a plan has changed the state")
	}
	a.verdicts++
}
