package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// put lays an object into the store, made of a file of the script in which $NAMES stand
// for values: put KEY FILE.
func (a *attempt) put(args []string) {
	a.t.Helper()
	text, known := a.files[args[1]]
	if !known {
		a.t.Fatalf("the script has no file %s", args[1])
	}
	file := filepath.Join(a.store, filepath.FromSlash(args[0]))
	check(a.t, os.MkdirAll(filepath.Dir(file), 0o700))
	a.overwrite(file, []byte(os.Expand(text, a.value)))
}

// drop removes an object of the store: drop KEY.
func (a *attempt) drop(args []string) {
	check(a.t, os.Remove(filepath.Join(a.store, filepath.FromSlash(args[0]))))
}

// foreignRun starts a run of another workflow of the manager, and one of the victim:
// their ids are $FOREIGN_RUN and $VICTIM_RUN.
func (a *attempt) foreignRun([]string) {
	a.t.Helper()
	const file = ".github/workflows/payroll.yml"
	check(a.t, a.manager.AddWorkflow(hub.Workflow{Path: file, Name: "Payroll"}))
	run := must(a.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: file, HeadSHA: must(a.manager.Head("main"))(a.t), HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(a.t)
	a.values["FOREIGN_RUN"] = strconv.FormatInt(run.ID, 10)
}

// going wants runs that nobody has touched: going RUN...
func (a *attempt) going(args []string) {
	a.t.Helper()
	for _, id := range args {
		for _, repo := range []*hub.Repo{a.manager, a.victim} {
			for _, run := range repo.Snapshot().Runs {
				if strconv.FormatInt(run.ID, 10) == id && run.Status != "in_progress" {
					a.t.Errorf("run %s is %s %s", id, run.Status, run.Conclusion)
				}
			}
		}
	}
}

// swept sweeps with --fix, days later: the record is found, nothing is written to any
// repository and no run is cancelled, the ledger of the customer knows of it, and the
// next sweep is content: swept TEXT...
func (a *attempt) swept(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	before := a.seenIn(a.customer)
	first := a.sweeps(1)
	first.says(a.t, append([]string{"tampered", "find out who can write to the store"}, args...)...)
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	if after := a.seenIn(a.customer); after != before {
		a.t.Errorf("the customer's repository has changed:\n%s\n%s", before, after)
	}
	if again := a.sweeps(0); strings.Contains(again.log, "tampered") {
		a.t.Errorf("it is found again:\n%s", again.log)
	}
	a.ledgerHas("shop", ledger.Refused, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) sweeps(exit int) result {
	a.t.Helper()
	j := a.job(a.managerRun)
	j.binary = "metapipe-later"
	return j.do(exit, "sweep", "--fix")
}

// ledgerHas looks for an entry of any run in a ledger.
func (a *attempt) ledgerHas(customer string, event ledger.Event, reason pipeline.Reason) {
	a.t.Helper()
	entries, _, err := ledger.Ledger{Store: must(store.NewDirectory(a.store))(a.t)}.Read(a.t.Context(), pipeline.CustomerName(customer), "")
	check(a.t, err)
	if !slices.ContainsFunc(entries, func(e ledger.Entry) bool { return e.Event == event && e.Reason == reason }) {
		a.t.Errorf("the ledger of %s has no entry %s %s: %+v", customer, event, reason, entries)
	}
}

// untold reports for a request whose record is not believed: nothing is written, and
// what the forgery says is shown nowhere: untold REQUEST TEXT...
func (a *attempt) untold(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	for _, flags := range [][]string{nil, {"--final"}} {
		printed := a.job(a.managerRun).do(4, append([]string{"report", "--customer", "shop", "--request", args[0]}, flags...)...)
		printed.says(a.t, args[1:]...)
		if strings.Contains(printed.log+printed.summary, "evil") {
			a.t.Errorf("the forgery is shown:\n%s\n%s", printed.log, printed.summary)
		}
	}
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	if seen := a.seenIn(a.customer); strings.Contains(seen, "evil") {
		a.t.Errorf("the forgery got out:\n%s", seen)
	}
	a.verdicts++
}

// notGreen wants a commit of the customer without a good status: not-green COMMIT.
func (a *attempt) notGreen(args []string) {
	for statusContext, status := range a.statuses(args[0]) {
		if strings.HasPrefix(status, "success") {
			a.t.Errorf("%s of %s says %q", statusContext, args[0][:7], status)
		}
	}
}

// scanned scans for drift and writes issues; the forged memory of scans is refused, and
// no issue is touched: scanned TEXT...
func (a *attempt) scanned(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	a.job(a.managerRun).do(4, "drift", "--customer", "shop", "--issues", "5").says(a.t, args...)
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.verdicts++
}

// unexplained reports for a run that accepted no request, and what the store says of
// why is not believed: unexplained TEXT...
func (a *attempt) unexplained(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	printed := a.job(a.managerRun).do(4, "report")
	printed.says(a.t, args...)
	if strings.Contains(printed.log+printed.summary, "evil") {
		a.t.Errorf("the forgery is shown:\n%s\n%s", printed.log, printed.summary)
	}
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.verdicts++
}
