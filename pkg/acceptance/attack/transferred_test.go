package attack

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// withheld reports to a repository that is another one now, or of another account:
// withheld TEXT... Nothing is written anywhere, and the log says why.
func (a *attempt) withheld(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	a.report(0, "staging").Says(a.T, args...)
	a.final().Says(a.T, args...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.verdicts++
}

// undrifted scans a target: undrifted ENV TEXT... The repository is at fault, nothing
// is planned, and no issue is written.
func (a *attempt) undrifted(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	got := fixture.ScanOf(a.T, a.DriftJob().Do(6, "drift", "--json", "--issues", "5", "--customer", "shop", "--environment", args[0])).Results[0]
	if got.Plan != nil || got.Failure == nil || got.Failure.Cause != "repository" {
		a.T.Fatalf("drift found %+v", got)
	}
	for _, text := range args[1:] {
		if said := got.Failure.Message + got.Failure.Next; !strings.Contains(said, text) {
			a.T.Errorf("drift says %q, want %q", said, text)
		}
	}
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.verdicts++
}
