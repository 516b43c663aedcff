package recovery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// destroyFlags ask for the destroy of staging of shop.
func destroyFlags(confirm string) []string {
	return []string{"fetch-vars", "--customer", "shop", "--environment", "staging", "--mode", "destroy", "--confirm", confirm}
}

// askDestroy is an accepted request to destroy staging of shop.
func askDestroy(w *fixture.Setup) *fixture.Request {
	w.T.Helper()
	run := w.ByHand()
	requested := w.NewJob(run).Do(0, destroyFlags("shop/staging")...)
	requested.Want(w.T, "outcome=requested", "mode=destroy", `targets=["staging"]`, `applies=["staging"]`)
	return &fixture.Request{W: w, Trigger: run, Run: run, Customer: "shop", ID: requested.Outputs["request-id"]}
}

// destroyed asks for the destroy of staging of shop and carries it out: exit is that of
// the apply.
func destroyed(w *fixture.Setup, exit int) *fixture.Request {
	w.T.Helper()
	w.Reviewers("staging", "robin")
	r := askDestroy(w)
	p := r.Planned("staging")
	r.Approve("staging", "robin")
	r.Do(exit, "apply", "staging", "--receipt", p.Outputs["receipt"])
	return r
}

// TestDestroy ends an environment that is neither in the variables nor in the customer's
// file any more, and whose branch may not apply.
func TestDestroy(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: other\nenvironments:\n  production: {}\n"})
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "environments: [production]\n",
		"metapipe.yml": strings.Replace(fixture.ManagerFiles["metapipe.yml"], "staging, branches: [main]", "staging, branches: [release]", 1)})

	r := askDestroy(w)
	plan := r.Planned("staging")
	plan.Want(t, "create=0", "delete=2", "outcome=waiting")
	for _, text := range []string{"DESTROY: this request destroys everything that was deployed to `shop/staging`", "terraform_data.first", "terraform_data.second"} {
		if summary := r.Report().Summary; !strings.Contains(summary, text) {
			t.Errorf("the summary does not say %q:\n%s", text, summary)
		}
	}
	before := w.State("shop/staging")
	apply := []string{"--receipt", plan.Outputs["receipt"]}
	r.Do(4, "apply", "staging", apply...).Says(t, "a destroy needs an approval", "staging-apply")
	w.Reviewers("staging", "robin")
	r.Do(4, "apply", "staging", apply...).Says(t, "no approval for environment staging-apply is on record", "start the destroy again")
	if w.State("shop/staging") != before {
		t.Fatal("a refused destroy has changed the state")
	}
	head := fixture.Must(w.Customer.Head("main"))(t)
	r.Report()
	w.WantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for approval: 2 to destroy")
	r.Approve("staging", "robin")
	r.Do(0, "apply", "staging", apply...).Want(t, "outcome=applied")
	if state := w.State("shop/staging"); strings.Contains(state, "terraform_data") {
		t.Errorf("the state still holds resources:\n%s", state)
	}
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: 2 destroyed")
	w.WantNothingPending()
	r.Do(0, "apply", "staging").Want(t, "outcome=applied") // the job, run again, does nothing
	w.NewJob(w.ByHand()).Do(4, destroyFlags("shop/staging")...).Says(t, "destroyed it at", "nothing left to do")
	w.DriftJob().Do(0, "ledger", "--verify", "--customer", "shop", "--environment", "staging").Says(t, "to be destroyed", "destroyed")
}

