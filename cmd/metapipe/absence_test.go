//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// blind is a token of a job that sees nothing of the manager, and so gets 404.
func (w *world) blind(name string) string {
	return "GITHUB_TOKEN=" + w.token(hub.Token{Name: name, Kind: hub.FineGrained, User: "casey", Repositories: []string{customerSlug}, Permissions: permissions("actions contents", "")})
}

// TestRunThatTheTokenDoesNotSee holds its lock: neither unlock nor the sweep takes it
// for a run that was deleted.
func TestRunThatTheTokenDoesNotSee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	begun, goOn := filepath.Join(dir, "begun"), filepath.Join(dir, "go")
	wait := "echo $PPID > " + begun + "; while [ ! -e " + goOn + " ]; do sleep 0.1; done"
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: '" + wait + "'\nenvironments:\n  staging: {}\n"}))
	planned := r.planned("staging")
	p := w.newJob(r.run).start(r.args("apply", "staging", "--receipt", planned.outputs["receipt"])...)
	awaitFile(t, begun)
	target := []string{"--customer", "shop", "--environment", "staging"}
	id := r.lockID(target)
	awaitWritten(t, filepath.Join(filepath.Dir(w.stateFile("shop/staging")), ".terraform.tfstate.lock.info"))
	later := func(name string) *job {
		j := w.newJob(r.run).with(w.blind(name))
		j.binary = "metapipe-later"
		return j
	}
	later("unlocks").do(4, append([]string{"unlock", "--lock-id", id}, target...)...).says(t, "cannot be asked", "does not see provider/infra")
	later("vouches").do(4, append([]string{"unlock", "--no-run", "--lock-id", id}, target...)...).says(t, "cannot be asked")
	w.hub.ResetCalls()
	later("sweeps").do(1, "sweep", "--fix").says(t, "unreadable", "cannot be asked", "NOT repaired")
	if writes := w.writes(); len(writes) != 0 {
		t.Errorf("the sweep wrote %v", writes)
	}
	check(t, writeNew(goOn))
	if end := p.wait(); end.exit != 0 {
		t.Fatalf("the apply ended with %d:\n%s", end.exit, end.log)
	}
	r.report("--final")
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "success: Applied")
	// A run that is really gone is one that the token would see.
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML + "more: {}\n"}))
	check(t, w.manager.SetRun(again.run.run.ID, "completed", "failure"))
	check(t, w.manager.DeleteRun(again.run.run.ID))
	w.sweepJob(r).do(0, "sweep", "--fix").says(t, "its run is over (deleted)", "repaired")
	w.wantNothingPending()
}

// TestWriteThatGitHubDoesNotFind fails the report, which says what could not be
// written; it is no run without a request.
func TestWriteThatGitHubDoesNotFind(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{"status": "/repos/{owner}/{repo}/statuses/{sha}", "deployment": "/repos/{owner}/{repo}/deployments"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
			planned := r.planned("staging")
			r.do(0, "apply", "staging", "--receipt", planned.outputs["receipt"])
			w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: route}, hubtest.Fault{Status: http.StatusNotFound, Message: "Not Found"}, 1)
			end := w.newJob(r.run).do(1, "report", "--customer", "shop", "--request", r.id, "--final")
			end.want(t, "outcome=success")
			end.says(t, "HTTP 404", "SOURCE_REPOS_PAT cannot see it")
			if strings.Contains(end.summary, "No request") || !strings.Contains(end.summary, "Applied") {
				t.Errorf("summary:\n%s", end.summary)
			}
			w.newJob(r.run).do(0, "report", "--customer", "shop", "--request", r.id, "--final")
			w.wantNothingPending()
		})
	}
}

