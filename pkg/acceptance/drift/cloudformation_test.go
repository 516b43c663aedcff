package drift

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/cloudformation/cfntest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// exampleTemplates are the stacks of examples/manager-cloudformation.
func exampleTemplates(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, root := range []string{"notices", "settings"} {
		content, err := os.ReadFile(filepath.Join(fixture.Root(t), "examples", "manager-cloudformation", root, "template.yml"))
		fixture.Check(t, err)
		files[root+"/template.yml"] = string(content)
	}
	return files
}

// TestStackDrifts plays two stacks of CloudFormation, the second of which needs an output of the first: the pull request
// shows a change set and leaves nothing behind, the merge executes the one that was shown, and drift is found without
// changing anything.
func TestStackDrifts(t *testing.T) {
	t.Parallel()
	cloud := cfntest.New(t)
	files := exampleTemplates(t)
	files["metapipe.yml"] = `environments: [{name: staging, branches: [main]}]
stacks:
  - {name: notices, root: notices, tool: cloudformation, cloudformation: {tags: {owner: "{{ customer }}"}}}
  - {name: settings, root: settings, tool: cloudformation, needs: [notices]}
`
	w := fixture.New(t, files)
	w.Setenv(cloud.Environ()...)
	const variables = "project_name: shop-one\nenvironments:\n  staging:\n    instance_type: t3.micro\n    max_instances: 2\n"
	pull, _ := w.Pull(w.Customer, "first", map[string]string{"infra/variables.yml": variables})
	looked := w.Accept(pull)
	looked.Do(0, "plan", "staging/notices").Want(t, "outcome=planned")
	looked.Do(0, "plan", "staging/settings").Want(t, "outcome=deferred")
	looked.Report("--final")
	comments := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t))
	for _, want := range []string{"Topic", "DisplayName", "shop-one in staging", "cloudformation 2010-05-15", "depends on the output TopicArn"} {
		if !strings.Contains(comments, want) {
			t.Errorf("the pull request does not say %q: %s", want, comments)
		}
	}
	if left := cloud.Stacks(); len(left) > 0 {
		t.Errorf("the plan of the pull request leaves %+v", left)
	}
	push := func(variables string) {
		t.Helper()
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": variables}))
		for _, stack := range []string{"staging/notices", "staging/settings"} {
			planned := r.Do(0, "plan", stack)
			if planned.Outputs["outcome"] == "no-changes" {
				continue
			}
			r.Do(0, "apply", stack, "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
		}
		r.Report("--final").Want(t, "outcome=success")
	}
	push(variables)
	stacks := cloud.Stacks()
	if len(stacks) != 2 || stacks[0].Tags["owner"] != "shop" || stacks[0].Tags[pipeline.TagTarget] != "shop/staging/notices" {
		t.Fatalf("built %+v", stacks)
	}
	if got := stacks[1].Resources["InstanceSetting"]; !strings.Contains(got, "2 x t3.micro") {
		t.Errorf("built %s", got)
	}
	if got := stacks[1].Resources["NoticeSetting"]; !strings.Contains(got, stacks[0].Name+"-Topic") {
		t.Errorf("the output of the first stack is not in %s", got)
	}
	if out := w.DriftJob().Do(0, "state", "list").Log; !strings.Contains(out, "cloudformation(stack=") || strings.Contains(out, "LOST") {
		t.Errorf("the states are\n%s", out)
	}
	look := func(exit int) map[pipeline.StackName][]pipeline.DriftKind {
		t.Helper()
		kinds := map[pipeline.StackName][]pipeline.DriftKind{}
		for _, r := range fixture.ScanOf(t, w.DriftJob().Do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")).Results {
			kinds[r.Stack] = r.Kinds
		}
		return kinds
	}
	if kinds := look(0); len(kinds["notices"])+len(kinds["settings"]) > 0 {
		t.Errorf("after the apply: %v", kinds)
	}
	cloud.Edit(stacks[1].Name, "InstanceSetting", "Value", "9 x t3.large")
	if kinds := look(6); len(kinds["settings"]) != 1 || kinds["settings"][0] != pipeline.DriftReal || len(kinds["notices"]) > 0 {
		t.Errorf("after an edit: %v", kinds)
	}
	if issues := w.Customer.Snapshot().Issues; len(issues) != 1 || !strings.Contains(issues[0].Body, "9 x t3.large") {
		t.Errorf("the issues are %+v", issues)
	}
	for _, s := range cloud.Stacks() {
		if s.ChangeSets > 0 {
			t.Errorf("the scan leaves %+v", s)
		}
	}
	push(strings.Replace(variables, "max_instances: 2", "max_instances: 3", 1))
	if got := cloud.Stacks()[1].Resources["InstanceSetting"]; !strings.Contains(got, "3 x t3.micro") {
		t.Errorf("built %s", got)
	}
}