// TestUnlistedTarget: an environment that the customer's file does not list any more is
// found by the commands that look after a state, as long as the store has some of it.
func TestUnlistedTarget(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "environments: [production]\n"})
	target := []string{"--customer", "shop", "--environment", "staging"}
	w.DriftJob().Do(0, append([]string{"state", "show"}, target...)...).Says(t, "shop/staging", "lineage")
	w.DriftJob().Do(0, append([]string{"ledger"}, target...)...).Says(t, "applied")
	w.DriftJob().Do(0, "ledger", "--customer", "shop").Says(t, "shop/staging")
	w.DriftJob().Do(0, append([]string{"unlock", "--lock-id", "x"}, target...)...).Says(t, "is not locked")
	w.DriftJob().Do(0, "state", "list").Says(t, "shop/staging", "shop/production")
	fixture.Check(t, os.Remove(w.StateFile("shop/staging")))
	w.DriftJob().Do(0, append([]string{"state", "accept", "--reason", "gone"}, target...)...).Says(t, "accepted for shop/staging")
	// metapipe.yml does not have it either.
	w.Commit(w.Manager, "main", map[string]string{"metapipe.yml": "environments:\n  - {name: production, branches: [main]}\n"})
	w.DriftJob().Do(0, append([]string{"ledger"}, target...)...).Says(t, "applied")
	for _, unknown := range []string{"production2", "..", "Staging", "staging/plans"} {
		w.DriftJob().Do(2, "ledger", "--customer", "shop", "--environment", unknown).Says(t, "does not exist")
	}
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "environments: [staging]\n",
		"metapipe.yml": fixture.ManagerFiles["metapipe.yml"]})
	w.DriftJob().Do(2, "state", "show", "--customer", "shop", "--environment", "production").Says(t, "may not use")
}

// TestEnded: a target that was destroyed is known as such, with and without its empty
// state, and can be built again.
func TestEnded(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "drift: {pending: issue}\n"})
	w.Deployed(fixture.VariablesYML)
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: pending\nenvironments:\n  staging: {}\n"})
	issues := []string{"drift", "--environment", "staging", "--issues", "10"}
	w.DriftJob().Do(6, issues...)
	destroyed(w, 0).Report("--final")
	w.DriftJob().Do(0, issues...)
	if all := w.Customer.Snapshot().Issues; len(all) != 1 || all[0].State != "closed" || !strings.Contains(all[0].Comments[0].Body, "was destroyed at") {
		t.Errorf("the issues after the end: %+v", all)
	}
	for range 2 {
		w.DriftJob().Do(0, "state", "list").Says(t, "ENDED")
		w.DriftJob().Do(0, "state", "list", "--json").Says(t, `"ended": "20`)
		if found, _, _ := w.Scan(0); len(found.Kinds) != 0 || !found.Ended || !strings.Contains(found.Skipped, "was destroyed at") {
			t.Errorf("drift found %+v", found)
		}
		if err := os.Remove(w.StateFile("shop/staging")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	gone := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"}))
	gone.Do(0, "plan", "production")
	gone.Report("--final")
	if all := string(fixture.Must(json.Marshal(w.Customer.Snapshot().Statuses))(t)); strings.Contains(all, "nothing is destroyed") {
		t.Errorf("an ended environment is reported as removed:\n%s", all)
	}
	if comment := strings.Join(w.Printed(), "\n"); strings.Contains(comment, "no longer in the variables") {
		t.Error("a summary reports an ended environment as removed")
	}
	// A first try fails half-way, on a state of another lineage.
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML + "command: 'false'\n"}))
	plan := again.Planned("staging")
	plan.Want(t, "create=2", "delete=0", "outcome=waiting")
	again.Approve("staging", "robin")
	again.Do(1, "apply", "staging", "--receipt", plan.Outputs["receipt"])
	again.Report("--final")
	if list := w.DriftJob().Do(0, "state", "list").Log; strings.Contains(list, "ENDED") {
		t.Errorf("what was built again in part is shown as ended:\n%s", list)
	}
	again = w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	plan = again.Planned("staging")
	again.Approve("staging", "robin")
	again.Do(0, "apply", "staging", "--receipt", plan.Outputs["receipt"])
	again.Report("--final").Want(t, "outcome=success")
	if list := w.DriftJob().Do(0, "state", "list").Log; strings.Contains(list, "ENDED") {
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
	w := fixture.New(t, map[string]string{"terraform/main.tf": destroyCode})
	release := filepath.Join(t.TempDir(), "release")
	w.Deployed(fixture.VariablesYML + "file: " + release + "\n")
	r := destroyed(w, 1)
	head := fixture.Must(w.Customer.Head("main"))(t)
	r.Report("--final").Want(t, "outcome=failure")
	w.WantStatus(head, "infra/terraform-deploy/staging", "failure: Destroy · Apply failed after 1 destroyed")
	if summary := r.Report("--final").Summary; !strings.Contains(summary, "start the destroy again") {
		t.Errorf("the summary does not say how it is repeated:\n%s", summary)
	}
	if state := w.State("shop/staging"); !strings.Contains(state, `"held"`) || strings.Contains(state, `"free"`) {
		t.Fatalf("the state is not that of a destroy half-way:\n%s", state)
	}
	if list := w.DriftJob().Do(0, "state", "list").Log; strings.Contains(list, "ENDED") || strings.Contains(list, "LOST") {
		t.Errorf("a destroy half-way is shown as an end:\n%s", list)
	}
	fixture.Check(t, os.WriteFile(release, nil, 0o600))
	w.Commit(w.Manager, "main", map[string]string{"roots/moved/main.tf": destroyCode, "customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "root: roots/moved\n"})
	r = destroyed(w, 0)
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: 1 destroyed")
	w.DriftJob().Do(0, "state", "list").Says(t, "ENDED")
}

// TestDestroyNothing: where nothing is left, an approved destroy records the end.
func TestDestroyNothing(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"terraform/main.tf": destroyCode})
	w.Deployed(fixture.VariablesYML + "file: /\n")
	w.Deployed(fixture.VariablesYML + "file: /\nnone: true\n")
	w.Reviewers("staging", "robin")
	r := askDestroy(w)
	plan := r.Do(0, "plan", "staging")
	plan.Want(t, "delete=0", "has-changes=false", "outcome=waiting")
	r.Report()
	head := fixture.Must(w.Customer.Head("main"))(t)
	w.WantStatus(head, "infra/terraform-deploy/staging", "pending: Destroy · Waiting for approval: nothing to destroy")
	r.Do(4, "apply", "staging", "--receipt", plan.Outputs["receipt"]).Says(t, "no approval")
	r.Approve("staging", "robin")
	r.Do(0, "apply", "staging", "--receipt", plan.Outputs["receipt"]).Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(head, "infra/terraform-deploy/staging", "success: Destroy · Applied: nothing to destroy")
	w.DriftJob().Do(0, "state", "list").Says(t, "ENDED")
}

