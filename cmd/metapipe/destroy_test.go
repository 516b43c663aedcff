package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

var endingPages = filepath.Join("docs", "ENDING.md")

// byHand starts the manager's workflow by hand, as robin does.
func (w *world) byHand() workflowRun {
	w.t.Helper()
	sha := must(w.manager.Head("main"))(w.t)
	run := must(w.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: managerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(w.t)
	event := must(w.manager.ManualEvent(managerWorkflow, "main", nil, "robin"))(w.t)
	return workflowRun{repo: w.manager, run: run, event: event, sha: sha, ref: "refs/heads/main"}
}

// destroyFlags ask for the destroy of staging of shop.
func destroyFlags(confirm string) []string {
	return []string{"fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "destroy", "--confirm", confirm}
}

// askDestroy is an accepted request to destroy staging of shop.
func (w *world) askDestroy() *request {
	w.t.Helper()
	run := w.byHand()
	requested := w.newJob(run).do(0, destroyFlags("shop/staging")...)
	requested.want(w.t, "outcome=requested", "mode=destroy", `environments=["staging"]`, `applies=["staging"]`)
	return &request{w: w, trigger: run, run: run, customer: "shop", id: requested.outputs["request-id"]}
}

// destroyed asks for the destroy of staging of shop and carries it out: exit is that of
// the apply.
func (w *world) destroyed(exit int) *request {
	w.t.Helper()
	w.reviewers("staging", "robin")
	r := w.askDestroy()
	p := r.planned("staging")
	r.approve("staging", "robin")
	r.do(exit, "apply", "staging", "--receipt", p.outputs["receipt"])
	return r
}

func (w *world) reviewers(env string, logins ...string) {
	w.t.Helper()
	check(w.t, w.manager.SetEnvironment(env+"-apply", hub.EnvironmentRules{Reviewers: logins}))
}

// TestDestroy ends an environment that is neither in the variables nor in the customer's
// file any more, and whose branch may not apply.
func TestDestroy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "name: other\nenvironments:\n  production: {}\n"})
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"] + "environments: [production]\n",
		"metapipe.yml": strings.Replace(managerFiles["metapipe.yml"], "staging, branches: [main]", "staging, branches: [release]", 1)})

	r := w.askDestroy()
	plan := r.planned("staging")
	plan.want(t, "create=0", "delete=2", "outcome=waiting")
	for _, text := range []string{"DESTROY: this request destroys everything that was deployed to `shop/staging`", "terraform_data.first", "terraform_data.second"} {
		if summary := r.report().summary; !strings.Contains(summary, text) {
			t.Errorf("the summary does not say %q:\n%s", text, summary)
		}
	}
	before := w.state("shop/staging")
	apply := []string{"--receipt", plan.outputs["receipt"]}
	r.do(4, "apply", "staging", apply...).says(t, "a destroy needs an approval", "staging-apply")
	w.reviewers("staging", "robin")
	r.do(4, "apply", "staging", apply...).says(t, "no approval for environment staging-apply is on record", "start the destroy again")
	if w.state("shop/staging") != before {
		t.Fatal("a refused destroy has changed the state")
	}
	head := must(w.customer.Head("main"))(t)
	r.report()
	w.wantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for approval: 2 to destroy")
	r.approve("staging", "robin")
	r.do(0, "apply", "staging", apply...).want(t, "outcome=applied")
	if state := w.state("shop/staging"); strings.Contains(state, "terraform_data") {
		t.Errorf("the state still holds resources:\n%s", state)
	}
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: 2 destroyed")
	w.wantNothingPending()
	r.do(0, "apply", "staging").want(t, "outcome=applied") // the job, run again, does nothing
	w.newJob(w.byHand()).do(4, destroyFlags("shop/staging")...).says(t, "destroyed it at", "nothing left to do")
	w.driftJob().do(0, "ledger", "--verify", "--customer", "shop", "--environment", "staging").says(t, "to be destroyed", "destroyed")
}

