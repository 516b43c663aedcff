package main

import (
	"strings"
)

// withheld reports to a repository that is another one now, or of another account:
// withheld TEXT... Nothing is written anywhere, and the log says why.
func (a *attempt) withheld(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	for _, flags := range [][]string{nil, {"--final"}} {
		a.job(a.r.run).do(0, append([]string{"report", "--customer", "shop", "--request", a.r.id}, flags...)...).says(a.t, args...)
	}
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.verdicts++
}

// undrifted scans a target: undrifted ENV TEXT... The repository is at fault, nothing
// is planned, and no issue is written.
func (a *attempt) undrifted(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	got := scanOf(a.t, a.driftJob().do(6, "drift", "--json", "--issues", "5", "--customer", "shop", "--environment", args[0])).Results[0]
	if got.Plan != nil || got.Failure == nil || got.Failure.Cause != "repository" {
		a.t.Fatalf("drift found %+v", got)
	}
	for _, text := range args[1:] {
		if said := got.Failure.Message + got.Failure.Next; !strings.Contains(said, text) {
			a.t.Errorf("drift says %q, want %q", said, text)
		}
	}
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.verdicts++
}
