package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// request is an accepted request with the manager's run that works on it.
type request struct {
	w            *world
	trigger, run workflowRun
	customer, id string
}

// accept sends the request of a customer's run and lets the manager take it.
func (w *world) accept(run workflowRun, args ...string) *request {
	w.t.Helper()
	r, fetched := w.ask(run, 0, args...)
	fetched.want(w.t, "outcome=requested", "reason=")
	return r
}

// ask sends the request; fetch-vars has to end with the exit code. A request that
// it rejects is reported at once, as in every job.
func (w *world) ask(run workflowRun, exit int, args ...string) (*request, result) {
	w.t.Helper()
	triggered := w.newJob(run).start(append([]string{"trigger"}, args...)...)
	r := &request{w: w, trigger: run, run: w.queued()}
	fetched := w.newJob(r.run).do(exit, "fetch-vars")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	if exit != 0 { // the report tells the customer
		r.report("--final").want(w.t, "outcome=failure")
		if end := triggered.wait(); end.exit != 1 {
			w.t.Errorf("trigger ended with exit code %d although the request was not accepted:\n%s", end.exit, end.log)
		}
		return r, fetched
	}
	end := triggered.wait()
	if end.exit != 0 {
		w.t.Fatalf("trigger ended with exit code %d:\n%s", end.exit, end.log)
	}
	end.want(w.t, "request-id="+r.id, "outcome=requested", "skipped=", "outputs={}")
	if !strings.Contains(end.outputs["run-url"], fmt.Sprint(r.run.run.ID)) {
		w.t.Errorf("run-url is %q", end.outputs["run-url"])
	}
	return r, fetched
}

// args are the flags that name a target.
func (r *request) args(command, env string, more ...string) []string {
	return append([]string{command, "--customer", r.customer, "--request", r.id, "--environment", env}, more...)
}

// do runs plan or apply in a job of its own.
func (r *request) do(exit int, command, env string, more ...string) result {
	r.w.t.Helper()
	return r.w.newJob(r.run).do(exit, r.args(command, env, more...)...)
}

// report runs report in a job of its own.
func (r *request) report(more ...string) result {
	r.w.t.Helper()
	return r.w.newJob(r.run).do(0, append([]string{"report", "--customer", r.customer, "--request", r.id}, more...)...)
}

// approve lets the job of the apply wait for its environment, and somebody approve.
func (r *request) approve(env, login string) {
	r.w.t.Helper()
	must(r.w.manager.EnterEnvironment(r.run.run.ID, "apply", env+"-apply"))(r.w.t)
	check(r.w.t, r.w.manager.Review(r.run.run.ID, env+"-apply", login, true, ""))
}

// planned is a plan that waits for its apply.
func (r *request) planned(env string) result {
	r.w.t.Helper()
	p := r.do(0, "plan", env)
	p.want(r.w.t, "outcome=waiting", "reason=", "has-changes=true")
	return p
}

func TestVerbsOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	r, fetched := w.ask(run, 0)
	fetched.want(t, "customer=shop", "mode=apply", `environments=["staging","production"]`, `applies=["staging","production"]`, "outcome=requested")
	w.wantStatus(run.sha, "infra/terraform-deploy", "pending: ")
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "pending: ")

	for _, env := range []string{"staging", "production"} {
		p := r.do(0, "plan", env)
		p.want(t, "outcome=waiting", "reason=", "has-changes=true", "create=2", "update=0", "replace=0", "delete=0", "import=0", "move=0", "forget=0")
		if len(p.outputs["receipt-code"]) != len("0000-0000-0000") || pipeline.ReceiptCode(p.outputs["receipt"]) != p.outputs["receipt-code"] {
			t.Errorf("receipt %q", p.outputs["receipt-code"])
		}
		if w.state("shop/"+env) != "" {
			t.Errorf("plan has written a state:\n%s", w.state("shop/"+env))
		}
		printed := r.report()
		printed.want(t, "outcome=pending")
		if !strings.Contains(printed.summary, p.outputs["receipt-code"]) || !strings.Contains(printed.summary, "terraform_data.first") {
			t.Errorf("the summary does not show the plan and its receipt:\n%s", printed.summary)
		}
		if env == "production" { // gated
			r.do(4, "apply", env, "--receipt", p.outputs["receipt"]).want(t, "reason=missing-protection")
			r.approve(env, "robin")
		}
		r.do(0, "apply", env, "--receipt", p.outputs["receipt"]).want(t, "outcome=applied", "reason=")
		r.report()
		w.wantStatus(run.sha, "infra/terraform-deploy/"+env, "success: Applied")
	}
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Applied to staging, production")
	w.wantNothingPending()

	w.hub.ResetCalls()
	r.report("--final").want(t, "outcome=success")
	if got := w.writes(); len(got) != 0 {
		t.Errorf("the second report wrote: %v", got)
	}
	w.wantOutputs(run, r)
	w.wantNoSecret("shop/staging")
}

