package attack

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// content is what the next commit of the customer holds: the script's files below
// a folder (customer, unless it is named), and what was generated.
func (a *attempt) content(args []string) map[string]hub.File {
	folder := "customer"
	if len(args) > 1 {
		folder = args[1]
	}
	a.remove = nil
	files := map[string]hub.File{}
	for name, text := range a.set(folder) {
		files[name] = hub.File{Content: []byte(text)}
	}
	for name, f := range a.next {
		files[name] = f
		a.remove = append(a.remove, name)
	}
	if len(files) == 0 {
		a.sent++
		files["infra/variables.yml"] = hub.File{Content: fmt.Appendf(nil, "# %d\n%s", a.sent, fixture.VariablesYML)}
	}
	a.next = map[string]hub.File{}
	return files
}

// pushes commits to a branch of the customer and starts its run: push BRANCH
// [FOLDER].
func (a *attempt) pushes(args []string) {
	a.T.Helper()
	before := fixture.Must(a.Customer.Head("main"))(a.T)
	sha := fixture.Must(a.Customer.Commit(args[0], hub.Change{Files: a.content(args), Remove: a.remove, Message: "Change"}))(a.T)
	a.run = a.PushedFrom(args[0], before, sha)
	a.values["COMMIT"], a.values["RUN"], a.values["BEFORE"] = sha, fmt.Sprint(a.run.Run.ID), before
}

// properties gives the customer's repository custom properties of any form, also those
// that GitHub does not have: properties JSON.
func (a *attempt) properties(args []string) {
	a.Customer.SetProperties(json.RawMessage(args[0]))
}

// pulls opens a pull request of a branch: pull BRANCH [FOLDER].
func (a *attempt) pulls(args []string) {
	a.T.Helper()
	a.pullFrom(a.Customer, args)
}

// fromFork opens a pull request of a branch of the attacker's fork, whose run gets
// no ID token: from-fork BRANCH.
func (a *attempt) fromFork(args []string) {
	a.T.Helper()
	a.pullFrom(fixture.Must(a.Customer.Fork("mallory", "shop"))(a.T), args)
}

func (a *attempt) pullFrom(repo *hub.Repo, args []string) {
	a.T.Helper()
	fixture.Must(repo.Commit(args[0], hub.Change{Files: a.content(args), Message: "Change"}))(a.T)
	run, number := a.Pull(repo, args[0], map[string]string{"README.md": "again"})
	a.run = run
	pr := fixture.Must(a.Customer.Pull(number))(a.T)
	a.values["PULL"], a.values["COMMIT"], a.values["RUN"] = strconv.Itoa(number), pr.Head, fmt.Sprint(run.Run.ID)
}

// otherRun starts another run: other-run EVENT WORKFLOW [COMMIT [REF]].
func (a *attempt) otherRun(args []string) {
	a.T.Helper()
	sha, branch := fixture.Must(a.Customer.Head("main"))(a.T), "main"
	if len(args) > 2 {
		sha = args[2]
	}
	ref := "refs/heads/main"
	if len(args) > 3 {
		ref = args[3]
		branch = strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	}
	fixture.Check(a.T, a.Customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/" + args[1], Name: args[1]}))
	run := fixture.Must(a.Customer.StartRun(hub.NewRun{Event: args[0], Path: ".github/workflows/" + args[1], HeadSHA: sha, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(a.T)
	a.run = fixture.WorkflowRun{Repo: a.Customer, Run: run, SHA: sha, Ref: ref, PermitsIDToken: true}
	a.values["COMMIT"], a.values["RUN"] = sha, fmt.Sprint(run.ID)
}

func (a *attempt) endRun([]string) {
	fixture.Check(a.T, a.Customer.SetRun(a.run.Run.ID, "completed", "success"))
}

// generate puts a file into the next commit: generate PATH WHAT.
func (a *attempt) generate(args []string) {
	var b strings.Builder
	switch args[1] {
	case "alias-bomb":
		b.WriteString("name: bomb\na0: &a0 [x, x, x, x, x, x, x, x, x]\n")
		for i := range 12 {
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
		}
		b.WriteString("environments:\n  staging: {}\n")
	case "deep":
		b.WriteString("name: deep\nx: " + strings.Repeat("[", 60000) + strings.Repeat("]", 60000) + "\nenvironments:\n  staging: {}\n")
	case "huge":
		b.WriteString("name: " + strings.Repeat("x", 2<<20) + "\nenvironments:\n  staging: {}\n")
	case "keys":
		for i := range 60000 {
			fmt.Fprintf(&b, "k%d: 1\n", i)
		}
		b.WriteString("environments:\n  staging: {}\n")
	case "many-lines":
		b.WriteString("name: |\n" + strings.Repeat("  pwned\n", 10000) + "environments:\n  staging: {}\n")
	default:
		a.T.Fatalf("generate %q?", args[1])
	}
	a.next[args[0]] = hub.File{Content: []byte(b.String())}
}

// symlink puts a symbolic link into the next commit: symlink PATH TARGET.
func (a *attempt) symlink(args []string) {
	a.next[args[0]] = hub.File{Content: []byte(args[1]), Mode: hub.ModeSymlink}
}

func (a *attempt) rename(args []string) { fixture.Check(a.T, a.Customer.Rename(args[0])) }

// transfer gives the customer's repository to another account: transfer OWNER.
func (a *attempt) transfer(args []string) { fixture.Check(a.T, a.Customer.Transfer(args[0])) }

// recreate gives the customer's repository another name, and makes a new one under
// the old name.
func (a *attempt) recreate([]string) {
	owner, name, _ := strings.Cut(a.Customer.Slug(), "/")
	fixture.Check(a.T, a.Customer.Rename(name+"-old"))
	a.Customer = fixture.Must(a.Hub.AddRepo(owner, name, hub.RepoOptions{Private: true}))(a.T)
	fixture.Check(a.T, a.Customer.Grant("casey", hub.Write))
	fixture.Check(a.T, a.Customer.Grant("metapipe-bot", hub.Write))
	fixture.Check(a.T, a.Customer.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	a.Commit(a.Customer, "main", map[string]string{"README.md": "new"})
}

// forceBranch moves a branch of the customer: force-branch BRANCH COMMIT.
func (a *attempt) forceBranch(args []string) {
	fixture.Check(a.T, a.Customer.SetBranch(args[0], args[1]))
}

// managerCommit changes the manager's main branch: manager-commit FOLDER.
func (a *attempt) managerCommit(args []string) { a.Commit(a.Manager, "main", a.set(args[0])) }
