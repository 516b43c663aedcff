package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// renameCustomer renames a file of customers/, or gives it a path: rename-customer OLD NEW
// [PATH].
func (a *attempt) renameCustomer(args []string) {
	a.world.renameCustomer(args[0], args[1])
	if len(args) > 2 {
		name := "customers/" + args[1] + ".yml"
		a.commit(a.manager, "main", map[string]string{name: managerFiles["customers/shop.yml"] + "path: " + args[2] + "\n"})
	}
}

// renameVictim moves the victim to another name, after a request that registers it:
// rename-victim NEW.
func (a *attempt) renameVictim(args []string) {
	a.t.Helper()
	run := a.byHand()
	fetched := a.job(run).do(0, "fetch-vars", "--customer", "crm", "--environment", "staging", "--mode", "plan")
	a.job(run).do(0, "report", "--customer", "crm", "--request", fetched.outputs["request-id"], "--final")
	a.before = a.seenIn(a.victim)
	content := []byte(attackerFiles["customers/crm.yml"])
	must(a.manager.Commit("main", hub.Change{Remove: []string{"customers/crm.yml"}, Files: map[string]hub.File{"customers/" + args[0] + ".yml": {Content: content}}, Message: "Rename crm"}))(a.t)
	a.renamed([]string{"crm", args[0]})
}

// takeOver registers the present repository of the customer under a name, as a provider does
// who sees only that the id is not the one of its file any more: take-over NAME.
func (a *attempt) takeOver(args []string) {
	a.t.Helper()
	content := fmt.Sprintf("repository: %s\nrepository_id: %d\n", a.customer.Slug(), a.customer.ID())
	a.commit(a.manager, "main", map[string]string{"customers/" + args[0] + ".yml": content})
}

// unregistered lets fetch-vars refuse a request since it cannot be known which customer
// it is: unregistered TEXT... Nothing is written for any customer, nor to a repository.
func (a *attempt) unregistered(args []string) {
	a.t.Helper()
	run := a.dispatches()
	a.noteRun(run)
	before := a.storedRecords()
	a.hub.ResetCalls()
	fetched := a.job(run).do(4, "fetch-vars")
	fetched.says(a.t, append(args, "is not what was stored", "find out who can write to the store")...)
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	if after := a.storedRecords(); after != before {
		a.t.Errorf("the store has\n%s\nand had\n%s", after, before)
	}
	a.verdicts++
}

// storedRecords lists the requests and plans of the customer, under both names.
func (a *attempt) storedRecords() string {
	var all []string
	for _, of := range []string{"requests", "*/plans", "*/queue"} {
		for _, name := range []string{"shop", "store"} {
			all = append(all, must(filepath.Glob(filepath.Join(a.store, name, of, "*")))(a.t)...)
		}
	}
	return strings.Join(all, "\n")
}

// renamed moves the customer to the name of its file: renamed OLD NEW.
func (a *attempt) renamed(args []string) {
	a.t.Helper()
	a.driftJob().do(0, "customer", "rename", args[0], args[1], "--apply").says(a.t, "customer "+args[0]+" is "+args[1]+" now")
}

// notRenamed looks at the states and moves the customer; what somebody else wrote about its
// name is not believed, and nothing is moved: not-renamed OLD NEW.
func (a *attempt) notRenamed(args []string) {
	a.t.Helper()
	before := a.storedRecords()
	listed := a.driftJob().do(0, "state", "list")
	listed.says(a.t, "NOT REGISTERED "+args[0], "is not what was stored")
	moved := a.driftJob().do(4, "customer", "rename", args[0], args[1], "--apply")
	moved.says(a.t, "is not what was stored", "find out who can write to the store")
	if strings.Contains(listed.log+moved.log, "evil") {
		a.t.Errorf("the forgery is shown:\n%s\n%s", listed.log, moved.log)
	}
	if after := a.storedRecords(); after != before || a.state(args[1]+"/staging") != "" {
		a.t.Errorf("the store has\n%s\nand had\n%s", after, before)
	}
	a.verdicts++
}

// oldJob runs a job of the old name again, long after its request has ended: old-job ENV
// TEXT... It is refused, and changes neither the state nor what the customer reads.
func (a *attempt) oldJob(args []string) {
	a.t.Helper()
	before, read := a.state("shop/"+args[0]), a.statuses(a.r.trigger.run.HeadSHA)
	for _, command := range []string{"plan", "apply"} {
		refused := a.target().do(4, a.r.args(command, args[0])...)
		refused.says(a.t, args[1:]...)
	}
	if a.state("shop/"+args[0]) != before || !maps.Equal(a.statuses(a.r.trigger.run.HeadSHA), read) {
		a.t.Error("the job has changed something")
	}
	a.verdicts++
}

// renameCustomer renames a file of customers/ on the manager's main branch.
func (w *world) renameCustomer(from, to string) {
	w.t.Helper()
	content := []byte(managerFiles["customers/shop.yml"])
	must(w.manager.Commit("main", hub.Change{Remove: []string{"customers/" + from + ".yml"}, Files: map[string]hub.File{"customers/" + to + ".yml": {Content: content}}, Message: "Rename " + from}))(w.t)
}