// wantOutputs runs the customer's job again: it finds its request ended and
// hands the outputs on.
func (w *world) wantOutputs(run workflowRun, r *request) {
	w.t.Helper()
	p := w.newJob(run).start("trigger", "--wait", "1m")
	q := w.queued()
	w.newJob(q).do(3, "fetch-vars").want(w.t, "reason=replayed")
	end := p.wait()
	if end.exit != 0 {
		w.t.Fatalf("trigger --wait ended with exit code %d:\n%s", end.exit, end.log)
	}
	end.want(w.t, "outcome=applied", "request-id="+r.id)
	var outputs map[string]map[string]string
	check(w.t, json.Unmarshal([]byte(end.outputs["outputs"]), &outputs))
	if got := outputs["staging"]["name"]; got != `"shop in staging"` || len(outputs) != 2 {
		w.t.Errorf("outputs %v", outputs)
	}
	if _, out := outputs["staging"]["password"]; out {
		w.t.Errorf("the password came out: %v", outputs)
	}
}

// wantNoSecret takes the password out of the state and looks for it in
// everything that anybody can see, and in the store.
func (w *world) wantNoSecret(target string) {
	w.t.Helper()
	var state struct {
		Outputs map[string]struct{ Value string }
	}
	check(w.t, json.Unmarshal([]byte(w.state(target)), &state))
	secret := state.Outputs["password"].Value
	if len(secret) < 32 {
		w.t.Fatalf("no password in the state of %s", target)
	}
	seen := strings.Join(w.seen, "\n") + string(must(json.Marshal(w.hub.Snapshot()))(w.t))
	if strings.Contains(seen, secret) {
		w.t.Errorf("the password of %s got out", target)
	}
	check(w.t, filepath.WalkDir(w.store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(filepath.Base(at), "terraform.tfstate") {
			return err
		}
		b, err := os.ReadFile(at)
		if strings.Contains(string(b), secret) {
			w.t.Errorf("%s holds the password in clear", at)
		}
		return err
	}))
}

func TestPullRequestIsPlannedAndMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, number := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": variablesYML})
	pr := must(w.customer.Pull(number))(t)
	r, fetched := w.ask(run, 0)
	fetched.want(t, "mode=plan", `environments=["staging"]`, "applies=[]")
	p := r.do(0, "plan", "staging")
	p.want(t, "outcome=planned", "has-changes=true", "create=2")
	r.do(4, "apply", "staging", "--receipt", p.outputs["receipt"]).want(t, "reason=mode-forbids-apply")
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(pr.Head, "infra/terraform-deploy", "success: Plan: 2 to add")
	if w.state("shop/staging") != "" {
		t.Error("a pull request has made a state")
	}
	merged := must(w.customer.MergePull(number, "merge", "casey"))(t)
	pushed := w.pushed("main", merged)
	again := w.accept(pushed)
	q := again.planned("staging")
	if q.outputs["receipt"] == p.outputs["receipt"] {
		t.Error("the plan of the merge has the receipt of the pull request's plan")
	}
	again.do(0, "apply", "staging").want(t, "outcome=applied")
	again.report("--final")
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "**Applied: 2 added**") || !strings.Contains(comments[0].Body, "same as the plan in the pull request") {
		t.Errorf("comments %+v", comments)
	}
	w.wantNothingPending()
	w.wantNoSecret("shop/staging")
}
