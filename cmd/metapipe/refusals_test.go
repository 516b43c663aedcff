package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// refusal is a plan that was fine when it was made, and what became of the world
// around it until the apply.
type refusal struct {
	name   string
	reason string
	says   string
	// happens changes the world after the plan; the apply then runs in the job.
	happens func(t *testing.T, r *request, apply *job)
	receipt string // approved; empty: the right one
	status  string // of the commit, in the end
}

func refusals() []refusal {
	return []refusal{
		{
			name: "another manager commit", reason: "stale-manager", says: "was made from manager commit", status: "failure: ",
			happens: func(t *testing.T, r *request, apply *job) {
				sha := r.w.commit(r.w.manager, "main", map[string]string{"README.md": "new"})
				check(t, r.w.manager.Checkout(sha, apply.workspace()))
				apply.with("GITHUB_SHA=" + sha)
			},
		}, {
			name: "an edited manager tree", reason: "stale-manager", says: "manager directory is not the one", status: "failure: ",
			happens: func(t *testing.T, _ *request, apply *job) {
				appendTo(t, filepath.Join(apply.workspace(), "terraform", "main.tf"), "\n# not reviewed\n")
			},
		}, {
			name: "a new file in the manager tree", reason: "stale-manager", says: "manager directory is not the one", status: "failure: ",
			happens: func(t *testing.T, _ *request, apply *job) {
				appendTo(t, filepath.Join(apply.workspace(), "terraform", "more.tf"), "resource \"terraform_data\" \"more\" {}\n")
			},
		}, {
			name: "another apply in between", reason: "stale-state", says: "state has changed since the plan was made", status: "failure: ",
			happens: func(t *testing.T, r *request, _ *job) { r.w.applyByHand(r.w.stateFile("shop/staging")) },
		}, {
			name: "another receipt was approved", reason: "receipt-mismatch", says: "was approved", status: "failure: ", receipt: "0000-1111-2222",
		}, {
			name: "sealed with another key", reason: "unknown-key", says: "sealed with a key that is not available", status: "error: ", // whoever has no key of ours can record nothing that is believed
			happens: func(_ *testing.T, _ *request, apply *job) {
				apply.with("METAPIPE_KEY=" + strings.Repeat("QUJD", 10) + "QUI=")
			},
		}, {
			name: "days later", reason: "expired", says: "expired at", status: "error: ",
			happens: func(_ *testing.T, _ *request, apply *job) { apply.binary = "metapipe-later" },
		}, {
			name: "a newer push", reason: "superseded", says: "was superseded by request", status: "error: ",
			happens: func(_ *testing.T, r *request, _ *job) {
				r.w.accept(r.w.push("main", map[string]string{"infra/variables.yml": "name: newer\nenvironments:\n  staging: {}\n"}))
			},
		},
	}
}

func TestRefusedPlans(t *testing.T) {
	t.Parallel()
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
			r := w.accept(run)
			planned := r.planned("staging")
			apply := w.newJob(r.run)
			if c.happens != nil {
				c.happens(t, r, apply)
			}
			before := w.state("shop/staging")
			args := r.args("apply", "staging", "--receipt", cmp.Or(c.receipt, planned.outputs["receipt"]))
			refused := apply.do(4, args...)
			refused.want(t, "reason="+c.reason)
			refused.says(t, c.says)
			if w.state("shop/staging") != before {
				t.Error("a refused apply has changed the state")
			}
			// The refusal is final: a second attempt with everything as it was does
			// not get through either, and the customer is told.
			r.report("--final")
			w.wantStatus(run.sha, "infra/terraform-deploy/staging", c.status)
			w.wantStatus(run.sha, "infra/terraform-deploy", c.status)
			if c.reason == "superseded" {
				return // the newer one goes on
			}
			w.wantNothingPending()
			if c.reason == "receipt-mismatch" || c.reason == "unknown-key" { // which says nothing against the plan
				r.do(0, "apply", "staging").want(t, "outcome=applied")
			} else {
				r.do(4, "apply", "staging").want(t, "reason="+c.reason)
			}
			w.recovers()
		})
	}
}

// recovers shows that whatever happened before, the next push is planned and
// applied.
func (w *world) recovers() {
	w.t.Helper()
	run := w.push("main", map[string]string{"infra/variables.yml": "name: next\nenvironments:\n  staging: {}\n"})
	r := w.accept(run)
	p := r.planned("staging")
	r.do(0, "apply", "staging", "--receipt", p.outputs["receipt"]).want(w.t, "outcome=applied")
	r.report("--final").want(w.t, "outcome=success")
	w.wantStatus(run.sha, "infra/terraform-deploy", "success: Applied")
	if state := w.state("shop/staging"); !strings.Contains(state, "next in staging") {
		w.t.Errorf("the next push is not in the state:\n%s", state)
	}
}

func TestPlanIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	r := w.accept(run)
	r.planned("staging")
	// Two jobs at once: one applies. The other one finds the plan in use, or, when
	// it comes late, applied.
	first, second := w.newJob(r.run).start(r.args("apply", "staging")...), w.newJob(r.run).start(r.args("apply", "staging")...)
	exits := map[int]int{first.wait().exit: 1}
	exits[second.wait().exit]++
	if exits[0] < 1 || exits[0]+exits[4] != 2 {
		t.Errorf("exit codes %v, want one 0, and another 0 or 4", exits)
	}
	state := w.state("shop/staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	if w.state("shop/staging") != state {
		t.Error("the state has changed")
	}
	r.report("--final").want(t, "outcome=success")
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "success: Applied")
	w.wantNothingPending()
}

func TestOrderAndBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	both := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"}
	r := w.accept(w.push("main", both))
	r.planned("staging")
	r.planned("production")
	r.do(4, "apply", "production").want(t, "reason=environment-order")
	r.report("--final", "--cancelled")
	w.wantNothingPending()

	run := w.push("feature", both)
	held, fetched := w.ask(run, 0)
	fetched.want(t, `environments=["staging","production"]`, "applies=[]", "mode=apply")
	held.do(0, "plan", "staging").want(t, "outcome=planned")
	held.do(4, "apply", "staging").want(t, "reason=branch-may-not-apply")
	held.do(4, "plan", "qa").want(t, "reason=")
	held.do(0, "plan", "production")
	held.report("--final")
	w.wantNothingPending()
	if w.state("shop/staging")+w.state("shop/production") != "" {
		t.Error("something was applied")
	}
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f := must(os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600))(t)
	_, err := f.WriteString(text)
	check(t, err)
	check(t, f.Close())
}

// applyByHand applies something to a state with the bare tool, as somebody who
// goes around metapipe would.
func (w *world) applyByHand(state string) {
	w.t.Helper()
	dir := w.t.TempDir()
	appendTo(w.t, filepath.Join(dir, "main.tf"), "resource \"terraform_data\" \"by_hand\" {}\n")
	check(w.t, os.MkdirAll(filepath.Dir(state), 0o700))
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve", "-state=" + state}} {
		cmd := exec.Command("terraform", args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CHECKPOINT_DISABLE=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
	}
}
