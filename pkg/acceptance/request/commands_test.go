package request

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestVerbsOneByOne(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	r, fetched := w.Ask(run, 0)
	fetched.Want(t, "customer=shop", "mode=apply", `targets=["staging","production"]`, `applies=["staging","production"]`, "outcome=requested")
	w.WantStatus(run.SHA, "infra/terraform-deploy", "pending: ")
	r.Report()
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
func wantOutputs(w *fixture.Setup, run fixture.WorkflowRun, r *fixture.Request) {
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
	fixture.Check(w.T, json.Unmarshal([]byte(end.Outputs["outputs"]), &outputs))
	if got := outputs["staging"]["name"]; got != `"shop in staging"` || len(outputs) != 2 {
		w.T.Errorf("outputs %v", outputs)
	}
	if _, out := outputs["staging"]["password"]; out {
		w.T.Errorf("the password came out: %v", outputs)
	}
}

// wantNoSecret takes the password out of the state and looks for it in
// everything that anybody can see, and in the store.
func wantNoSecret(w *fixture.Setup, target string) {
	w.T.Helper()
	var state struct {
		Outputs map[string]struct{ Value string }
	}
	fixture.Check(w.T, json.Unmarshal([]byte(w.State(target)), &state))
	secret := state.Outputs["password"].Value
	if len(secret) < 32 {
		w.T.Fatalf("no password in the state of %s", target)
	}
	seen := strings.Join(w.Printed(), "\n") + string(fixture.Must(json.Marshal(w.Hub.Snapshot()))(w.T))
	if strings.Contains(seen, secret) {
		w.T.Errorf("the password of %s got out", target)
	}
	fixture.Check(w.T, filepath.WalkDir(w.Store, func(at string, e fs.DirEntry, err error) error {
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
	w := fixture.New(t, nil)
	run, number := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	pr := fixture.Must(w.Customer.Pull(number))(t)
	r, fetched := w.Ask(run, 0)
	fetched.Want(t, "mode=plan", `targets=["staging"]`, "applies=[]")
	p := r.Do(0, "plan", "staging")
	p.Want(t, "outcome=planned", "has-changes=true", "create=2")
	r.Do(4, "apply", "staging", "--receipt", p.Outputs["receipt"]).Want(t, "reason=mode-forbids-apply")
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(pr.Head, "infra/terraform-deploy", "success: Plan: 2 to add")
	if w.State("shop/staging") != "" {
		t.Error("a pull request has made a state")
	}
	merged := fixture.Must(w.Customer.MergePull(number, "merge", "casey"))(t)
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
