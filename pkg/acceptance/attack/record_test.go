package attack

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// put lays an object into the store, made of a file of the script in which $NAMES stand
// for values: put KEY FILE.
func (a *attempt) put(args []string) {
	a.T.Helper()
	text, known := a.files[args[1]]
	if !known {
		a.T.Fatalf("the script has no file %s", args[1])
	}
	file := filepath.Join(a.Store, filepath.FromSlash(args[0]))
	fixture.Check(a.T, os.MkdirAll(filepath.Dir(file), 0o700))
	a.overwrite(file, []byte(os.Expand(text, a.value)))
}

// drop removes an object of the store: drop KEY.
func (a *attempt) drop(args []string) {
	fixture.Check(a.T, os.Remove(filepath.Join(a.Store, filepath.FromSlash(args[0]))))
}

// foreignRun starts a run of another workflow of the manager, and one of the victim:
// their ids are $FOREIGN_RUN and $VICTIM_RUN.
func (a *attempt) foreignRun([]string) {
	a.T.Helper()
	const file = ".github/workflows/payroll.yml"
	fixture.Check(a.T, a.Manager.AddWorkflow(hub.Workflow{Path: file, Name: "Payroll"}))
	run := fixture.Must(a.Manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: file, HeadSHA: fixture.Must(a.Manager.Head("main"))(a.T), HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(a.T)
	a.values["FOREIGN_RUN"] = strconv.FormatInt(run.ID, 10)
}

// going wants runs that no one has touched: going RUN...
func (a *attempt) going(args []string) {
	a.T.Helper()
	for _, id := range args {
		for _, repo := range []*hub.Repo{a.Manager, a.victim} {
			for _, run := range repo.Snapshot().Runs {
				if strconv.FormatInt(run.ID, 10) == id && run.Status != "in_progress" {
					a.T.Errorf("run %s is %s %s", id, run.Status, run.Conclusion)
				}
			}
		}
	}
}

// swept sweeps with --fix, days later: the record is found, nothing is written to any
// repository and no run is cancelled, the ledger of the customer knows of it, and the
// next sweep is content: swept TEXT...
func (a *attempt) swept(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	before := a.seenIn(a.Customer)
	first := a.sweeps(1)
	first.Says(a.T, append([]string{"tampered", "find out who can write to the store"}, args...)...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	if after := a.seenIn(a.Customer); after != before {
		a.T.Errorf("the customer's repository has changed:\n%s\n%s", before, after)
	}
	if again := a.sweeps(0); strings.Contains(again.Log, "tampered") {
		a.T.Errorf("it is found again:\n%s", again.Log)
	}
	a.ledgerHas("shop", ledger.Refused, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) sweeps(exit int) fixture.Result {
	a.T.Helper()
	j := a.job(a.managerRun)
	j.Binary = "metapipe-later"
	return j.Do(exit, "sweep", "--fix")
}

// ledgerHas looks for an entry of any run in a ledger.
func (a *attempt) ledgerHas(customer string, event ledger.Event, reason pipeline.Reason) {
	a.T.Helper()
	entries, _, err := ledger.Ledger{Records: record.Records{Store: fixture.Must(store.NewDirectory(a.Store))(a.T)}}.Read(a.T.Context(), pipeline.Target{Customer: pipeline.CustomerName(customer), Environment: ""})
	fixture.Check(a.T, err)
	if !slices.ContainsFunc(entries, func(e ledger.Entry) bool { return e.Event == event && e.Reason == reason }) {
		a.T.Errorf("the ledger of %s has no entry %s %s: %+v", customer, event, reason, entries)
	}
}

// untold reports for a request whose record is not believed: nothing is written, and
// what the forgery says is shown nowhere: untold REQUEST TEXT...
func (a *attempt) untold(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	for _, printed := range []fixture.Result{a.onTargetOf(a.managerRun, 4, "report", "report", "staging", "shop", args[0]), a.finish(a.managerRun, 4, "shop", args[0])} {
		printed.Says(a.T, args[1:]...)
		if strings.Contains(printed.Log+printed.Summary, "evil") {
			a.T.Errorf("the forgery is shown:\n%s\n%s", printed.Log, printed.Summary)
		}
	}
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	if seen := a.seenIn(a.Customer); strings.Contains(seen, "evil") {
		a.T.Errorf("the forgery got out:\n%s", seen)
	}
	a.verdicts++
}

// notGreen wants a commit of the customer without a good status: not-green COMMIT.
func (a *attempt) notGreen(args []string) {
	for statusContext, status := range a.Statuses(args[0]) {
		if strings.HasPrefix(status, "success") {
			a.T.Errorf("%s of %s says %q", statusContext, args[0][:7], status)
		}
	}
}

// scanned scans for drift and writes issues; the forged memory of scans is refused, and
// no issue is touched: scanned TEXT...
func (a *attempt) scanned(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	a.job(a.managerRun).Do(4, "drift", "--customer", "shop", "--issues", "5").Says(a.T, args...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.verdicts++
}

// unexplained reports for a run that accepted no request, and what the store says of
// why is not believed: unexplained TEXT...
func (a *attempt) unexplained(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	printed := a.job(a.managerRun).Do(4, "report")
	printed.Says(a.T, args...)
	if strings.Contains(printed.Log+printed.Summary, "evil") {
		a.T.Errorf("the forgery is shown:\n%s\n%s", printed.Log, printed.Summary)
	}
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.verdicts++
}
