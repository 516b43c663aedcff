package attack

import (
	"encoding/json"
	"os"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// destroyCommands are the commands about ending an environment.
var destroyCommands = map[string]func(*attempt, []string){
	"destroy": (*attempt).destroy, "undone": (*attempt).undone, "destroy-again": (*attempt).destroyAgain, "destroy-same": (*attempt).destroySame,
	"vanish": (*attempt).vanish, "undestroyed": (*attempt).undestroyed, "by-hand": (*attempt).handmade,
}

// destroy is a true request of robin to destroy an environment of shop: destroy ENV.
// It is the present request then.
func (a *attempt) destroy(args []string) {
	a.T.Helper()
	run := a.ByHand(fixture.DestroyOf(args[0])...)
	fetched, _ := a.prepare(run, 0)
	fetched.Want(a.T, "outcome=requested", "mode=destroy")
	if a.r != nil {
		a.earlier = append(a.earlier, approved{a.r, a.plans, a.receipts})
	}
	a.r = &fixture.Request{W: a.Setup, Trigger: run, Run: run, Customer: "shop", ID: fetched.Outputs["request-id"]}
	a.noteRun(run)
	a.values["EARLIER"], a.values["REQUEST"] = a.values["REQUEST"], a.r.ID
	a.plans, a.receipts = map[string]fixture.Result{}, map[string]string{}
}

// undone calls fetch-vars with flags in a run of the manager that an event has started.
// It is not called rightly, and nothing comes of it: undone EVENT TEXT FLAG...
func (a *attempt) undone(args []string) {
	a.T.Helper()
	fixture.Check(a.T, os.MkdirAll(a.Store, 0o700)) // nothing comes that far here
	before, state := a.seenIn(a.Customer), a.State("shop/staging")
	run := a.ByHand()
	run.Run.Event = args[0]
	fields := map[string]any{}
	fixture.Check(a.T, json.Unmarshal(run.Event, &fields))
	fields["branch"], fields["action"], fields["client_payload"] = "main", pipeline.DispatchEvent, map[string]any{}
	run.Event = fixture.Must(json.Marshal(fields))(a.T)
	a.Hub.ResetCalls()
	fetched := a.job(run).Do(2, append([]string{"fetch-vars"}, args[2:]...)...)
	fetched.Says(a.T, args[1])
	if calls := a.Hub.Calls(); len(calls) != 0 {
		a.T.Errorf("GitHub was asked: %v", calls)
	}
	if a.seenIn(a.Customer) != before || a.State("shop/staging") != state || fetched.Outputs["request-id"] != "" {
		a.T.Errorf("something has come of it: %v", fetched.Outputs)
	}
	a.verdicts++
}

// destroyAgain lets someone run the present destroy again after the manager has got a
// new commit: destroy-again LOGIN TEXT...
func (a *attempt) destroyAgain(args []string) {
	a.T.Helper()
	a.Commit(a.Manager, "main", map[string]string{"README.md": "newer"})
	a.destroySame(args)
}

// destroySame runs the run of a destroy again, while the manager is as it was.
func (a *attempt) destroySame(args []string) {
	a.T.Helper()
	run := a.r.Run
	fixture.Check(a.T, a.Manager.SetRun(run.Run.ID, "completed", "cancelled"))
	fixture.Check(a.T, a.Manager.Grant(args[0], hub.Write))
	fixture.Must(a.Manager.RerunBy(run.Run.ID, args[0]))(a.T)
	fixture.Check(a.T, a.Manager.SetRun(run.Run.ID, "in_progress", ""))
	run.Run = fixture.Must(a.Manager.Run(run.Run.ID))(a.T)
	a.wantRejected(run, "unverified-origin", args[1:])
}

// vanish hides the customer's repository from the manager's token: GitHub answers as for
// one that was deleted.
func (a *attempt) vanish([]string) { a.LimitAccess(a.victim.Slug()) }

// handmade is a request of robin for staging of shop that is rejected: by-hand MODE TEXT...
func (a *attempt) handmade(args []string) {
	a.T.Helper()
	flags := []string{"--customer", "shop", "--environment", "staging", "--mode", args[0]}
	if args[0] == string(pipeline.ModeDestroy) {
		flags = fixture.DestroyOf("staging")
	}
	a.wantRejected(a.ByHand(flags...), "unknown-customer", args[1:])
}

// undestroyed is a true request of robin to destroy an environment of shop that is rejected:
// undestroyed ENV REASON TEXT... The state stays as it is.
func (a *attempt) undestroyed(args []string) {
	a.T.Helper()
	before := a.State("shop/" + args[0])
	run := a.ByHand(fixture.DestroyOf(args[0])...)
	a.noteRun(run)
	fetched, _ := a.prepare(run, 3)
	fetched.Want(a.T, "outcome=rejected", "reason="+args[1], "targets=[]", "applies=[]")
	fetched.Says(a.T, args[2:]...)
	a.finish(run, 0, "shop", fetched.Outputs["request-id"]).Want(a.T, "outcome=failure")
	if a.State("shop/"+args[0]) != before {
		a.T.Error("the state has changed")
	}
	a.WantNothingPending()
	a.recorded(run, "shop", "", ledger.Rejected, pipeline.Reason(args[1]))
	a.verdicts++
}
