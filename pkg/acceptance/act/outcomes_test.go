package act

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// inQueue starts the run of a pull request that has entered the merge queue.
func (w *actSetup) inQueue(branch string, files map[string]string) fixture.WorkflowRun {
	t := w.T
	t.Helper()
	w.Commit(w.Customer, branch, files)
	number := fixture.Must(w.Customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: branch}))(t)
	queue, event, err := w.Customer.QueuePull(number, "casey")
	fixture.Check(t, err)
	sha := fixture.Must(w.Customer.Head(queue))(t)
	run := fixture.Must(w.Customer.StartRun(hub.NewRun{Event: "merge_group", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: queue, Actor: "casey", Status: "in_progress"}))(t)
	return fixture.WorkflowRun{Repo: w.Customer, Run: run, Event: event, SHA: sha, Ref: "refs/heads/" + queue, PermitsIDToken: true}
}

// mergeQueueInAct queues a change of the infrastructure, which is planned, and one of
// something else: its required check ends too, although nothing is sent.
func mergeQueueInAct(t *testing.T, w *actSetup) {
	run := w.inQueue("infrastructure", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Plan: 2 to add")
	w.states.WantNone("terraform.tfstate", "a merge queue")

	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	run = w.inQueue("application", map[string]string{"app/main.go": "package main\n"})
	requested := w.trigger(run, nil)
	if !requested.wait() {
		t.Errorf("the workflow has failed:\n%s", requested.log)
	}
	if handed := fixture.ReadOptional(t, filepath.Join(requested.record, handedOn)); handed != "" {
		t.Errorf("what is not merged was deployed: %s", handed)
	}
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Nothing to do")
	w.WantNoDispatch()
	w.WantNothingPending()
}

// noChangesInAct pushes twice; the second push changes a comment alone. Nothing is
// applied, and the job that needs the infrastructure runs all the same.
func noChangesInAct(t *testing.T, w *actSetup) {
	w.wantEnds(w.through(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}), nil), true, true)
	state := w.State("shop/staging")
	run := w.Push("main", map[string]string{"infra/variables.yml": "# nothing new\n" + fixture.VariablesYML})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: No changes")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: No changes")
	if w.State("shop/staging") != state {
		t.Error("the state was written although nothing has changed")
	}
	w.WantNothingPending()
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
func refusedValueInAct(t *testing.T, w *actSetup) {
	run, number := w.Pull(w.Customer, "larger", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging:\n    size: 9\n  production:\n    size: 3\n"})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "plan production", "report")
	head := fixture.Must(w.Customer.Pull(number))(t).Head
	w.WantStatus(head, "infra/terraform-deploy/staging", "failure: ")
	w.WantStatus(head, "infra/terraform-deploy/production", "success: Plan: 2 to add")
	w.WantStatus(head, "infra/terraform-deploy", "failure: ")
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 {
		t.Fatalf("comments: %+v", comments)
	}
	for _, text := range []string{"A shop has three machines at most.", "infra/variables.yml:4"} {
		if !strings.Contains(comments[0].Body, text) {
			t.Errorf("the comment does not say %q:\n%s", text, comments[0].Body)
		}
	}
	w.states.WantNone("terraform.tfstate", "a pull request")
	w.WantNothingPending()
	j.wantHandedOn(t, nil)
}

// brokenManagerInAct has a manager whose own tree cannot be planned: the customer is
// told that it is not for them to mend, and nothing of that tree.
func brokenManagerInAct(t *testing.T, w *actSetup) {
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	if printed := string(fixture.Must(json.Marshal(w.Customer.Snapshot().Statuses))(t)); strings.Contains(printed, "local.missing") {
		t.Errorf("the customer is told of the manager's tree: %s", printed)
	}
	planned, _ := stepOf(j.answered, "plan", "staging")
	if !slices.ContainsFunc(j.answered, func(s actStep) bool { return strings.Contains(s.summary, "broken.tf") }) {
		t.Errorf("no summary in the manager names the file: %+v", planned)
	}
	w.states.WantNone("terraform.tfstate", "a broken tree")
	w.WantNothingPending()
}

// passedOverInAct asks for the second environment alone: the first one is passed over
// and does not hold it up.
func passedOverInAct(t *testing.T, w *actSetup) {
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan production", "report", "report --applying", "apply production", "report")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied")
	w.wantDeployments(run.SHA, "infra/production success")
	w.WantNothingPending()
	j.wantHandedOn(t, map[string]string{"production": "shop in production"})
}

// manual plays the manager's workflow that an operator has started.
func (w *actSetup) manual(inputs map[string]string) journey {
	w.T.Helper()
	return w.answer(w.byHand("main", inputs), inputs).end()
}

