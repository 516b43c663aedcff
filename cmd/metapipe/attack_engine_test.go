package main

import (
	"strconv"
	"strings"
)

// unplanned tries to plan, and the plan ends with an exit code and texts: unplanned
// EXIT ENV TEXT... Nothing is applied, and the customer gets a final status.
func (a *attempt) unplanned(args []string) {
	a.t.Helper()
	env := args[1]
	before := a.state("shop/" + env)
	planned := a.target().do(must(strconv.Atoi(args[0]))(a.t), a.r.args("plan", env)...)
	planned.says(a.t, args[2:]...)
	planned.want(a.t, "receipt=")
	a.r.report("--final")
	a.wantNothingPending()
	if printed := a.statuses(a.r.trigger.run.HeadSHA)["infra/terraform-deploy/"+env]; !strings.HasPrefix(printed, "failure") && !strings.HasPrefix(printed, "error") {
		a.t.Errorf("the customer is told %q", printed)
	}
	if a.state("shop/"+env) != before {
		a.t.Error("a plan has changed the state")
	}
	a.verdicts++
}