// workflowFlags are the inputs that the page gives to the manager's workflow, as the flags
// that it hands to fetch-vars.
func workflowFlags(t *testing.T, names ...string) []string {
	t.Helper()
	text := strings.NewReplacer(names...).Replace(string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), fixture.EndingPages)))(t)))
	_, line, found := strings.Cut(text, "$ gh workflow run infra-deploy.yml ")
	if !found {
		t.Fatalf("%s does not start the workflow", fixture.EndingPages)
	}
	line, _, _ = strings.Cut(line, "\n")
	workflow := string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "workflows", "manager", "infra-deploy.yml")))(t))
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
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	names := []string{"NAME", "shop", "ENVIRONMENT", "staging"}
	page := fixture.PageOf(t, fixture.EndingPages, "End an environment", names...)
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, args...)
	}
	page.Next(0).Says(t, "shop/staging", "free")
	w.Reviewers("staging", "robin")
	run := w.ByHand()
	requested := w.NewJob(run).Do(0, workflowFlags(t, names...)...)
	r := &fixture.Request{W: w, Trigger: run, Run: run, Customer: "shop", ID: requested.Outputs["request-id"]}
	plan := r.Planned("staging")
	r.Approve("staging", "robin")
	r.Do(0, "apply", "staging", "--receipt", plan.Outputs["receipt"])
	r.Report("--final")
	page.Next(0).Says(t, "ENDED")
	page.Next(0).Says(t, "destroyed")
	page.Done()
	w.Commit(w.Manager, "main", map[string]string{"customers/shop.yml": fixture.ManagerFiles["customers/shop.yml"] + "environments: [production]\n"})
	page = fixture.PageOf(t, fixture.EndingPages, "End a customer", names...)
	page.Run = func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.DriftJob().Do(exit, args...)
	}
	page.Next(0).Says(t, "ENDED")
	page.Next(0).Says(t, "destroyed")
	page.Done()
}
