package main

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/kmstest"
)

// vault is a tenant whose objects are sealed under a key of KMS, which asks the
// same policies as the bucket.
type vault struct {
	tenant
	kms *kmstest.Server
}

func newVault(t *testing.T) (vault, *world) {
	t.Helper()
	v := vault{newTenant(t), kmstest.Start(t)}
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "sealing_keys: [\"" + kmstest.First + "\"]\n"})
	w.environ = append(w.environ, "METAPIPE_KEY=", "AWS_ENDPOINT_URL_KMS="+v.kms.URL)
	return v, w
}

// as is the environment of a job with a role; in KMS it may be that of somebody else.
func (v vault) as(role store.Role, customer, env, inKMS string) []string {
	v.t.Helper()
	vars := v.tenant.as(role, customer, env)
	policy := must(store.RolePolicy(role, store.Scope{Bucket: v.bucket, Customer: inKMS, Environment: env, SealingKeys: []string{kmstest.First}}))(v.t)
	for _, pair := range vars {
		if key, ok := strings.CutPrefix(pair, "AWS_ACCESS_KEY_ID="); ok {
			v.kms.Permit(key, string(policy.JSON()))
		}
	}
	return vars
}

// accepted sends a push and lets the manager accept it.
func (v vault) accepted(w *world, variables string) *request {
	v.t.Helper()
	run := w.push("main", map[string]string{"infra/variables.yml": variables})
	trigger := w.newJob(run).start("trigger")
	r := &request{w: w, trigger: run, run: w.queued()}
	fetched := w.newJob(r.run).with(v.as(store.RoleFetchVars, "shop", "*", "shop")...).do(0, "fetch-vars")
	fetched.want(v.t, "outcome=requested")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	if end := trigger.wait(); end.exit != 0 {
		v.t.Fatal(end.log)
	}
	return r
}

// TestKMS carries a push through every command, each under the least policy of its
// role in the bucket and in KMS, and without any key of its own.
func TestKMS(t *testing.T) {
	t.Parallel()
	v, w := newVault(t)
	r := v.accepted(w, variablesYML)
	step := func(exit int, role store.Role, inKMS string, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(v.as(role, "shop", "staging", inKMS)...).do(exit, args...)
	}
	plan, apply := r.args("plan", "staging"), r.args("apply", "staging")
	denied := func(action string) string {
		return "allow kms:" + action + " on " + kmstest.First + " in the policy of this role and in that of the key; where their condition names an encryption context, it must be that of shop"
	}
	step(1, store.RolePlan, "other", plan...).says(t, "unseal what belongs to shop with the KMS key", denied("Decrypt"))
	v.wantNone("begun.json", "a plan that may not open its request")
	step(0, store.RolePlan, "shop", plan...).want(t, "outcome=waiting")
	step(1, store.RoleApply, "other", apply...).says(t, denied("Decrypt"))
	v.wantNone("apply-0001-ended", "an apply that may not open its plan")
	step(0, store.RoleApply, "shop", apply...).want(t, "outcome=applied")
	shown := step(0, store.RoleReport, "shop", "report", "--customer", r.customer, "--request", r.id, "--final")
	shown.want(t, "outcome=success")
	if strings.Contains(shown.log, "cannot be shown") {
		t.Errorf("the report may not open the plan:\n%s", shown.log)
	}
	w.wantNothingPending()

	second := v.accepted(w, "# second\n"+variablesYML)
	w.newJob(second.run).with(v.as(store.RolePlan, "shop", "staging", "shop")...).do(0, second.args("plan", "staging")...)
	check(t, w.manager.SetRun(second.run.run.ID, "completed", "failure"))
	swept := w.sweepJob(second).with(v.as(store.RoleSweep, "*", "*", "*")...).do(0, "sweep", "--fix")
	swept.says(t, "unfinished")
	if strings.Contains(swept.log, "cannot be shown") || strings.Contains(swept.log, "AccessDenied") {
		t.Errorf("the sweep may not open the plan:\n%s", swept.log)
	}

	scan := w.newJob(r.run).with(v.as(store.RoleDrift, "*", "*", "*")...).do(0, "drift")
	scan.want(t, "targets=2", "found=0", "errors=0")

	for _, call := range v.kms.Calls {
		fleet := call.Context["metapipe:customer"] == "_metapipe" && call.Context["metapipe:kind"] == "record"
		if call.Context["metapipe:customer"] != "shop" && !fleet || len(call.Context["metapipe:binding"]) != 64 {
			t.Errorf("%s was asked in the context %v", call.Action, call.Context)
		}
	}
}
