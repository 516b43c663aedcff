package main

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store"
)

// sweepJob is a job of the manager's schedule, days later.
func (w *world) sweepJob(r *request) *job {
	w.t.Helper()
	j := w.newJob(r.run)
	j.binary = "metapipe-later"
	return j
}

// TestSweepLostRunner closes a request whose runner vanished after the plan.
func TestSweepLostRunner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	r.planned("staging")
	w.newJob(r.run).do(0, "sweep").says(t, "1 open request, 0 findings")
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "failure"))
	w.hub.ResetCalls()
	w.sweepJob(r).do(6, "sweep").says(t, "unfinished: its run is over (failure)")
	if writes := w.writes(); len(writes) != 0 {
		t.Errorf("a sweep without --fix wrote: %v", writes)
	}
	w.sweepJob(r).do(0, "sweep", "--fix", "--json").says(t, `"kind": "unfinished"`, `"fixed": true`)
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy", "error: ")
	w.wantNothingPending()
	w.sweepJob(r).do(0, "sweep").says(t, "0 open requests, 0 findings")
}

// TestSweepForgottenReview ends a run that nobody has approved in time.
func TestSweepForgottenReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	check(t, w.manager.SetEnvironment("staging-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	r.planned("staging")
	must(w.manager.EnterEnvironment(r.run.run.ID, "apply", "staging-apply"))(t)
	w.sweepJob(r).do(0, "sweep", "--fix").says(t, "expired: the plan of shop/staging expired at", "; repaired")
	if run := must(w.manager.Run(r.run.run.ID))(t); run.Conclusion != "cancelled" {
		t.Errorf("the run is %s %s", run.Status, run.Conclusion)
	}
	w.wantNothingPending()
	r.do(4, "apply", "staging").want(t, "reason=expired")
}

// TestSweepBucket sweeps a bucket under the least policy of its role.
func TestSweepBucket(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	r := b.accepted(w)
	w.newJob(r.run).with(b.as(store.RolePlan, "shop", "staging")...).do(0, r.args("plan", "staging")...)
	w.sweepJob(r).with(b.as(store.RoleSweep, "*", "*")...).do(0, "sweep", "--fix").says(t, "expired", "repaired")
	check(t, w.manager.SetRun(r.run.run.ID, "completed", "cancelled"))
	w.sweepJob(r).with(b.as(store.RoleSweep, "*", "*")...).do(0, "sweep", "--fix").says(t, "0 findings")
	w.wantNothingPending()
	if keys := b.keys("_metapipe/open/"); len(keys) != 0 {
		t.Errorf("still open: %v", keys)
	}
}