// TestUnlistedTarget: an environment that the customer's file does not list any more is
// found by the commands that look after a state, as long as the store has some of it.
func TestUnlistedTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"] + "environments: [production]\n"})
	target := []string{"--customer", "shop", "--environment", "staging"}
	w.driftJob().do(0, append([]string{"state", "show"}, target...)...).says(t, "shop/staging", "lineage")
	w.driftJob().do(0, append([]string{"ledger"}, target...)...).says(t, "applied")
	w.driftJob().do(0, "ledger", "--customer", "shop").says(t, "shop/staging")
	w.driftJob().do(0, append([]string{"unlock", "--lock-id", "x"}, target...)...).says(t, "is not locked")
	w.driftJob().do(0, "state", "list").says(t, "shop/staging", "shop/production")
	check(t, os.Remove(w.stateFile("shop/staging")))
	w.driftJob().do(0, append([]string{"state", "accept", "--reason", "gone"}, target...)...).says(t, "accepted for shop/staging")
	// metapipe.yml does not have it either.
	w.commit(w.manager, "main", map[string]string{"metapipe.yml": "environments:\n  - {name: production, branches: [main]}\n"})
	w.driftJob().do(0, append([]string{"ledger"}, target...)...).says(t, "applied")
	for _, unknown := range []string{"production2", "..", "Staging", "staging/plans"} {
		w.driftJob().do(2, "ledger", "--customer", "shop", "--environment", unknown).says(t, "does not exist")
	}
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"] + "environments: [staging]\n",
		"metapipe.yml": managerFiles["metapipe.yml"]})
	w.driftJob().do(2, "state", "show", "--customer", "shop", "--environment", "production").says(t, "may not use")
}

// TestEnded: a target that was destroyed is known as such, with and without its empty
// state, and can be built again.
func TestEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "drift: {pending: issue}\n"})
	w.deployed(variablesYML)
	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": "name: pending\nenvironments:\n  staging: {}\n"})
	issues := []string{"drift", "--environment", "staging", "--issues", "10"}
	w.driftJob().do(6, issues...)
	w.destroyed(0).report("--final")
	w.driftJob().do(0, issues...)
	if all := w.customer.Snapshot().Issues; len(all) != 1 || all[0].State != "closed" || !strings.Contains(all[0].Comments[0].Body, "was destroyed at") {
		t.Errorf("the issues after the end: %+v", all)
	}
	for range 2 {
		w.driftJob().do(0, "state", "list").says(t, "ENDED")
		w.driftJob().do(0, "state", "list", "--json").says(t, `"ended": "20`)
		if found, _, _ := w.scan(0); len(found.Kinds) != 0 || !found.Ended || !strings.Contains(found.Skipped, "was destroyed at") {
			t.Errorf("drift found %+v", found)
		}
		if err := os.Remove(w.stateFile("shop/staging")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	gone := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"}))
	gone.do(0, "plan", "production")
	gone.report("--final")
	if all := string(must(json.Marshal(w.customer.Snapshot().Statuses))(t)); strings.Contains(all, "nothing is destroyed") {
		t.Errorf("an ended environment is reported as removed:\n%s", all)
	}
	if comment := strings.Join(w.seen, "\n"); strings.Contains(comment, "no longer in the variables") {
		t.Error("a summary reports an ended environment as removed")
	}
	// A first try fails half-way, on a state of another lineage.
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML + "command: 'false'\n"}))
	plan := again.planned("staging")
	plan.want(t, "create=2", "delete=0", "outcome=waiting")
	again.approve("staging", "robin")
	again.do(1, "apply", "staging", "--receipt", plan.outputs["receipt"])
	again.report("--final")
	if list := w.driftJob().do(0, "state", "list").log; strings.Contains(list, "ENDED") {
		t.Errorf("what was built again in part is shown as ended:\n%s", list)
	}
	again = w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	plan = again.planned("staging")
	again.approve("staging", "robin")
	again.do(0, "apply", "staging", "--receipt", plan.outputs["receipt"])
	again.report("--final").want(t, "outcome=success")
	if list := w.driftJob().do(0, "state", "list").log; strings.Contains(list, "ENDED") {
		t.Errorf("what was built again is shown as ended:\n%s", list)
	}
}

// destroyCode has a resource whose destroy fails until a file is there.
const destroyCode = `
variable "config" { type = any }
variable "environment" { type = string }

resource "terraform_data" "free" {
  count = try(var.config.none, false) ? 0 : 1
}

resource "terraform_data" "held" {
  count = try(var.config.none, false) ? 0 : 1
  input = var.config.file
  provisioner "local-exec" {
    when    = destroy
    command = "test -e ${self.input}"
  }
}
`

