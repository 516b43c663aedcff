package main

import (
	"encoding/json"
	"os"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// destroyCommands are the commands about ending an environment.
var destroyCommands = map[string]func(*attempt, []string){
	"destroy": (*attempt).destroy, "undone": (*attempt).undone, "destroy-on": (*attempt).destroyOn, "destroy-again": (*attempt).destroyAgain, "destroy-same": (*attempt).destroySame,
	"vanish": (*attempt).vanish, "undestroyed": (*attempt).undestroyed, "by-hand": (*attempt).handmade,
}

// destroyOf are the flags of a destroy of an environment of shop.
func destroyOf(env string) []string {
	return []string{"--customer", "shop", "--environment", env, "--mode", "destroy", "--confirm", "shop/" + env}
}

// destroy is a true request of robin to destroy an environment of shop: destroy ENV.
// It is the present request then.
func (a *attempt) destroy(args []string) {
	a.t.Helper()
	run := a.byHand()
	fetched := a.job(run).do(0, append([]string{"fetch-vars"}, destroyOf(args[0])...)...)
	fetched.want(a.t, "outcome=requested", "mode=destroy")
	if a.r != nil {
		a.earlier = append(a.earlier, approved{a.r, a.plans, a.receipts})
	}
	a.r = &request{w: a.world, trigger: run, run: run, customer: "shop", id: fetched.outputs["request-id"]}
	a.noteRun(run)
	a.values["EARLIER"], a.values["REQUEST"] = a.values["REQUEST"], a.r.id
	a.plans, a.receipts = map[string]result{}, map[string]string{}
}

// undone calls fetch-vars with flags in a run of the manager that an event has started.
// It is not called rightly, and nothing comes of it: undone EVENT TEXT FLAG...
func (a *attempt) undone(args []string) {
	a.t.Helper()
	check(a.t, os.MkdirAll(a.store, 0o700)) // nothing comes that far here
	before, state := a.seenIn(a.customer), a.state("shop/staging")
	run := a.byHand()
	run.run.Event = args[0]
	fields := map[string]any{}
	check(a.t, json.Unmarshal(run.event, &fields))
	fields["branch"], fields["action"], fields["client_payload"] = "main", pipeline.DispatchEvent, map[string]any{}
	run.event = must(json.Marshal(fields))(a.t)
	a.hub.ResetCalls()
	fetched := a.job(run).do(2, append([]string{"fetch-vars"}, args[2:]...)...)
	fetched.says(a.t, args[1])
	if calls := a.hub.Calls(); len(calls) != 0 {
		a.t.Errorf("GitHub was asked: %v", calls)
	}
	if a.seenIn(a.customer) != before || a.state("shop/staging") != state || fetched.outputs["request-id"] != "" {
		a.t.Errorf("something has come of it: %v", fetched.outputs)
	}
	a.verdicts++
}

// destroyOn is somebody of the manager's who asks for a destroy on a branch of their
// own: destroy-on BRANCH TEXT...
func (a *attempt) destroyOn(args []string) {
	a.t.Helper()
	a.manuallyOn(args[0], args[1:], destroyOf("staging")...)
}

// destroyAgain lets somebody run the present destroy again after the manager has got a
// new commit: destroy-again LOGIN TEXT...
func (a *attempt) destroyAgain(args []string) {
	a.t.Helper()
	a.commit(a.manager, "main", map[string]string{"README.md": "newer"})
	a.destroySame(args)
}

// destroySame runs the run of a destroy again, while the manager is as it was.
func (a *attempt) destroySame(args []string) {
	a.t.Helper()
	run := a.r.run
	check(a.t, a.manager.SetRun(run.run.ID, "completed", "cancelled"))
	check(a.t, a.manager.Grant(args[0], hub.Write))
	must(a.manager.RerunBy(run.run.ID, args[0]))(a.t)
	check(a.t, a.manager.SetRun(run.run.ID, "in_progress", ""))
	run.run = must(a.manager.Run(run.run.ID))(a.t)
	a.wantRejected(run, "unverified-origin", args[1:], destroyOf("staging")...)
}

// vanish hides the customer's repository from the manager's token: GitHub answers as for
// one that was deleted.
func (a *attempt) vanish([]string) { a.sees = []string{a.victim.Slug()} }

// handmade is a request of robin for staging of shop that is rejected: by-hand MODE TEXT...
func (a *attempt) handmade(args []string) {
	a.t.Helper()
	flags := []string{"--customer", "shop", "--environment", "staging", "--mode", args[0]}
	if args[0] == string(pipeline.ModeDestroy) {
		flags = destroyOf("staging")
	}
	a.wantRejected(a.byHand(), "unknown-customer", args[1:], flags...)
}

// undestroyed is a true request of robin to destroy an environment of shop that is rejected:
// undestroyed ENV REASON TEXT... The state stays as it is.
func (a *attempt) undestroyed(args []string) {
	a.t.Helper()
	before := a.state("shop/" + args[0])
	run := a.byHand()
	a.noteRun(run)
	fetched := a.job(run).do(3, append([]string{"fetch-vars"}, destroyOf(args[0])...)...)
	fetched.want(a.t, "outcome=rejected", "reason="+args[1], "environments=[]", "applies=[]")
	fetched.says(a.t, args[2:]...)
	a.job(run).do(0, "report", "--customer", "shop", "--request", fetched.outputs["request-id"], "--final").want(a.t, "outcome=failure")
	if a.state("shop/"+args[0]) != before {
		a.t.Error("the state has changed")
	}
	a.wantNothingPending()
	a.recorded(run, "shop", "", ledger.Rejected, pipeline.Reason(args[1]))
	a.verdicts++
}
