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

// Request is an accepted request with the manager's run that works on it.
type Request struct {
	W            *Setup
	Trigger, Run WorkflowRun
	Customer, ID string
}

// Accept sends the request of a customer's run and lets the manager take it.
func (w *Setup) Accept(run WorkflowRun, args ...string) *Request {
	w.T.Helper()
	r, fetched := w.Ask(run, 0, args...)
	fetched.Want(w.T, "outcome=requested", "reason=")
	return r
}

// Ask sends the request; fetch-vars has to end with the exit code. A request that
// it rejects is reported at once, as in every job.
func (w *Setup) Ask(run WorkflowRun, exit int, args ...string) (*Request, Result) {
	w.T.Helper()
	triggered := w.NewJob(run).Start(append([]string{"trigger"}, args...)...)
	r := &Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).Do(exit, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	if exit != 0 { // the report tells the customer
		r.Report("--final").Want(w.T, "outcome=failure")
		if end := triggered.Wait(); end.Exit != 1 {
			w.T.Errorf("trigger ended with exit code %d although the request was not accepted:\n%s", end.Exit, end.Log)
		}
		return r, fetched
	}
	end := triggered.Wait()
	if end.Exit != 0 {
		w.T.Fatalf("trigger ended with exit code %d:\n%s", end.Exit, end.Log)
	}
	end.Want(w.T, "request-id="+r.ID, "outcome=requested", "skipped=", "outputs={}")
	if !strings.Contains(end.Outputs["run-url"], fmt.Sprint(r.Run.Run.ID)) {
		w.T.Errorf("run-url is %q", end.Outputs["run-url"])
	}
	return r, fetched
}

// Args are the flags that name a target.
func (r *Request) Args(command, env string, more ...string) []string {
	return append([]string{command, "--customer", r.Customer, "--request", r.ID, "--environment", env}, more...)
}

// Do runs plan or apply in a job of its own.
func (r *Request) Do(exit int, command, env string, more ...string) Result {
	r.W.T.Helper()
	return r.W.NewJob(r.Run).Do(exit, r.Args(command, env, more...)...)
}

// Report runs report in a job of its own.
func (r *Request) Report(more ...string) Result {
	r.W.T.Helper()
	return r.W.NewJob(r.Run).Do(0, append([]string{"report", "--customer", r.Customer, "--request", r.ID}, more...)...)
}

// Approve lets the job of the apply wait for its environment, and somebody approve.
func (r *Request) Approve(env, login string) {
	r.W.T.Helper()
	Must(r.W.Manager.EnterEnvironment(r.Run.Run.ID, "apply", env+"-apply"))(r.W.T)
	Check(r.W.T, r.W.Manager.Review(r.Run.Run.ID, env+"-apply", login, true, ""))
}

// Planned is a plan that waits for its apply.
func (r *Request) Planned(env string) Result {
	r.W.T.Helper()
	p := r.Do(0, "plan", env)
	p.Want(r.W.T, "outcome=waiting", "reason=", "has-changes=true")
	return p
}

func TestVerbsOneByOne(t *testing.T) {
	t.Parallel()
	w := New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	r, fetched := w.Ask(run, 0)
	fetched.Want(t, "customer=shop", "mode=apply", `environments=["staging","production"]`, `applies=["staging","production"]`, "outcome=requested")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "pending: ")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "pending: ")

	for _, env := range []string{"staging", "production"} {
		p := r.Do(0, "plan", env)
		p.Want(t, "outcome=waiting", "reason=", "has-changes=true", "create=2", "update=0", "replace=0", "delete=0", "import=0", "move=0", "forget=0")
		if len(p.Outputs["receipt-code"]) != len("0000-0000-0000") || pipeline.ReceiptCode(p.Outputs["receipt"]) != p.Outputs["receipt-code"] {
			t.Errorf("receipt %q", p.Outputs["receipt-code"])
		}
		if w.State("shop/"+env) != "" {
			t.Errorf("plan has written a state:\n%s", w.State("shop/"+env))
		}
		printed := r.Report()
		printed.Want(t, "outcome=pending")
		if !strings.Contains(printed.Summary, p.Outputs["receipt-code"]) || !strings.Contains(printed.Summary, "terraform_data.first") {
			t.Errorf("the summary does not show the plan and its receipt:\n%s", printed.Summary)
		}
		if env == "production" { // gated
			r.Do(4, "apply", env, "--receipt", p.Outputs["receipt"]).Want(t, "reason=missing-protection")
			r.Approve(env, "robin")
		}
		r.Do(0, "apply", env, "--receipt", p.Outputs["receipt"]).Want(t, "outcome=applied", "reason=")
		r.Report()
		w.WantStatus(run.SHA, "infra/terraform-deploy/"+env, "success: Applied")
	}
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "success: Applied to staging, production")
	w.WantNothingPending()

	w.Hub.ResetCalls()
	r.Report("--final").Want(t, "outcome=success")
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the second report wrote: %v", got)
	}
	wantOutputs(w, run, r)
	wantNoSecret(w, "shop/staging")
}

