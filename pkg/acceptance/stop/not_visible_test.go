//go:build unix

package stop

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// blind is a token of a job that sees nothing of the manager, and so gets 404.
func blind(w *fixture.Setup, name string) string {
	return "GITHUB_TOKEN=" + w.Token(hub.Token{Name: name, Kind: hub.FineGrained, User: "casey", Repositories: []string{fixture.CustomerSlug}, Permissions: fixture.Permissions("actions contents", "")})
}

// TestRunThatTheTokenDoesNotSee holds its lock: neither unlock nor the sweep takes it
// for a run that was deleted.
func TestRunThatTheTokenDoesNotSee(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	dir := t.TempDir()
	begun, goOn := filepath.Join(dir, "begun"), filepath.Join(dir, "go")
	wait := "echo $PPID > " + begun + "; while [ -e " + begun + " ] && [ ! -e " + goOn + " ]; do sleep 0.1; done"
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: '" + wait + "'\nenvironments:\n  staging: {}\n"}))
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	fixture.AwaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := r.LockID(target)
	fixture.AwaitWritten(t, filepath.Join(filepath.Dir(w.StateFile("shop/staging")), ".terraform.tfstate.lock.info"))
	later := func(name string) *fixture.Job {
		j := w.NewJob(r.Run).With(blind(w, name))
		j.Binary = "metapipe-later"
		return j
	}
	later("unlocks").Do(4, append([]string{"unlock", "--lock-id", id}, target...)...).Says(t, "cannot be asked", "does not see provider/infra")
	later("vouches").Do(4, append([]string{"unlock", "--no-run", "--lock-id", id}, target...)...).Says(t, "cannot be asked")
	w.Hub.ResetCalls()
	later("sweeps").Do(1, "sweep", "--fix").Says(t, "unreadable", "cannot be asked", "NOT repaired")
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("the sweep wrote %v", writes)
	}
	fixture.Check(t, writeNew(goOn))
	if end := p.Wait(); end.Exit != 0 {
		t.Fatalf("the apply ended with %d:\n%s", end.Exit, end.Log)
	}
	r.Report("--final")
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "success: Applied")
	// A run that is really gone is one that the token would see.
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML + "more: {}\n"}))
	fixture.Check(t, w.Manager.SetRun(again.Run.Run.ID, "completed", "failure"))
	fixture.Check(t, w.Manager.DeleteRun(again.Run.Run.ID))
	w.SweepJob(r).Do(0, "sweep", "--fix").Says(t, "its run is over (deleted)", "repaired")
	w.WantNothingPending()
}

// TestWriteThatGitHubDoesNotFind fails the report, which says what could not be
// written; it is no run without a request.
func TestWriteThatGitHubDoesNotFind(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{"status": "/repos/{owner}/{repo}/statuses/{sha}", "deployment": "/repos/{owner}/{repo}/deployments"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
			planned := r.Planned("staging")
			r.Do(0, "apply", "staging", "--receipt", planned.Outputs["receipt"])
			w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: route}, hubtest.Fault{Status: http.StatusNotFound, Message: "Not Found"}, 1)
			end := w.NewJob(r.Run).Do(1, "report", "--customer", "shop", "--request", r.ID, "--final")
			end.Want(t, "outcome=success")
			end.Says(t, "HTTP 404", "SOURCE_REPOS_PAT cannot see it")
			if strings.Contains(end.Summary, "No request") || !strings.Contains(end.Summary, "Applied") {
				t.Errorf("summary:\n%s", end.Summary)
			}
			w.NewJob(r.Run).Do(0, "report", "--customer", "shop", "--request", r.ID, "--final")
			w.WantNothingPending()
		})
	}
}

