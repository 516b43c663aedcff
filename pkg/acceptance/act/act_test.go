package act

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

const twoEnvironments = "name: %s\nenvironments:\n  staging: {}\n  production: {}\n"

// TestWorkflows plays what happens to a customer and to a manager, in act and in the runner of the
// rehearsal: both have to come to the same steps, statuses and states.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	for _, c := range []struct {
		name  string
		play  func(t *testing.T, w *actSetup)
		files map[string]string // laid over the manager's
		// own: not in act, which is slow. It is about what metapipe does, not about what a runner does.
		own bool
	}{
		{name: "pull-request", play: pullRequestInAct},
		{name: "merge-queue", play: mergeQueueInAct},
		{name: "no-changes", play: noChangesInAct},
		{name: "refused-value", play: refusedValueInAct, own: true, files: map[string]string{"terraform/size.tf": sizeTF}},
		{name: "broken-manager", play: brokenManagerInAct, own: true, files: map[string]string{"terraform/broken.tf": "output \"broken\" {\n  value = local.missing\n}\n"}},
		{name: "failed-apply", play: failedApplyInAct},
		{name: "passed-over", play: passedOverInAct, own: true},
		{name: "rejected-gate", play: rejectedGateInAct},
		{name: "dry-run", play: dryRunInAct},
		{name: "operator", play: operatorInAct},
		{name: "two-customers", play: twoCustomersInAct, own: true},
		{name: "monorepo", play: monorepoInAct, files: monorepoFiles(t)},
		{name: "stacks", play: stacksInAct, files: stacksFiles(t)},
		{name: "needs", play: needsInAct, own: true, files: needsFiles(t)},
		{name: "failed-stack", play: failedStackInAct, own: true, files: stacksFiles(t)},
		{name: "cancelled", play: cancelled, own: true}, // act ends at once, without the jobs that ask for always()
		{name: "re-run", play: rerunInAct},
		{name: "re-run-failed-jobs", play: rerunFailedJobs, own: true}, // act always plays all of them
		{name: "fork", play: forkInAct},
		{name: "inbox", play: inboxInAct},
		{name: "forged", play: forgedInAct},
		{name: "hostile", play: hostileInAct, files: map[string]string{"terraform/hostile.tf": hostileTF}},
	} {
		for _, engine := range []engine{inAct, inRunner} {
			if c.own && engine == inAct {
				continue
			}
			t.Run(string(engine)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.play(t, newSetupIn(t, engine, server, c.files))
			})
		}
	}
}

// wantEnds compares how the two workflows ended.
func (w *actSetup) wantEnds(j journey, customer, manager bool) {
	w.T.Helper()
	if j.customer != customer || j.manager != manager {
		w.T.Fatalf("the customer's workflow succeeded: %v, the manager's: %v; want %v, %v", j.customer, j.manager, customer, manager)
	}
}

// wantSteps compares the commands of the manager's run, each with its environment.
func (j journey) wantSteps(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, s := range j.answered {
		name := strings.TrimSpace(s.command + " " + s.environment)
		for _, flag := range []string{"--applying", "--final"} {
			if slices.Contains(s.args, flag) {
				name += " " + flag
			}
		}
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps of the manager:\n got %q\nwant %q", got, want)
	}
}

// pullRequestInAct plans a pull request of two environments, merges it and applies
// them, the second one behind its gate.
func pullRequestInAct(t *testing.T, w *actSetup) {
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	j := w.through(run, nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "plan production", "report")
	head := fixture.Must(w.Customer.Pull(number))(t).Head
	for _, statusContext := range []string{"", "/staging", "/production"} {
		w.WantStatus(head, "infra/terraform-deploy"+statusContext, "success: ")
	}
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "production") {
		t.Fatalf("comments: %+v", comments)
	}
	if w.State("shop/staging") != "" {
		t.Error("a pull request has applied")
	}

	before := fixture.Must(w.Customer.Head("main"))(t)
	merged := fixture.Must(w.Customer.MergePull(number, hub.Squash, "casey"))(t)
	j = w.through(w.PushedFrom("main", before, merged), nil)
	w.wantEnds(j, true, true)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "plan production", "report", "report --applying", "apply production", "report")
	for _, env := range []string{"staging", "production"} {
		w.WantStatus(merged, "infra/terraform-deploy/"+env, "success: ")
		if !strings.Contains(w.State("shop/"+env), "shop in "+env) {
			t.Errorf("%s was not applied", env)
		}
	}
	w.wantDeployments(merged, "infra/production success", "infra/staging success")
	w.WantNothingPending()
	if comments := w.Customer.Snapshot().Pulls[0].Comments; len(comments) != 1 || comments[0].Edits == 0 {
		t.Errorf("the comment does not tell of the apply: %+v", comments)
	}
	if want := "Request by metapipe-bot"; j.run.Title != want { // of the sender alone, never of the payload
		t.Errorf("the run is called %q, want %q", j.run.Title, want)
	}
	if len(j.run.Reviews) != 1 || !j.run.Reviews[0].Approved {
		t.Errorf("reviews: %+v", j.run.Reviews)
	}
	j.wantHandedOn(t, map[string]string{"staging": "shop in staging", "production": "shop in production"})
}