// byHand starts the manager's workflow in the name of an operator.
func (w *actSetup) byHand(branch string, inputs map[string]string) fixture.WorkflowRun {
	t := w.T
	t.Helper()
	sha := fixture.Must(w.Manager.Head(branch))(t)
	event := fixture.Must(w.Manager.ManualEvent(fixture.ManagerWorkflow, branch, inputs, "robin"))(t)
	run := fixture.Must(w.Manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Title: runName(t, event), Path: fixture.ManagerWorkflow, HeadSHA: sha, HeadBranch: branch, Actor: "robin", Status: "in_progress"}))(t)
	return fixture.WorkflowRun{Repo: w.Manager, Run: run, Event: event, SHA: sha, Ref: "refs/heads/" + branch}
}

// operatorInAct deploys by hand from the manager, which only its default branch may.
func operatorInAct(t *testing.T, w *actSetup) {
	sha := w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	inputs := map[string]string{"customer": "shop", "environment": "staging", "commit": "", "mode": "apply"}
	w.Commit(w.Manager, "mine", map[string]string{"terraform/mine.tf": "output \"mine\" {\n  value = \"not reviewed\"\n}\n"})
	branch := w.answer(w.byHand("mine", inputs), inputs)
	if well := branch.now.wait(); !well || len(actSteps(t, branch.jobs.record)) != 0 {
		t.Errorf("a job of another branch has begun:\n%s", branch.now.log)
	}
	fixture.Check(t, w.Manager.SetRun(branch.run.Run.ID, "completed", "skipped"))
	w.states.WantNone("", "a run of another branch")
	if printed := w.Customer.Snapshot().Statuses; len(printed) != 0 {
		t.Errorf("the customer was told: %v", printed)
	}

	j := w.manual(inputs)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.WantStatus(sha, "infra/terraform-deploy/staging", "success: Applied")
	if !j.manager || !strings.Contains(w.State("shop/staging"), "shop in staging") || w.State("shop/production") != "" {
		t.Error("not staging alone was applied")
	}
	w.WantNothingPending()
	if j.run.Title != "shop by robin" {
		t.Errorf("the run is called %q", j.run.Title)
	}

	destroy := map[string]string{"customer": "shop", "environment": "staging", "commit": "", "mode": "destroy", "confirm": "shop/production"}
	w.manual(destroy).wantSteps(t, "fetch-vars", "report", "report --final")
	destroy["confirm"] = "shop/staging"
	fixture.Check(t, w.Manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	j = w.manual(destroy)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.WantStatus(sha, "infra/terraform-deploy/staging", "success: Destroy · Applied")
	if !j.manager || strings.Contains(w.State("shop/staging"), "shop in staging") {
		t.Error("staging was not destroyed")
	}
}

// joins onboards another customer of the same manager.
func (w *actSetup) joins(name string, id int64) *actSetup {
	t := w.T
	t.Helper()
	slug := "acme/" + name
	w.Commit(w.Manager, "main", map[string]string{"customers/" + name + ".yml": fmt.Sprintf("repository: %s\nrepository_id: %d\n", slug, id)})
	repo := fixture.Must(w.Hub.AddRepo("acme", name, hub.RepoOptions{ID: id, Private: true}))(t)
	fixture.Check(t, repo.Grant("casey", hub.Write))
	fixture.Check(t, repo.Grant("metapipe-bot", hub.Write))
	fixture.Check(t, repo.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	other := &actSetup{Setup: &fixture.Setup{T: t, Hub: w.Hub, Manager: w.Manager, Customer: repo, Key: w.Key, Store: w.Store}, engine: w.engine, states: w.states, binary: w.binary}
	other.review = other.approves
	w.sources = append(w.sources, slug)
	other.sources = w.sources
	other.Commit(repo, "main", customerWorkflow(t))
	return other
}

// twoCustomersInAct lets two customers deploy at the same time, to the same
// environments of the same manager.
func twoCustomersInAct(t *testing.T, w *actSetup) {
	sides := map[string]*actSetup{"shop": w, "blog": w.joins("blog", 4712)}
	words := map[string]string{"shop": "apricot", "blog": "blackberry"}
	runs, requested, answered := map[string]fixture.WorkflowRun{}, map[string]*actRun{}, map[string]*answering{}
	for name, side := range sides {
		runs[name] = side.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, words[name])})
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
			side.WantStatus(runs[name].SHA, "infra/terraform-deploy/"+env, "success: Applied")
			if state := side.State(name + "/" + env); !strings.Contains(state, own) || strings.Contains(state, other) {
				t.Errorf("the state of %s/%s:\n%s", name, env, state)
			}
		}
		side.wantDeployments(runs[name].SHA, "infra/production success", "infra/staging success")
		side.WantNothingPending()
		seen := string(fixture.Must(json.Marshal(side.Customer.Snapshot()))(t)) + fmt.Sprintf("%+v", j)
		if strings.Contains(seen, other) || !strings.Contains(seen, own) {
			t.Errorf("%s sees something of the other customer", name)
		}
	}
	for _, key := range w.states.Keys("") {
		owner, _, _ := strings.Cut(key, "/")
		if !slices.Contains([]string{"shop", "blog", "_metapipe"}, owner) {
			t.Errorf("object %s belongs to nobody", key)
		}
	}
}
