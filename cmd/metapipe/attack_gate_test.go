package main

import (
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// gateCommands are the commands about people, branches and what a token may see.
var gateCommands = map[string]func(*attempt, []string){
	"rerun": (*attempt).rerun, "rerun-manager": (*attempt).rerunManager, "rename-account": (*attempt).renameAccount, "delete-account": (*attempt).deleteAccount,
	"manually-again": (*attempt).manuallyAgain, "on-ref": (*attempt).onRef, "unseen": (*attempt).unseen,
}

// rerun lets somebody run the customer's present run again: rerun LOGIN.
func (a *attempt) rerun(args []string) {
	a.t.Helper()
	check(a.t, a.customer.Grant(args[0], hub.Write))
	check(a.t, a.customer.SetRun(a.run.run.ID, "completed", "success"))
	must(a.customer.RerunBy(a.run.run.ID, args[0]))(a.t)
	check(a.t, a.customer.SetRun(a.run.run.ID, "in_progress", ""))
	a.run.run = must(a.customer.Run(a.run.run.ID))(a.t)
}

// rerunManager lets somebody run the manager's run of the request again:
// rerun-manager LOGIN.
func (a *attempt) rerunManager(args []string) {
	a.t.Helper()
	check(a.t, a.manager.SetRun(a.r.run.run.ID, "completed", "failure"))
	must(a.manager.RerunBy(a.r.run.run.ID, args[0]))(a.t)
	check(a.t, a.manager.SetRun(a.r.run.run.ID, "in_progress", ""))
	a.r.run.run = must(a.manager.Run(a.r.run.run.ID))(a.t)
}

// renameAccount gives an account another login: rename-account LOGIN TO.
func (a *attempt) renameAccount(args []string) { check(a.t, a.hub.RenameUser(args[0], args[1])) }

// deleteAccount removes an account: delete-account LOGIN.
func (a *attempt) deleteAccount(args []string) { check(a.t, a.hub.DeleteUser(args[0])) }

// manuallyAgain starts the workflow by hand on the default branch, and lets somebody
// run it again after the manager has got a new commit: manually-again LOGIN TEXT...
func (a *attempt) manuallyAgain(args []string) {
	a.t.Helper()
	sha := must(a.manager.Head("main"))(a.t)
	check(a.t, a.manager.Grant("casey", hub.Write))
	first := must(a.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: managerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(a.t)
	event := must(a.manager.ManualEvent(managerWorkflow, "main", nil, "casey"))(a.t)
	check(a.t, a.manager.SetRun(first.ID, "completed", "cancelled"))
	a.commit(a.manager, "main", map[string]string{"README.md": "newer"})
	must(a.manager.RerunBy(first.ID, args[0]))(a.t)
	check(a.t, a.manager.SetRun(first.ID, "in_progress", ""))
	again := must(a.manager.Run(first.ID))(a.t)
	a.wantRejected(workflowRun{repo: a.manager, run: again, event: event, sha: sha, ref: "refs/heads/main"}, "unverified-origin", args[1:], "--customer", "shop")
}

// onRef runs a command in a workflow that a member of the manager starts by hand on a
// ref of their own, whose Terraform is theirs: on-ref REF COMMAND...
func (a *attempt) onRef(args []string) {
	a.t.Helper()
	ref := args[0]
	sha := a.commit(a.manager, "evil", map[string]string{"terraform/main.tf": "data \"http\" \"evil\" {\n  url = \"" + a.hub.URL() + "/branch-code-ran\"\n}\n", "customers/crm.yml": "repository: acme/shop\nrepository_id: 4711\n"})
	check(a.t, a.manager.Grant("mallory", hub.Write))
	run := must(a.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: managerWorkflow, HeadSHA: sha, HeadBranch: "evil", Actor: "mallory", Status: "in_progress"}))(a.t)
	event := must(a.manager.ManualEvent(managerWorkflow, "evil", nil, "mallory"))(a.t)
	check(a.t, os.MkdirAll(a.store, 0o700)) // nothing comes that far here
	before, state := a.seenIn(a.customer), a.state("shop/staging")
	a.hub.ResetCalls()
	job := a.job(workflowRun{repo: a.manager, run: run, event: event, sha: sha, ref: ref})
	job.do(3, args[1:]...).says(a.t, "works on its default branch main only", `"`+ref+`"`)
	if calls := a.hub.Calls(); len(calls) != 0 {
		a.t.Errorf("GitHub was asked: %v", calls)
	}
	if a.seenIn(a.customer) != before || a.state("shop/staging") != state {
		a.t.Error("the command has changed something")
	}
	a.verdicts++
}

// unseen runs a command of the manager whose token does not see the manager: a run
// that goes on there is not to be touched: unseen EXIT COMMAND...
func (a *attempt) unseen(args []string) {
	a.t.Helper()
	token := a.token(hub.Token{Name: "unseeing " + args[0] + strings.Join(args[1:], " "), Kind: hub.FineGrained, User: "mallory", Repositories: []string{a.customer.Slug()}, Permissions: permissions("actions contents", "")})
	before := a.seenIn(a.customer)
	a.hub.ResetCalls()
	j := a.job(a.r.run).with("GITHUB_TOKEN=" + token)
	j.binary = "metapipe-later"
	exit := slices.Index([]string{"0", "1", "2", "3", "4"}, args[0])
	j.do(exit, args[1:]...).says(a.t, "cannot be asked")
	if writes := a.writes(); len(writes) != 0 || a.seenIn(a.customer) != before {
		a.t.Errorf("written: %v", writes)
	}
	a.recorded(a.r.run, "shop", "staging", ledger.Requested, "")
	a.verdicts++
}
