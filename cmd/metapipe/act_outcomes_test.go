package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// inQueue starts the run of a pull request that has entered the merge queue.
func (w *actWorld) inQueue(branch string, files map[string]string) workflowRun {
	t := w.t
	t.Helper()
	w.commit(w.customer, branch, files)
	number := must(w.customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: branch}))(t)
	queue, event, err := w.customer.QueuePull(number, "casey")
	check(t, err)
	sha := must(w.customer.Head(queue))(t)
	run := must(w.customer.StartRun(hub.NewRun{Event: "merge_group", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: queue, Actor: "casey", Status: "in_progress"}))(t)
	return workflowRun{repo: w.customer, run: run, event: event, sha: sha, ref: "refs/heads/" + queue, permitsIDToken: true}
}

// mergeQueueInAct queues a change of the infrastructure, which is planned, and one of
// something else: its required check ends too, although nothing is sent.
func mergeQueueInAct(t *testing.T, w *actWorld) {
	run := w.inQueue("infrastructure", map[string]string{"infra/variables.yml": variablesYML})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Plan: 2 to add")
	w.states.wantNone("terraform.tfstate", "a merge queue")

	w.commit(w.customer, "main", map[string]string{"infra/variables.yml": variablesYML})
	run = w.inQueue("application", map[string]string{"app/main.go": "package main\n"})
	requested := w.trigger(run, nil)
	if !requested.wait() {
		t.Errorf("the workflow has failed:\n%s", requested.log)
	}
	if handed := readOptional(t, filepath.Join(requested.record, handedOn)); handed != "" {
		t.Errorf("what is not merged was deployed: %s", handed)
	}
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Nothing to do")
	w.wantNoDispatch()
	w.wantNothingPending()
}

// noChangesInAct pushes twice; the second push changes a comment alone. Nothing is
// applied, and the job that needs the infrastructure runs all the same.
func noChangesInAct(t *testing.T, w *actWorld) {
	w.wantEnds(w.through(w.push("main", map[string]string{"infra/variables.yml": variablesYML}), nil), true, true)
	state := w.state("shop/staging")
	run := w.push("main", map[string]string{"infra/variables.yml": "# nothing new\n" + variablesYML})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "success: No changes")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: No changes")
	if w.state("shop/staging") != state {
		t.Error("the state was written although nothing has changed")
	}
	w.wantNothingPending()
	j.wantHandedOn(t, map[string]string{"staging": "shop in staging"})
}

// sizeTF refuses a value that metapipe itself cannot know to be wrong.
const sizeTF = `
variable "size" {
  type = number
  validation {
    condition     = var.size <= 3
    error_message = "A shop has three machines at most."
  }
}
`

// refusedValueInAct proposes a value that Terraform refuses for staging. Production
// is planned all the same, so that a reviewer sees every mistake at once.
func refusedValueInAct(t *testing.T, w *actWorld) {
	run, number := w.pull(w.customer, "larger", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging:\n    size: 9\n  production:\n    size: 3\n"})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "plan production", "report", "report --final")
	head := must(w.customer.Pull(number))(t).Head
	w.wantStatus(head, "infra/terraform-deploy/staging", "failure: ")
	w.wantStatus(head, "infra/terraform-deploy/production", "success: Plan: 2 to add")
	w.wantStatus(head, "infra/terraform-deploy", "failure: ")
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 {
		t.Fatalf("comments: %+v", comments)
	}
	for _, text := range []string{"A shop has three machines at most.", "infra/variables.yml:4"} {
		if !strings.Contains(comments[0].Body, text) {
			t.Errorf("the comment does not say %q:\n%s", text, comments[0].Body)
		}
	}
	w.states.wantNone("terraform.tfstate", "a pull request")
	w.wantNothingPending()
	j.wantHandedOn(t, nil)
}

// brokenManagerInAct has a manager whose own tree cannot be planned: the customer is
// told that it is not for them to mend, and nothing of that tree.
func brokenManagerInAct(t *testing.T, w *actWorld) {
	run := w.push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "failure: ")
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	if printed := string(must(json.Marshal(w.customer.Snapshot().Statuses))(t)); strings.Contains(printed, "local.missing") {
		t.Errorf("the customer is told of the manager's tree: %s", printed)
	}
	planned, _ := stepOf(j.answered, "plan", "staging")
	if !slices.ContainsFunc(j.answered, func(s actStep) bool { return strings.Contains(s.summary, "broken.tf") }) {
		t.Errorf("no summary in the manager names the file: %+v", planned)
	}
	w.states.wantNone("terraform.tfstate", "a broken tree")
	w.wantNothingPending()
}

// passedOverInAct asks for the second environment alone: the first one is passed over
// and does not hold it up.
func passedOverInAct(t *testing.T, w *actWorld) {
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan production", "report", "report --applying", "apply production", "report", "report --final")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Applied")
	w.wantDeployments(run.sha, "infra/production success")
	w.wantNothingPending()
	j.wantHandedOn(t, map[string]string{"production": "shop in production"})
}

