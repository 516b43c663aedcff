package main

import (
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// renameCustomer renames a file of customers/: rename-customer OLD NEW.
func (a *attempt) renameCustomer(args []string) { a.world.renameCustomer(args[0], args[1]) }

// unregistered lets fetch-vars refuse a request since it cannot be known which customer
// it is: unregistered TEXT... Nothing is written for any customer, nor to a repository.
func (a *attempt) unregistered(args []string) {
	a.t.Helper()
	run := a.dispatches()
	a.noteRun(run)
	a.hub.ResetCalls()
	fetched := a.job(run).do(4, "fetch-vars")
	fetched.says(a.t, append(args, "is not what was stored", "find out who can write to the store")...)
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	if _, err := os.Stat(filepath.Join(a.store, "store")); !os.IsNotExist(err) {
		a.t.Errorf("the store has records of the new name: %v", err)
	}
	a.verdicts++
}

// renameCustomer renames a file of customers/ on the manager's main branch.
func (w *world) renameCustomer(from, to string) {
	w.t.Helper()
	content := []byte(managerFiles["customers/shop.yml"])
	must(w.manager.Commit("main", hub.Change{Remove: []string{"customers/" + from + ".yml"}, Files: map[string]hub.File{"customers/" + to + ".yml": {Content: content}}, Message: "Rename " + from}))(w.t)
}
