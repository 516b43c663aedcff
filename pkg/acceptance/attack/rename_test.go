package attack

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// renameCustomer renames a file of customers/, or gives it a path: rename-customer OLD NEW
// [PATH].
func (a *attempt) renameCustomer(args []string) {
	a.Setup.RenameCustomer(args[0], args[1])
	if len(args) > 2 {
		name := "customers/" + args[1] + ".yml"
		a.Commit(a.Manager, "main", map[string]string{name: fixture.ManagerFiles["customers/shop.yml"] + "path: " + args[2] + "\n"})
	}
}

// renameVictim moves the victim to another name, after a request that registers it:
// rename-victim NEW.
func (a *attempt) renameVictim(args []string) {
	a.T.Helper()
	run := a.ByHand("--customer", "crm", "--environment", "staging", "--mode", "plan")
	fetched, _ := a.prepare(run, 0)
	a.finish(run, 0, "crm", fetched.Outputs["request-id"])
	a.before = a.seenIn(a.victim)
	content := []byte(attackerFiles["customers/crm.yml"])
	fixture.Must(a.Manager.Commit("main", hub.Change{Remove: []string{"customers/crm.yml"}, Files: map[string]hub.File{"customers/" + args[0] + ".yml": {Content: content}}, Message: "Rename crm"}))(a.T)
	a.renamed([]string{"crm", args[0]})
}

// takeOver registers the present repository of the customer under a name, as a provider does
// who sees only that the id is not the one of its file any more: take-over NAME.
func (a *attempt) takeOver(args []string) {
	a.T.Helper()
	content := fmt.Sprintf("repository: %s\nrepository_id: %d\n", a.Customer.Slug(), a.Customer.ID())
	a.Commit(a.Manager, "main", map[string]string{"customers/" + args[0] + ".yml": content})
}

// unregistered lets fetch-vars refuse a request since it cannot be known which customer
// it is: unregistered TEXT... Nothing is written for any customer, nor to a repository.
func (a *attempt) unregistered(args []string) {
	a.T.Helper()
	run := a.dispatches()
	a.noteRun(run)
	before := a.storedRecords()
	a.Hub.ResetCalls()
	fetched, _ := a.prepare(run, 4)
	fetched.Says(a.T, append(args, "is not what was stored", "find out who can write to the store")...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	if after := a.storedRecords(); after != before {
		a.T.Errorf("the store has\n%s\nand had\n%s", after, before)
	}
	a.verdicts++
}

// storedRecords lists the requests and plans of the customer, under both names.
func (a *attempt) storedRecords() string {
	var all []string
	for _, of := range []string{"requests", "*/plans", "*/queue"} {
		for _, name := range []string{"shop", "store"} {
			all = append(all, fixture.Must(filepath.Glob(filepath.Join(a.Store, name, of, "*")))(a.T)...)
		}
	}
	return strings.Join(all, "\n")
}

// renamed moves the customer to the name of its file: renamed OLD NEW.
func (a *attempt) renamed(args []string) {
	a.T.Helper()
	a.DriftJob().Do(0, "customer", "rename", args[0], args[1], "--apply").Says(a.T, "customer "+args[0]+" is "+args[1]+" now")
}

// notRenamed looks at the states and moves the customer; what someone else wrote about its
// name is not believed, and nothing is moved: not-renamed OLD NEW.
func (a *attempt) notRenamed(args []string) {
	a.T.Helper()
	before := a.storedRecords()
	listed := a.DriftJob().Do(0, "state", "list")
	listed.Says(a.T, "NOT REGISTERED "+args[0], "is not what was stored")
	moved := a.DriftJob().Do(4, "customer", "rename", args[0], args[1], "--apply")
	moved.Says(a.T, "is not what was stored", "find out who can write to the store")
	if strings.Contains(listed.Log+moved.Log, "evil") {
		a.T.Errorf("the forgery is shown:\n%s\n%s", listed.Log, moved.Log)
	}
	if after := a.storedRecords(); after != before || a.State(args[1]+"/staging") != "" {
		a.T.Errorf("the store has\n%s\nand had\n%s", after, before)
	}
	a.verdicts++
}

// oldJob runs a job of the old name again, long after its request has ended: old-job ENV
// TEXT... It is refused, and changes neither the state nor what the customer reads.
func (a *attempt) oldJob(args []string) {
	a.T.Helper()
	before, read := a.State("shop/"+args[0]), a.Statuses(a.r.Trigger.Run.HeadSHA)
	a.planTarget(4, args[0]).Says(a.T, args[1:]...)
	a.applyJob(4, args[0]).Says(a.T, args[1:]...)
	if a.State("shop/"+args[0]) != before || !maps.Equal(a.Statuses(a.r.Trigger.Run.HeadSHA), read) {
		a.T.Error("the job has changed something")
	}
	a.verdicts++
}
