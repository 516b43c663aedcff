package request

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// refusal is a plan that was fine when it was made, and what became of the world
// around it until the apply.
type refusal struct {
	name   string
	reason string
	says   string
	// happens changes the world after the plan; the apply then runs in the job.
	happens func(t *testing.T, r *fixture.Request, apply *fixture.Job)
	receipt string // approved; empty: the right one
	status  string // of the commit, in the end
}

func refusals() []refusal {
	return []refusal{
		{
			name: "another manager commit", reason: "stale-manager", says: "was made from manager commit", status: "failure: ",
			happens: func(t *testing.T, r *fixture.Request, apply *fixture.Job) {
				sha := r.W.Commit(r.W.Manager, "main", map[string]string{"README.md": "new"})
				fixture.Check(t, r.W.Manager.Checkout(sha, apply.Workspace()))
				apply.With("GITHUB_SHA=" + sha)
			},
		}, {
			name: "an edited manager tree", reason: "stale-manager", says: "manager directory is not the one", status: "failure: ",
			happens: func(t *testing.T, _ *fixture.Request, apply *fixture.Job) {
				fixture.AppendTo(t, filepath.Join(apply.Workspace(), "terraform", "main.tf"), "\n# not reviewed\n")
			},
		}, {
			name: "a new file in the manager tree", reason: "stale-manager", says: "manager directory is not the one", status: "failure: ",
			happens: func(t *testing.T, _ *fixture.Request, apply *fixture.Job) {
				fixture.AppendTo(t, filepath.Join(apply.Workspace(), "terraform", "more.tf"), "resource \"terraform_data\" \"more\" {}\n")
			},
		}, {
			name: "another apply in between", reason: "stale-state", says: "state has changed since the plan was made", status: "failure: ",
			happens: func(t *testing.T, r *fixture.Request, _ *fixture.Job) {
				applyByHand(r.W, r.W.StateFile("shop/staging"))
			},
		}, {
			name: "another receipt was approved", reason: "receipt-mismatch", says: "was approved", status: "failure: ", receipt: "0000-1111-2222",
		}, {
			name: "sealed with another key", reason: "unknown-key", says: "sealed with a key that is not available", status: "error: ", // whoever has no key of ours can record nothing that is believed
			happens: func(_ *testing.T, _ *fixture.Request, apply *fixture.Job) {
				apply.With("METAPIPE_KEY=" + strings.Repeat("QUJD", 10) + "QUI=")
			},
		}, {
			name: "days later", reason: "expired", says: "expired at", status: "error: ",
			happens: func(_ *testing.T, _ *fixture.Request, apply *fixture.Job) { apply.Binary = "metapipe-later" },
		}, {
			name: "a newer push", reason: "superseded", says: "was superseded by request", status: "error: ",
			happens: func(_ *testing.T, r *fixture.Request, _ *fixture.Job) {
				r.W.Accept(r.W.Push("main", map[string]string{"infra/variables.yml": "name: newer\nenvironments:\n  staging: {}\n"}))
			},
		},
	}
}

func TestRefusedPlans(t *testing.T) {
	t.Parallel()
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			r := w.Accept(run)
			planned := r.Planned("staging")
			apply := w.NewJob(r.Run)
			if c.happens != nil {
				c.happens(t, r, apply)
			}
			before := w.State("shop/staging")
			args := r.Args("apply", "staging", "--receipt", cmp.Or(c.receipt, planned.Outputs["receipt"]))
			refused := apply.Do(4, args...)
			refused.Want(t, "reason="+c.reason)
			refused.Says(t, c.says)
			if w.State("shop/staging") != before {
				t.Error("a refused apply has changed the state")
			}
			// The refusal is final: a second attempt with everything as it was does
			// not get through either, and the customer is told.
			r.Report("--final")
			w.WantStatus(run.SHA, "infra/terraform-deploy/staging", c.status)
			w.WantStatus(run.SHA, "infra/terraform-deploy", c.status)
			if c.reason == "superseded" {
				return // the newer one goes on
			}
			w.WantNothingPending()
			if c.reason == "receipt-mismatch" || c.reason == "unknown-key" { // which says nothing against the plan
				r.Do(0, "apply", "staging").Want(t, "outcome=applied")
			} else {
				r.Do(4, "apply", "staging").Want(t, "reason="+c.reason)
			}
			w.Recovers()
		})
	}
}

func TestPlanIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	r := w.Accept(run)
	r.Planned("staging")
	// Two jobs at once: one applies. The other one finds the plan in use, or, when
	// it comes late, applied.
	first, second := w.NewJob(r.Run).Start(r.Args("apply", "staging")...), w.NewJob(r.Run).Start(r.Args("apply", "staging")...)
	exits := map[int]int{first.Wait().Exit: 1}
	exits[second.Wait().Exit]++
	if exits[0] < 1 || exits[0]+exits[4] != 2 {
		t.Errorf("exit codes %v, want one 0, and another 0 or 4", exits)
	}
	state := w.State("shop/staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	if w.State("shop/staging") != state {
		t.Error("the state has changed")
	}
	r.Report("--final").Want(t, "outcome=success")
	w.WantStatus(run.SHA, "infra/terraform-deploy/staging", "success: Applied")
	w.WantNothingPending()
}

func TestOrderAndBranch(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	both := map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n  production: {}\n"}
	r := w.Accept(w.Push("main", both))
	r.Planned("staging")
	r.Planned("production")
	r.Do(4, "apply", "production").Want(t, "reason=environment-order")
	r.Report("--final", "--cancelled")
	w.WantNothingPending()

	run := w.Push("feature", both)
	held, fetched := w.Ask(run, 0)
	fetched.Want(t, `targets=["staging","production"]`, "applies=[]", "mode=apply")
	held.Do(0, "plan", "staging").Want(t, "outcome=planned")
	held.Do(4, "apply", "staging").Want(t, "reason=branch-may-not-apply")
	held.Do(4, "plan", "qa").Want(t, "reason=")
	held.Do(0, "plan", "production")
	held.Report("--final")
	w.WantNothingPending()
	if w.State("shop/staging")+w.State("shop/production") != "" {
		t.Error("something was applied")
	}
}

// applyByHand applies something to a state with the bare tool, as someone who
// goes around metapipe would.
func applyByHand(w *fixture.Setup, state string) {
	w.T.Helper()
	dir := w.T.TempDir()
	fixture.AppendTo(w.T, filepath.Join(dir, "main.tf"), "resource \"terraform_data\" \"by_hand\" {}\n")
	fixture.Check(w.T, os.MkdirAll(filepath.Dir(state), 0o700))
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve", "-state=" + state}} {
		cmd := exec.Command("terraform", args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CHECKPOINT_DISABLE=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			w.T.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
	}
}