// wantHandedOn compares the name that the customer's next job was told for each
// environment; want is nil when that job must not run.
func (j journey) wantHandedOn(t *testing.T, want map[string]string) {
	t.Helper()
	if want == nil {
		if j.handedOn != "" {
			t.Errorf("the job that needs the infrastructure ran: %s", j.handedOn)
		}
		return
	}
	var got map[string]map[string]string
	fixture.Check(t, json.Unmarshal([]byte(j.handedOn), &got))
	for env, name := range want {
		if got[env]["name"] != fmt.Sprintf("%q", name) {
			t.Errorf("the next job was handed %s", j.handedOn)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the next job was handed %s", j.handedOn)
	}
}

// wantDeployments compares the deployments of a commit: environment and last state.
func (w *actSetup) wantDeployments(sha string, want ...string) {
	w.T.Helper()
	var got []string
	for _, d := range w.Customer.Snapshot().Deployments {
		if d.SHA == sha && len(d.States) > 0 {
			got = append(got, d.Environment+" "+d.States[len(d.States)-1].State)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.T.Errorf("deployments are %v, want %v", got, want)
	}
}

// failedApplyInAct stops before production when staging fails.
func failedApplyInAct(t *testing.T, w *actSetup) {
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop") + "command: exit 3\n"})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "failure: ")
	if w.State("shop/production") != "" {
		t.Error("production was applied after staging had failed")
	}
	w.WantNothingPending()
	j.wantHandedOn(t, nil)
}

// rejectedGateInAct plays a reviewer who says no: the apply job never starts, and the
// last job closes what is open.
func rejectedGateInAct(t *testing.T, w *actSetup) {
	w.review = func(run fixture.WorkflowRun, environment string, soFar []actStep) {
		w.decides(run, environment, soFar, false)
	}
	run := w.Push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop")})
	j := w.through(run, nil)
	w.wantEnds(j, false, false)
	j.wantSteps(t, "fetch-vars", "report", "plan staging", "report", "report --applying", "apply staging", "report", "plan production", "report", "report", "report --final")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy/production", "failure: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "failure: ")
	w.wantDeployments(run.SHA, "infra/staging success")
	if w.State("shop/staging") == "" || w.State("shop/production") != "" {
		t.Error("not staging alone was applied")
	}
	begun := slices.DeleteFunc(w.states.Keys("/apply-"), func(key string) bool { return !strings.HasSuffix(key, ".json") })
	if len(begun) != 1 || !strings.HasPrefix(begun[0], "shop/staging/") {
		t.Errorf("applies that began: %v", begun)
	}
	w.WantNothingPending()
}

// dryRunInAct starts the customer's workflow by hand.
func dryRunInAct(t *testing.T, w *actSetup) {
	sha := w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	inputs := map[string]string{"mode": "dry-run"}
	fixture.Check(t, w.Customer.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger", Manual: true}))
	run := fixture.Must(w.Customer.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(t)
	event := fixture.Must(w.Customer.ManualEvent(intake.TriggerWorkflow, "main", inputs, "casey"))(t)
	j := w.through(fixture.WorkflowRun{Repo: w.Customer, Run: run, Event: event, SHA: sha, Ref: "refs/heads/main", PermitsIDToken: true}, inputs)
	w.wantEnds(j, true, true)
	w.WantStatus(sha, "infra/terraform-deploy/staging", "success: ")
	if w.State("shop/staging") != "" {
		t.Error("a dry run has applied")
	}
	w.WantNothingPending()
}

// forkInAct gives a pull request of a fork what GitHub gives it.
func forkInAct(t *testing.T, w *actSetup) {
	fixture.Must(w.Hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(t)
	fork := fixture.Must(w.Customer.Fork("mallory", "shop"))(t)
	run, _ := w.Pull(fork, "main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	run.PermitsIDToken = false
	before := string(fixture.Must(json.Marshal(w.Customer.Snapshot().Statuses))(t))
	requested := w.trigger(run, nil)
	if !requested.wait() {
		t.Fatalf("the workflow has failed:\n%s", requested.log)
	}
	if after := string(fixture.Must(json.Marshal(w.Customer.Snapshot().Statuses))(t)); after != before {
		t.Errorf("something was posted: %s", after)
	}
	w.WantNoDispatch()
}