// TestRefusedForEver lets GitHub take a part of the report never: no step fails for
// it, no sweep comes back to it, and the apply goes on.
func TestRefusedForEver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(w *fixture.Setup, pull int)
		says    string
	}{
		"archived": {func(w *fixture.Setup, _ int) { w.Customer.Archive(true) }, "the repository is archived and read-only"},
		"locked":   {func(w *fixture.Setup, pull int) { fixture.Check(w.T, w.Customer.LockConversation(pull, true)) }, "the conversation is locked"},
		"statuses": {func(w *fixture.Setup, _ int) {
			w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/repos/{owner}/{repo}/statuses/{sha}"},
				hubtest.Fault{Status: 422, Message: "Validation Failed: This SHA and context has reached the maximum number of statuses."}, 1000)
		}, "the 1,000 statuses that GitHub accepts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			r := w.Accept(run)
			c.happens(w, number)
			app := "SOURCE_REPOS_PAT=" + w.Token(hub.Token{Name: "app", Kind: hub.App, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug},
				Permissions: fixture.Permissions("contents actions", "statuses pull_requests issues deployments")})
			w.NewJob(r.Run).With(app).Do(0, r.Args("plan", "staging")...)
			for _, flags := range [][]string{nil, {"--final"}} {
				end := w.NewJob(r.Run).With(app).Do(0, append([]string{"report", "--customer", "shop", "--request", r.ID}, flags...)...)
				if !strings.Contains(end.Summary, c.says) || strings.Contains(end.Log, "lacks a permission") {
					t.Errorf("summary:\n%s\nlog:\n%s", end.Summary, end.Log)
				}
			}
			fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "success"))
			w.SweepJob(r).With(app).Do(0, "sweep", "--fix").Says(t, "0 open requests, 0 findings")
			w.NewJob(r.Run).Do(0, "ledger", "--customer", "shop", "--environment", "staging", "--json").Says(t, `"event": "unreported"`, c.says)
		})
	}
}

// TestSweepOfARemovedCustomer closes statuses from the record, and once.
func TestSweepOfARemovedCustomer(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"customers/blog.yml": "repository: acme/blog\nrepository_id: 4799\n"})
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	r.Planned("staging")
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	sha := fixture.Must(w.Manager.Commit("main", hub.Change{Remove: []string{"customers/shop.yml"}, Message: "Remove shop"}))(t)
	swept := w.SweepJob(&fixture.Request{W: w, Run: fixture.WorkflowRun{Repo: w.Manager, Run: r.Run.Run, Event: r.Run.Event, SHA: sha, Ref: r.Run.Ref}})
	swept.Do(0, "sweep", "--fix").Says(t, "unfinished: its run is over (failure)", "repaired")
	w.WantNothingPending()
	swept.Do(0, "sweep", "--fix").Says(t, "0 open requests, 0 findings")
}

// TestMergeQueueIsBuiltAnew deletes the branch of a merge group before the manager
// looks at it: an ordinary end, and no lack of rights.
func TestMergeQueueIsBuiltAnew(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Commit(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	number := fixture.Must(w.Customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: "change"}))(t)
	branch, event, err := w.Customer.QueuePull(number, "casey")
	fixture.Check(t, err)
	sha := fixture.Must(w.Customer.Head(branch))(t)
	run := fixture.Must(w.Customer.StartRun(hub.NewRun{Event: "merge_group", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(t)
	triggered := w.NewJob(fixture.WorkflowRun{Repo: w.Customer, Run: run, Event: event, SHA: sha, Ref: "refs/heads/" + branch, PermitsIDToken: true}).Start("trigger")
	manager := w.Queued()
	fixture.Check(t, w.Customer.SetBranch(branch, ""))
	fetched := w.NewJob(manager).Do(0, "fetch-vars")
	fetched.Want(t, "outcome=superseded", "reason=superseded", "targets=[]", "applies=[]", "customer=shop")
	fetched.Says(t, "it has been deleted")
	if strings.Contains(fetched.Log, "PAT") {
		t.Errorf("the advice is about tokens:\n%s", fetched.Log)
	}
	w.NewJob(manager).Do(0, "report", "--customer", "shop", "--request", fetched.Outputs["request-id"]).Want(t, "outcome=error")
	w.WantStatus(sha, "infra/terraform-deploy", "error: ")
	if end := triggered.Wait(); strings.Contains(end.Log, "pickup") {
		t.Errorf("trigger has waited in vain:\n%s", end.Log)
	}
	w.WantNothingPending()
	// A token that may not read branches is still a lack of rights.
	token := "SOURCE_REPOS_PAT=" + w.Token(hub.Token{Name: "no contents", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug}, Permissions: fixture.Permissions("actions", "statuses")})
	var requested any
	fixture.Check(t, json.Unmarshal(manager.Event, &requested))
	other := manager
	other.Run = fixture.Must(w.Manager.StartRun(hub.NewRun{Event: "repository_dispatch", Path: fixture.ManagerWorkflow, HeadSHA: manager.SHA, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(t)
	w.NewJob(other).With(token).Do(1, "fetch-vars").Says(t, "SOURCE_REPOS_PAT")
}

// writeNew makes an empty file.
func writeNew(name string) error { return os.WriteFile(name, nil, 0o600) }
