package store_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

const stackKey = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// stackTargets are targets whose names begin with each other, or read alike.
var stackTargets = []pipeline.Target{
	{Customer: "acme", Environment: "staging"}, {Customer: "acme", Environment: "staging", Stack: "network"}, {Customer: "acme", Environment: "staging", Stack: "net"},
	{Customer: "acme", Environment: "staging-network"}, {Customer: "acme", Environment: "stag", Stack: "network"}, {Customer: "acme-staging", Environment: "network"},
	{Customer: "acme", Environment: "network", Stack: "staging"}, {Customer: "ac", Environment: "staging", Stack: "network"},
}

// TestStacksAreApart: the credentials of a target write nothing of another one, and read no
// state of it: neither those of a session nor those of the printed policies. Its objects
// cannot be opened with the data keys of another one.
func TestStacksAreApart(t *testing.T) {
	t.Parallel()
	bucket := pipeline.Bucket{Name: "states", Region: "eu-central-1", LockTable: "locks"}
	for _, own := range stackTargets {
		scope := store.Scope{Bucket: bucket, Customer: string(own.Customer), Environment: string(own.Environment), Stack: string(own.Stack), SealingKeys: []string{stackKey}}
		session, err := scope.SessionPolicy(shopRole, pipeline.State{Bucket: bucket}.Target(own, ""))
		if err != nil {
			t.Fatal(err)
		}
		apply, err := store.RolePolicy(store.RoleApply, scope)
		if err != nil {
			t.Fatal(err)
		}
		for kind, policy := range map[string]string{"session": session, "policy": string(apply.JSON())} {
			for _, other := range stackTargets {
				same := own == other
				state := "arn:aws:s3:::states/" + pipeline.StateKey(other)
				for _, action := range []string{"s3:GetObject", "s3:PutObject"} {
					if got := allows(t, policy, s3Request{action: action, resource: state}); got != same {
						t.Errorf("the %s of %s: %s on the state of %s is %v", kind, own, action, other, got)
					}
				}
				lock := s3Request{action: "dynamodb:PutItem", resource: "arn:aws:dynamodb:eu-central-1:1:table/locks", keys: map[string]string{"dynamodb:LeadingKeys": "states/" + pipeline.StateKey(other)}}
				if got := allows(t, policy, lock); got != same {
					t.Errorf("the %s of %s: the lock of %s is %v", kind, own, other, got)
				}
			}
		}
		for _, other := range stackTargets {
			open := s3Request{action: "kms:Decrypt", resource: stackKey, keys: map[string]string{
				"kms:EncryptionContext:metapipe:customer": string(other.Customer), "kms:EncryptionContext:metapipe:environment": other.Part()}}
			if got := allows(t, string(apply.JSON()), open); got != (own == other) {
				t.Errorf("the policy of %s opens the plans of %s: %v", own, other, got)
			}
		}
	}
}
