package attack

import (
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// gateCommands are the commands about people, branches and what a token may see.
var gateCommands = map[string]func(*attempt, []string){
	"rerun": (*attempt).rerun, "rerun-manager": (*attempt).rerunManager, "rename-account": (*attempt).renameAccount, "delete-account": (*attempt).deleteAccount,
	"manually-again": (*attempt).manuallyAgain, "on-ref": (*attempt).onRef, "unseen": (*attempt).unseen,
}

// rerun lets someone run the customer's present run again: rerun LOGIN.
func (a *attempt) rerun(args []string) {
	a.T.Helper()
	fixture.Check(a.T, a.Customer.Grant(args[0], hub.Write))
	fixture.Check(a.T, a.Customer.SetRun(a.run.Run.ID, "completed", "success"))
	fixture.Must(a.Customer.RerunBy(a.run.Run.ID, args[0]))(a.T)
	fixture.Check(a.T, a.Customer.SetRun(a.run.Run.ID, "in_progress", ""))
	a.run.Run = fixture.Must(a.Customer.Run(a.run.Run.ID))(a.T)
}

// rerunManager lets someone run the manager's run of the request again:
// rerun-manager LOGIN.
func (a *attempt) rerunManager(args []string) {
	a.T.Helper()
	fixture.Check(a.T, a.Manager.SetRun(a.r.Run.Run.ID, "completed", "failure"))
	fixture.Must(a.Manager.RerunBy(a.r.Run.Run.ID, args[0]))(a.T)
	fixture.Check(a.T, a.Manager.SetRun(a.r.Run.Run.ID, "in_progress", ""))
	a.r.Run.Run = fixture.Must(a.Manager.Run(a.r.Run.Run.ID))(a.T)
}

// renameAccount gives an account another login: rename-account LOGIN TO.
func (a *attempt) renameAccount(args []string) {
	fixture.Check(a.T, a.Hub.RenameUser(args[0], args[1]))
}

// deleteAccount removes an account: delete-account LOGIN.
func (a *attempt) deleteAccount(args []string) { fixture.Check(a.T, a.Hub.DeleteUser(args[0])) }

// manuallyAgain starts the workflow by hand on the default branch, and lets someone
// run it again after the manager has got a new commit: manually-again LOGIN TEXT...
func (a *attempt) manuallyAgain(args []string) {
	a.T.Helper()
	sha := fixture.Must(a.Manager.Head("main"))(a.T)
	fixture.Check(a.T, a.Manager.Grant("casey", hub.Write))
	first := fixture.Must(a.Manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: fixture.ManagerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(a.T)
	event := fixture.Must(a.Manager.ManualEvent(fixture.ManagerWorkflow, "main", map[string]string{"customer": "shop", "mode": "plan"}, "casey"))(a.T)
	fixture.Check(a.T, a.Manager.SetRun(first.ID, "completed", "cancelled"))
	a.Commit(a.Manager, "main", map[string]string{"README.md": "newer"})
	fixture.Must(a.Manager.RerunBy(first.ID, args[0]))(a.T)
	fixture.Check(a.T, a.Manager.SetRun(first.ID, "in_progress", ""))
	again := fixture.Must(a.Manager.Run(first.ID))(a.T)
	a.wantRejected(fixture.WorkflowRun{Repo: a.Manager, Run: again, Event: event, SHA: sha, Ref: "refs/heads/main"}, "unverified-origin", args[1:])
}

// onRef runs a command in a workflow that a member of the manager starts by hand on a
// ref of their own, whose Terraform is theirs: on-ref REF COMMAND...
func (a *attempt) onRef(args []string) {
	a.T.Helper()
	ref := args[0]
	sha := a.Commit(a.Manager, "evil", map[string]string{"terraform/main.tf": "data \"http\" \"evil\" {\n  url = \"" + a.Hub.URL() + "/branch-code-ran\"\n}\n", "customers/crm.yml": "repository: acme/shop\nrepository_id: 4711\n"})
	fixture.Check(a.T, a.Manager.Grant("mallory", hub.Write))
	run := fixture.Must(a.Manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: fixture.ManagerWorkflow, HeadSHA: sha, HeadBranch: "evil", Actor: "mallory", Status: "in_progress"}))(a.T)
	event := fixture.Must(a.Manager.ManualEvent(fixture.ManagerWorkflow, "evil", nil, "mallory"))(a.T)
	fixture.Check(a.T, os.MkdirAll(a.Store, 0o700)) // nothing comes that far here
	before, state := a.seenIn(a.Customer), a.State("shop/staging")
	a.Hub.ResetCalls()
	job := a.job(fixture.WorkflowRun{Repo: a.Manager, Run: run, Event: event, SHA: sha, Ref: ref})
	job.Do(3, args[1:]...).Says(a.T, "works on its default branch main only", `"`+ref+`"`)
	if calls := a.Hub.Calls(); len(calls) != 0 {
		a.T.Errorf("GitHub was asked: %v", calls)
	}
	if a.seenIn(a.Customer) != before || a.State("shop/staging") != state {
		a.T.Error("the command has changed something")
	}
	a.verdicts++
}

// unseen runs a command of the manager whose token does not see the manager: a run
// that goes on there is not to be touched: unseen EXIT COMMAND...
func (a *attempt) unseen(args []string) {
	a.T.Helper()
	token := a.Token(hub.Token{Name: "unseeing " + args[0] + strings.Join(args[1:], " "), Kind: hub.FineGrained, User: "mallory", Repositories: []string{a.Customer.Slug()}, Permissions: fixture.Permissions("actions contents", "")})
	before := a.seenIn(a.Customer)
	a.Hub.ResetCalls()
	j := a.job(a.r.Run).With("GITHUB_TOKEN=" + token)
	j.Binary = "metapipe-later"
	exit := slices.Index([]string{"0", "1", "2", "3", "4"}, args[0])
	j.Do(exit, args[1:]...).Says(a.T, "cannot be asked")
	if writes := a.Writes(); len(writes) != 0 || a.seenIn(a.Customer) != before {
		a.T.Errorf("written: %v", writes)
	}
	a.recorded(a.r.Run, "shop", "staging", ledger.Requested, "")
	a.verdicts++
}