// wantOutputs runs the customer's job again: it finds its request ended and
// hands the outputs on.
func wantOutputs(w *Setup, run WorkflowRun, r *Request) {
	w.T.Helper()
	p := w.NewJob(run).Start("trigger", "--wait", "1m")
	q := w.Queued()
	w.NewJob(q).Do(3, "fetch-vars").Want(w.T, "reason=replayed")
	end := p.Wait()
	if end.Exit != 0 {
		w.T.Fatalf("trigger --wait ended with exit code %d:\n%s", end.Exit, end.Log)
	}
	end.Want(w.T, "outcome=applied", "request-id="+r.ID)
	var outputs map[string]map[string]string
	Check(w.T, json.Unmarshal([]byte(end.Outputs["outputs"]), &outputs))
	if got := outputs["staging"]["name"]; got != `"shop in staging"` || len(outputs) != 2 {
		w.T.Errorf("outputs %v", outputs)
	}
	if _, out := outputs["staging"]["password"]; out {
		w.T.Errorf("the password came out: %v", outputs)
	}
}

// wantNoSecret takes the password out of the state and looks for it in
// everything that anybody can see, and in the store.
func wantNoSecret(w *Setup, target string) {
	w.T.Helper()
	var state struct {
		Outputs map[string]struct{ Value string }
	}
	Check(w.T, json.Unmarshal([]byte(w.State(target)), &state))
	secret := state.Outputs["password"].Value
	if len(secret) < 32 {
		w.T.Fatalf("no password in the state of %s", target)
	}
	seen := strings.Join(w.Seen, "\n") + string(Must(json.Marshal(w.Hub.Snapshot()))(w.T))
	if strings.Contains(seen, secret) {
		w.T.Errorf("the password of %s got out", target)
	}
	Check(w.T, filepath.WalkDir(w.Store, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(filepath.Base(at), "terraform.tfstate") {
			return err
		}
		b, err := os.ReadFile(at)
		if strings.Contains(string(b), secret) {
			w.T.Errorf("%s holds the password in clear", at)
		}
		return err
	}))
}

func TestPullRequestIsPlannedAndMerged(t *testing.T) {
	t.Parallel()
	w := New(t, nil)
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": VariablesYML})
	pr := Must(w.Customer.Pull(number))(t)
	r, fetched := w.Ask(run, 0)
	fetched.Want(t, "mode=plan", `environments=["staging"]`, "applies=[]")
	p := r.Do(0, "plan", "staging")
	p.Want(t, "outcome=planned", "has-changes=true", "create=2")
	r.Do(4, "apply", "staging", "--receipt", p.Outputs["receipt"]).Want(t, "reason=mode-forbids-apply")
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(pr.Head, "infra/terraform-deploy", "success: Plan: 2 to add")
	if w.State("shop/staging") != "" {
		t.Error("a pull request has made a state")
	}
	merged := Must(w.Customer.MergePull(number, "merge", "casey"))(t)
	pushed := w.Pushed("main", merged)
	again := w.Accept(pushed)
	q := again.Planned("staging")
	if q.Outputs["receipt"] == p.Outputs["receipt"] {
		t.Error("the plan of the merge has the receipt of the pull request's plan")
	}
	again.Do(0, "apply", "staging").Want(t, "outcome=applied")
	again.Report("--final")
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "**Applied: 2 added**") || !strings.Contains(comments[0].Body, "same as the plan in the pull request") {
		t.Errorf("comments %+v", comments)
	}
	w.WantNothingPending()
	wantNoSecret(w, "shop/staging")
}