// TestRefusedForEver lets GitHub take a part of the report never: no step fails for
// it, no sweep comes back to it, and the apply goes on.
func TestRefusedForEver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(w *world, pull int)
		says    string
	}{
		"archived": {func(w *world, _ int) { w.customer.Archive(true) }, "the repository is archived and read-only"},
		"locked":   {func(w *world, pull int) { check(w.t, w.customer.LockConversation(pull, true)) }, "the conversation is locked"},
		"statuses": {func(w *world, _ int) {
			w.hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/repos/{owner}/{repo}/statuses/{sha}"},
				hubtest.Fault{Status: 422, Message: "Validation Failed: This SHA and context has reached the maximum number of statuses."}, 1000)
		}, "the 1,000 statuses that GitHub accepts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
			r := w.accept(run)
			c.happens(w, number)
			app := "SOURCE_REPOS_PAT=" + w.token(hub.Token{Name: "app", Kind: hub.App, User: "metapipe-bot", Repositories: []string{customerSlug},
				Permissions: permissions("contents actions", "statuses pull_requests issues deployments")})
			w.newJob(r.run).with(app).do(0, r.args("plan", "staging")...)
			for _, flags := range [][]string{nil, {"--final"}} {
				end := w.newJob(r.run).with(app).do(0, append([]string{"report", "--customer", "shop", "--request", r.id}, flags...)...)
				if !strings.Contains(end.summary, c.says) || strings.Contains(end.log, "lacks a permission") {
					t.Errorf("summary:\n%s\nlog:\n%s", end.summary, end.log)
				}
			}
			check(t, w.manager.SetRun(r.run.run.ID, "completed", "success"))
			w.sweepJob(r).with(app).do(0, "sweep", "--fix").says(t, "0 open requests, 0 findings")
			w.newJob(r.run).do(0, "ledger", "--customer", "shop", "--environment", "staging", "--json").says(t, `"event": "unreported"`, c.says)
		})
	}
}

// TestSweepOfARemovedCustomer closes statuses from the record, and once.
func TestSweepOfARemovedCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"customers/blog.yml": "repository: acme/blog\nrepository_id: 4799\n"})
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	r.planned("staging")
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	sha := must(w.manager.Commit("main", hub.Change{Remove: []string{"customers/shop.yml"}, Message: "Remove shop"}))(t)
	swept := w.sweepJob(&request{w: w, run: workflowRun{repo: w.manager, run: r.run.run, event: r.run.event, sha: sha, ref: r.run.ref}})
	swept.do(0, "sweep", "--fix").says(t, "unfinished: its run is over (failure)", "repaired")
	w.wantNothingPending()
	swept.do(0, "sweep", "--fix").says(t, "0 open requests, 0 findings")
}

// TestMergeQueueIsBuiltAnew deletes the branch of a merge group before the manager
// looks at it: an ordinary end, and no lack of rights.
func TestMergeQueueIsBuiltAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.commit(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	number := must(w.customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: "change"}))(t)
	branch, event, err := w.customer.QueuePull(number, "casey")
	check(t, err)
	sha := must(w.customer.Head(branch))(t)
	run := must(w.customer.StartRun(hub.NewRun{Event: "merge_group", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(t)
	triggered := w.newJob(workflowRun{repo: w.customer, run: run, event: event, sha: sha, ref: "refs/heads/" + branch, permitsIDToken: true}).start("trigger")
	manager := w.queued()
	check(t, w.customer.SetBranch(branch, ""))
	fetched := w.newJob(manager).do(0, "fetch-vars")
	fetched.want(t, "outcome=superseded", "reason=superseded", "environments=[]", "applies=[]", "customer=shop")
	fetched.says(t, "it has been deleted")
	if strings.Contains(fetched.log, "PAT") {
		t.Errorf("the advice is about tokens:\n%s", fetched.log)
	}
	w.newJob(manager).do(0, "report", "--customer", "shop", "--request", fetched.outputs["request-id"]).want(t, "outcome=error")
	w.wantStatus(sha, "infra/terraform-deploy", "error: ")
	if end := triggered.wait(); strings.Contains(end.log, "pickup") {
		t.Errorf("trigger has waited in vain:\n%s", end.log)
	}
	w.wantNothingPending()
	// A token that may not read branches is still a lack of rights.
	token := "SOURCE_REPOS_PAT=" + w.token(hub.Token{Name: "no contents", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{customerSlug}, Permissions: permissions("actions", "statuses")})
	var requested any
	check(t, json.Unmarshal(manager.event, &requested))
	other := manager
	other.run = must(w.manager.StartRun(hub.NewRun{Event: "repository_dispatch", Path: managerWorkflow, HeadSHA: manager.sha, HeadBranch: "main", Actor: "metapipe-bot", Status: "in_progress"}))(t)
	w.newJob(other).with(token).do(1, "fetch-vars").says(t, "SOURCE_REPOS_PAT")
}

// writeNew makes an empty file.
func writeNew(name string) error { return os.WriteFile(name, nil, 0o600) }