// TestKilledApplyOfAStack: an apply that is killed leaves CloudFormation at work. Nothing takes the target for idle until that
// has ended, and then its request is closed.
func TestKilledApplyOfAStack(t *testing.T) {
	t.Parallel()
	cloud := cfntest.New(t)
	files := map[string]string{
		"metapipe.yml":         "environments: [{name: staging, branches: [main]}]\nstacks: [{name: notices, root: notices, tool: cloudformation}]\n",
		"notices/template.yml": exampleTemplates(t)["notices/template.yml"],
	}
	w := fixture.New(t, files)
	w.Setenv(cloud.Environ()...)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "project_name: shop-one\nenvironments: {staging: {}}\n"}))
	planned := r.Planned("staging/notices")
	cloud.Hold("Topic")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging/notices", "--receipt", planned.Outputs["receipt"])...)
	for !cloud.Reached("Topic") {
		time.Sleep(10 * time.Millisecond)
	}
	fixture.Check(t, p.Kill())
	p.Wait()
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	sweep := func() fixture.Result {
		t.Helper()
		j := w.DriftJob()
		j.Binary = "metapipe-later"
		return j.Do(0, "sweep", "--fix")
	}
	sweep().Says(t, "busy", "CREATE_IN_PROGRESS")
	w.DriftJob().Do(0, "state", "list").Says(t, "CREATE_IN_PROGRESS")
	if statuses := w.Customer.Snapshot().Statuses; strings.Contains(fmt.Sprint(statuses), "failure") {
		t.Errorf("the request is closed although CloudFormation goes on: %v", statuses)
	}
	cloud.Release("Topic")
	for cloud.Stacks()[0].Status != "CREATE_COMPLETE" {
		time.Sleep(10 * time.Millisecond)
	}
	sweep().Says(t, "unfinished")
	next := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "project_name: shop-one\nenvironments: {staging: {}}\n# again\n"}))
	next.Do(0, "plan", "staging/notices").Want(t, "outcome=no-changes")
}

// TestLostAndDestroyedStack: a stack that is gone is a lost state, which can be accepted; and a stack is destroyed behind its
// gate.
func TestLostAndDestroyedStack(t *testing.T) {
	t.Parallel()
	cloud := cfntest.New(t)
	w := fixture.New(t, map[string]string{
		"metapipe.yml":         "environments: [{name: staging, branches: [main]}]\nstacks: [{name: notices, root: notices, tool: cloudformation}]\n",
		"notices/template.yml": exampleTemplates(t)["notices/template.yml"],
	})
	w.Setenv(cloud.Environ()...)
	target := []string{"--customer", "shop", "--environment", "staging", "--stack", "notices"}
	deploy := func(comment string) {
		t.Helper()
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "project_name: shop-one\nenvironments: {staging: {}}\n# " + comment + "\n"}))
		planned := r.Planned("staging/notices")
		r.Do(0, "apply", "staging/notices", "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
		r.Report("--final").Want(t, "outcome=success")
	}
	deploy("one")
	cloud.Remove(cloud.Stacks()[0].Name)
	w.DriftJob().Do(6, "drift", "--environment", "staging").Says(t, "is lost")
	w.DriftJob().Do(0, "state", "list").Says(t, "LOST")
	lost := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "project_name: shop-two\nenvironments: {staging: {}}\n"}))
	lost.Do(4, "plan", "staging/notices").Says(t, "is lost")
	w.DriftJob().Do(2, append([]string{"state", "restore"}, target...)...).Says(t, "cannot bring states back with cloudformation")
	w.DriftJob().Do(0, append([]string{"state", "accept", "--reason", "deleted by hand"}, target...)...)
	deploy("two")
	w.Reviewers("staging", "robin")
	run := w.ByHand()
	requested := w.NewJob(run).Do(0, append([]string{"fetch-vars", "--mode", "destroy", "--confirm", "shop/staging/notices"}, target...)...)
	r := &fixture.Request{W: w, Trigger: run, Run: run, Customer: "shop", ID: requested.Outputs["request-id"]}
	planned := r.Planned("staging/notices")
	planned.Want(t, "delete=1")
	r.Approve("staging", "robin")
	r.Do(0, "apply", "staging/notices", "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied")
	if left := cloud.Stacks(); len(left) > 0 {
		t.Errorf("the destroy leaves %+v", left)
	}
	r.Report("--final").Want(t, "outcome=success")
	w.DriftJob().Do(0, "state", "list").Says(t, "ENDED")
}
