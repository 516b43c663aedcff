package store_test

import (
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestOutputsPolicies: the roles of a stack read the outputs of the stacks that it needs, and
// of no other one; they write those of none but their own.
func TestOutputsPolicies(t *testing.T) {
	t.Parallel()
	bucket := pipeline.Bucket{Name: "states", Region: "eu-central-1"}
	scope := store.Scope{Bucket: bucket, Customer: "acme", Environment: "staging", Stack: "hosts", Needs: []string{"network"}, SealingKeys: []string{stackKey}}
	session, err := scope.SessionPolicy(shopRole, pipeline.State{Bucket: bucket}.Target(pipeline.Target{Customer: "acme", Environment: "staging", Stack: "hosts"}, ""))
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]string{"session": session}
	for _, role := range []store.Role{store.RolePlan, store.RoleApply, store.RoleDrift} {
		policy, err := store.RolePolicy(role, scope)
		if err != nil {
			t.Fatal(err)
		}
		policies[string(role)] = string(policy.JSON())
	}
	const at = "arn:aws:s3:::states/"
	for name, policy := range policies {
		for key, want := range map[string]bool{
			"acme/staging.network/outputs/1.sealed": true, "acme/production.network/outputs/1.sealed": false, "acme/staging.dns/outputs/1.sealed": false,
			"crm/staging.network/outputs/1.sealed": false, "acme/staging.network/terraform.tfstate": false, "acme/staging.network/plans/r/0001/artifacts.sealed": false,
			"acme/staging.network/plans/r/0001/plan-log.sealed": false,
		} {
			if got := allows(t, policy, s3Request{action: "s3:GetObject", resource: at + key}); got != want {
				t.Errorf("%s reads %s: %v", name, key, got)
			}
			if allows(t, policy, s3Request{action: "s3:PutObject", resource: at + key}) || allows(t, policy, s3Request{action: "s3:DeleteObject", resource: at + key}) {
				t.Errorf("%s writes %s", name, key)
			}
		}
		if !allows(t, policy, s3Request{action: "s3:ListBucket", resource: "arn:aws:s3:::states", prefix: "acme/staging.network/outputs/"}) {
			t.Errorf("%s lists no outputs", name)
		}
		if name == "session" {
			continue // it leaves the rest to the policies of the role
		}
		for _, c := range []struct {
			customer, part, kind string
			want                 bool
		}{{"acme", "staging.network", "outputs", true}, {"acme", "staging.network", "record", true}, {"acme", "staging.network", "", false}, {"acme", "staging.dns", "outputs", false},
			{"acme", "production.network", "outputs", false}, {"crm", "staging.network", "outputs", false}} {
			keys := map[string]string{"kms:EncryptionContext:metapipe:customer": c.customer, "kms:EncryptionContext:metapipe:environment": c.part}
			if c.kind != "" {
				keys["kms:EncryptionContext:metapipe:kind"] = c.kind
			}
			if got := allows(t, policy, s3Request{action: "kms:Decrypt", resource: stackKey, keys: keys}); got != c.want {
				t.Errorf("%s opens %+v: %v", name, c, got)
			}
		}
	}
	plain := scope
	plain.Needs = nil
	for _, role := range store.Roles() {
		policy, err := store.RolePolicy(role, plain)
		if err != nil {
			t.Fatal(err)
		}
		if allows(t, string(policy.JSON()), s3Request{action: "s3:PutObject", resource: at + "acme/staging.hosts/outputs/1.sealed"}) {
			t.Errorf("%s writes outputs that no one needs", role)
		}
	}
	own := plain
	own.Passes = true
	for role, want := range map[store.Role]bool{store.RolePlan: true, store.RoleApply: true, store.RoleRekey: true, store.RoleReport: false, store.RoleDrift: false, store.RoleSweep: false} {
		policy, err := store.RolePolicy(role, own)
		if err != nil {
			t.Fatal(err)
		}
		if got := allows(t, string(policy.JSON()), s3Request{action: "s3:PutObject", resource: at + "acme/staging.hosts/outputs/1.sealed"}); got != want {
			t.Errorf("%s writes its own outputs: %v", role, got)
		}
	}
}

// TestHomePolicies: a state that is more than one object is read by plans, written by applies,
// and by no role of another target.
func TestHomePolicies(t *testing.T) {
	t.Parallel()
	scope := store.Scope{Bucket: pipeline.Bucket{Name: "states", Region: "eu-central-1"}, Customer: "acme", Environment: "staging", Stack: "web", Home: "pulumi"}
	for role, can := range map[store.Role][]string{
		store.RolePlan: {"s3:GetObject"}, store.RoleDrift: {"s3:GetObject"}, store.RoleRekey: {"s3:GetObject"}, store.RoleApply: {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, store.RoleSweep: {"s3:GetObject", "s3:DeleteObject"},
		store.RoleReport: nil, store.RoleFetchVars: nil,
	} {
		policy, err := store.RolePolicy(role, scope)
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} {
			for key, mine := range map[string]bool{"acme/staging.web/pulumi/.pulumi/stacks/web/acme.staging.json": true, "acme/staging.dns/pulumi/x": false, "crm/staging.web/pulumi/x": false} {
				want := mine && slices.Contains(can, action)
				if got := allows(t, string(policy.JSON()), s3Request{action: action, resource: "arn:aws:s3:::states/" + key}); got != want {
					t.Errorf("%s: %s of %s: %v", role, action, key, got)
				}
			}
		}
	}
}