// manual starts the manager's workflow in the name of an operator.
func (w *actWorld) manual(branch string, inputs map[string]string) journey {
	t := w.t
	t.Helper()
	sha := must(w.manager.Head(branch))(t)
	event := must(w.manager.ManualEvent(managerWorkflow, branch, inputs, "robin"))(t)
	run := must(w.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Title: runName(t, event), Path: managerWorkflow, HeadSHA: sha, HeadBranch: branch, Actor: "robin", Status: "in_progress"}))(t)
	return w.answer(workflowRun{repo: w.manager, run: run, event: event, sha: sha, ref: "refs/heads/" + branch}, inputs).end()
}

// operatorInAct deploys by hand from the manager, which only its default branch may.
func operatorInAct(t *testing.T, w *actWorld) {
	sha := w.commit(w.customer, "main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	inputs := map[string]string{"customer": "shop", "environment": "staging", "commit": "", "mode": "apply"}
	w.commit(w.manager, "mine", map[string]string{"terraform/mine.tf": "output \"mine\" {\n  value = \"not reviewed\"\n}\n"})
	j := w.manual("mine", inputs)
	j.wantSteps(t, "fetch-vars", "report", "report --final")
	if fetched := j.answered[0]; j.manager || fetched.exit != "3" {
		t.Errorf("a branch of the manager may deploy: %+v", fetched)
	}
	w.states.wantNone("shop/", "a run of another branch") // the fleet's own ledger tells of it
	if printed := w.customer.Snapshot().Statuses; len(printed) != 0 {
		t.Errorf("the customer was told: %v", printed)
	}

	j = w.manual("main", inputs)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.wantStatus(sha, "infra/terraform-deploy/staging", "success: Applied")
	if !j.manager || !strings.Contains(w.state("shop/staging"), "shop in staging") || w.state("shop/production") != "" {
		t.Error("not staging alone was applied")
	}
	w.wantNothingPending()
	if j.run.Title != "shop by robin" {
		t.Errorf("the run is called %q", j.run.Title)
	}

	destroy := map[string]string{"customer": "shop", "environment": "staging", "commit": "", "mode": "destroy", "confirm": "shop/production"}
	w.manual("main", destroy).wantSteps(t, "fetch-vars", "report", "report --final")
	destroy["confirm"] = "shop/staging"
	check(t, w.manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	j = w.manual("main", destroy)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.wantStatus(sha, "infra/terraform-deploy/staging", "success: Destroy · Applied")
	if !j.manager || strings.Contains(w.state("shop/staging"), "shop in staging") {
		t.Error("staging was not destroyed")
	}
}

// joins onboards another customer of the same manager.
func (w *actWorld) joins(name string, id int64) *actWorld {
	t := w.t
	t.Helper()
	slug := "acme/" + name
	w.commit(w.manager, "main", map[string]string{"customers/" + name + ".yml": fmt.Sprintf("repository: %s\nrepository_id: %d\n", slug, id)})
	repo := must(w.hub.AddRepo("acme", name, hub.RepoOptions{ID: id, Private: true}))(t)
	check(t, repo.Grant("casey", hub.Write))
	check(t, repo.Grant("metapipe-bot", hub.Write))
	check(t, repo.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	other := &actWorld{world: &world{t: t, hub: w.hub, manager: w.manager, customer: repo, key: w.key, store: w.store}, states: w.states, binary: w.binary}
	other.review = other.approves
	w.sources = append(w.sources, slug)
	other.sources = w.sources
	other.commit(repo, "main", customerWorkflow(t))
	return other
}

// twoCustomersInAct lets two customers deploy at the same time, to the same
// environments of the same manager.
func twoCustomersInAct(t *testing.T, w *actWorld) {
	sides := map[string]*actWorld{"shop": w, "blog": w.joins("blog", 4712)}
	words := map[string]string{"shop": "apricot", "blog": "blackberry"}
	runs, requested, answered := map[string]workflowRun{}, map[string]*actRun{}, map[string]*answering{}
	for name, side := range sides {
		runs[name] = side.push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, words[name])})
		requested[name] = side.trigger(runs[name], nil)
		work := side.dispatched(requested[name])
		answered[name] = side.answer(work, nil)
	}
	for name, side := range sides {
		j := answered[name].end().with(requested[name])
		side.wantEnds(j, true, true)
		own, other := words[name], words["shop"]
		if name == "shop" {
			other = words["blog"]
		}
		j.wantHandedOn(t, map[string]string{"staging": own + " in staging", "production": own + " in production"})
		for _, env := range []string{"staging", "production"} {
			side.wantStatus(runs[name].sha, "infra/terraform-deploy/"+env, "success: Applied")
			if state := side.state(name + "/" + env); !strings.Contains(state, own) || strings.Contains(state, other) {
				t.Errorf("the state of %s/%s:\n%s", name, env, state)
			}
		}
		side.wantDeployments(runs[name].sha, "infra/production success", "infra/staging success")
		side.wantNothingPending()
		seen := string(must(json.Marshal(side.customer.Snapshot()))(t)) + fmt.Sprintf("%+v", j)
		if strings.Contains(seen, other) || !strings.Contains(seen, own) {
			t.Errorf("%s sees something of the other customer", name)
		}
	}
	for _, key := range w.states.keys("") {
		owner, _, _ := strings.Cut(key, "/")
		if !slices.Contains([]string{"shop", "blog", "_metapipe"}, owner) {
			t.Errorf("object %s belongs to nobody", key)
		}
	}
}
