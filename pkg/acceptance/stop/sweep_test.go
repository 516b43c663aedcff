package stop

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestSweepLostRunner closes a request whose runner vanished after the plan.
func TestSweepLostRunner(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	r.Planned("staging")
	w.NewJob(r.Run).Do(0, "sweep").Says(t, "1 open request, 0 findings")
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "failure"))
	w.Hub.ResetCalls()
	w.SweepJob(r).Do(6, "sweep").Says(t, "unfinished: its run is over (failure)")
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("a sweep without --fix wrote: %v", writes)
	}
	w.SweepJob(r).Do(0, "sweep", "--fix", "--json").Says(t, `"kind": "unfinished"`, `"fixed": true`)
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy", "error: ")
	w.WantNothingPending()
	w.SweepJob(r).Do(0, "sweep").Says(t, "0 open requests, 0 findings")
}

// TestSweepForgottenReview ends a run that no one has approved in time.
func TestSweepForgottenReview(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	fixture.Check(t, w.Manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	r.Planned("staging")
	fixture.Must(w.Manager.EnterEnvironment(r.Run.Run.ID, "apply", "staging-apply"))(t)
	w.SweepJob(r).Do(0, "sweep", "--fix").Says(t, "expired: the plan of shop/staging expired at", "; repaired")
	if run := fixture.Must(w.Manager.Run(r.Run.Run.ID))(t); run.Conclusion != "cancelled" {
		t.Errorf("the run is %s %s", run.Status, run.Conclusion)
	}
	w.WantNothingPending()
	r.Do(4, "apply", "staging").Want(t, "reason=expired")
}

// TestSweepBucket sweeps a bucket under the least policy of its role.
func TestSweepBucket(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	r := b.Accepted(w)
	w.NewJob(r.Run).With(b.As(store.RolePlan, "shop", "staging")...).Do(0, r.Args("plan", "staging")...)
	w.SweepJob(r).With(b.As(store.RoleSweep, "*", "*")...).Do(0, "sweep", "--fix").Says(t, "expired", "repaired")
	fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "cancelled"))
	w.SweepJob(r).With(b.As(store.RoleSweep, "*", "*")...).Do(0, "sweep", "--fix").Says(t, "0 findings")
	w.WantNothingPending()
	if keys := b.Keys("_metapipe/open/"); len(keys) != 0 {
		t.Errorf("still open: %v", keys)
	}
}