// TestDestroyHalfway: a destroy that fails is reported as an apply that failed, and is
// repeated for the rest, also with the root in another place.
func TestDestroyHalfway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"terraform/main.tf": destroyCode})
	release := filepath.Join(t.TempDir(), "release")
	w.deployed(variablesYML + "file: " + release + "\n")
	r := w.destroyed(1)
	head := must(w.customer.Head("main"))(t)
	r.report("--final").want(t, "outcome=failure")
	w.wantStatus(head, "infra/terraform-deploy/staging", "failure: Destroy · Apply failed after 1 destroyed")
	if summary := r.report("--final").summary; !strings.Contains(summary, "start the destroy again") {
		t.Errorf("the summary does not say how it is repeated:\n%s", summary)
	}
	if state := w.state("shop/staging"); !strings.Contains(state, `"held"`) || strings.Contains(state, `"free"`) {
		t.Fatalf("the state is not that of a destroy half-way:\n%s", state)
	}
	if list := w.driftJob().do(0, "state", "list").log; strings.Contains(list, "ENDED") || strings.Contains(list, "LOST") {
		t.Errorf("a destroy half-way is shown as an end:\n%s", list)
	}
	check(t, os.WriteFile(release, nil, 0o600))
	w.commit(w.manager, "main", map[string]string{"roots/moved/main.tf": destroyCode, "customers/shop.yml": managerFiles["customers/shop.yml"] + "root: roots/moved\n"})
	r = w.destroyed(0)
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: 1 destroyed")
	w.driftJob().do(0, "state", "list").says(t, "ENDED")
}

// TestDestroyNothing: where nothing is left, an approved destroy records the end.
func TestDestroyNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"terraform/main.tf": destroyCode})
	w.deployed(variablesYML + "file: /\n")
	w.deployed(variablesYML + "file: /\nnone: true\n")
	w.reviewers("staging", "robin")
	r := w.askDestroy()
	plan := r.do(0, "plan", "staging")
	plan.want(t, "delete=0", "has-changes=false", "outcome=waiting")
	r.report()
	head := must(w.customer.Head("main"))(t)
	w.wantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for approval: nothing to destroy")
	r.do(4, "apply", "staging", "--receipt", plan.outputs["receipt"]).says(t, "no approval")
	r.approve("staging", "robin")
	r.do(0, "apply", "staging", "--receipt", plan.outputs["receipt"]).want(t, "outcome=applied")
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: nothing to destroy")
	w.driftJob().do(0, "state", "list").says(t, "ENDED")
}

// workflowFlags are the inputs that the page gives to the manager's workflow, as the flags
// that it hands to fetch-vars.
func workflowFlags(t *testing.T, names ...string) []string {
	t.Helper()
	text := strings.NewReplacer(names...).Replace(string(must(os.ReadFile(filepath.Join(root(t), endingPages)))(t)))
	_, line, found := strings.Cut(text, "$ gh workflow run infra-deploy.yml ")
	if !found {
		t.Fatalf("%s does not start the workflow", endingPages)
	}
	line, _, _ = strings.Cut(line, "\n")
	workflow := string(must(os.ReadFile(filepath.Join(root(t), "workflows", "manager", "infra-deploy.yml")))(t))
	flags := []string{"fetch-vars"}
	for _, input := range strings.Split(line, "-f ")[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(input), "=")
		if !strings.Contains(workflow, "\n      "+name+":\n") || !strings.Contains(workflow, " --"+name+` "$`+strings.ToUpper(name)+`"`) {
			t.Errorf("the workflow has no input %q for the flag --%s", name, name)
		}
		flags = append(flags, "--"+name, value)
	}
	return flags
}

// TestEndingPage plays the commands of docs/ENDING.md.
func TestEndingPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.deployed(variablesYML)
	names := []string{"NAME", "shop", "ENVIRONMENT", "staging"}
	page := pageOf(t, endingPages, "End an environment", names...)
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().do(exit, args...)
	}
	page.next(0).says(t, "shop/staging", "free")
	w.reviewers("staging", "robin")
	run := w.byHand()
	requested := w.newJob(run).do(0, workflowFlags(t, names...)...)
	r := &request{w: w, trigger: run, run: run, customer: "shop", id: requested.outputs["request-id"]}
	plan := r.planned("staging")
	r.approve("staging", "robin")
	r.do(0, "apply", "staging", "--receipt", plan.outputs["receipt"])
	r.report("--final")
	page.next(0).says(t, "ENDED")
	page.next(0).says(t, "destroyed")
	page.done()
	w.commit(w.manager, "main", map[string]string{"customers/shop.yml": managerFiles["customers/shop.yml"] + "environments: [production]\n"})
	page = pageOf(t, endingPages, "End a customer", names...)
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.driftJob().do(exit, args...)
	}
	page.next(0).says(t, "ENDED")
	page.next(0).says(t, "destroyed")
	page.done()
}
