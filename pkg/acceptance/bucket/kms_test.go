package bucket

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/kmstest"
)

// vault is a tenant whose objects are sealed under a key of KMS, which asks the
// same policies as the bucket.
type vault struct {
	fixture.Tenant
	kms *kmstest.Server
}

func newVault(t *testing.T) (vault, *fixture.Setup) {
	t.Helper()
	v := vault{fixture.NewTenant(t), kmstest.Start(t)}
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "sealing_keys: [\"" + kmstest.First + "\"]\n"})
	w.Setenv("METAPIPE_KEY=", "AWS_ENDPOINT_URL_KMS="+v.kms.URL)
	return v, w
}

// as is the environment of a job with a role; in KMS it may be that of someone else.
func (v vault) as(role store.Role, customer, env, inKMS string) []string {
	v.T.Helper()
	vars := v.Tenant.As(role, customer, env)
	policy := fixture.Must(store.RolePolicy(role, store.Scope{Bucket: v.Bucket, Customer: inKMS, Environment: env, SealingKeys: []string{kmstest.First}}))(v.T)
	for _, pair := range vars {
		if key, ok := strings.CutPrefix(pair, "AWS_ACCESS_KEY_ID="); ok {
			v.kms.Permit(key, string(policy.JSON()))
		}
	}
	return vars
}

// accepted sends a push and lets the manager accept it.
func (v vault) accepted(w *fixture.Setup, variables string) *fixture.Request {
	v.T.Helper()
	run := w.Push("main", map[string]string{"infra/variables.yml": variables})
	trigger := w.NewJob(run).Start("trigger")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).With(v.as(store.RoleFetchVars, "shop", "*", "shop")...).Do(0, "fetch-vars")
	fetched.Want(v.T, "outcome=requested")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	if end := trigger.Wait(); end.Exit != 0 {
		v.T.Fatal(end.Log)
	}
	return r
}

// TestKMS carries a push through every command, each under the least policy of its
// role in the bucket and in KMS, and without any key of its own.
func TestKMS(t *testing.T) {
	t.Parallel()
	v, w := newVault(t)
	r := v.accepted(w, fixture.VariablesYML)
	step := func(exit int, role store.Role, inKMS string, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(v.as(role, "shop", "staging", inKMS)...).Do(exit, args...)
	}
	plan, apply := r.Args("plan", "staging"), r.Args("apply", "staging")
	denied := func(action string) string {
		return "allow kms:" + action + " on " + kmstest.First + " in the policy of this role and in that of the key; where their condition names an encryption context, it must be that of shop"
	}
	step(1, store.RolePlan, "other", plan...).Says(t, "unseal what belongs to shop with the KMS key", denied("Decrypt"))
	v.WantNone("begun.json", "a plan that may not open its request")
	step(0, store.RolePlan, "shop", plan...).Want(t, "outcome=waiting")
	step(1, store.RoleApply, "other", apply...).Says(t, denied("Decrypt"))
	v.WantNone("/apply-0000", "an apply that may not open its plan")
	step(0, store.RoleApply, "shop", apply...).Want(t, "outcome=applied")
	shown := step(0, store.RoleReport, "shop", "report", "--customer", r.Customer, "--request", r.ID, "--final")
	shown.Want(t, "outcome=success")
	if strings.Contains(shown.Log, "cannot be shown") {
		t.Errorf("the report may not open the plan:\n%s", shown.Log)
	}
	w.WantNothingPending()

	second := v.accepted(w, "# second\n"+fixture.VariablesYML)
	w.NewJob(second.Run).With(v.as(store.RolePlan, "shop", "staging", "shop")...).Do(0, second.Args("plan", "staging")...)
	fixture.Check(t, w.Manager.SetRun(second.Run.Run.ID, "completed", "failure"))
	swept := w.SweepJob(second).With(v.as(store.RoleSweep, "*", "*", "*")...).Do(0, "sweep", "--fix")
	swept.Says(t, "unfinished")
	if strings.Contains(swept.Log, "cannot be shown") || strings.Contains(swept.Log, "AccessDenied") {
		t.Errorf("the sweep may not open the plan:\n%s", swept.Log)
	}

	scan := w.NewJob(r.Run).With(v.as(store.RoleDrift, "*", "*", "*")...).Do(0, "drift")
	scan.Want(t, "targets=2", "found=0", "errors=0")

	for _, call := range v.kms.Calls {
		fleet := call.Context["metapipe:customer"] == "_metapipe" && call.Context["metapipe:kind"] == "record"
		if call.Context["metapipe:customer"] != "shop" && !fleet || len(call.Context["metapipe:binding"]) != 64 {
			t.Errorf("%s was asked in the context %v", call.Action, call.Context)
		}
	}
}
