package store

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// kms lets S3 use the key, and no one else.
func (s Scope) kms(writes bool) Statement {
	actions := []string{"kms:Decrypt"}
	if writes {
		actions = append(actions, "kms:GenerateDataKey")
	}
	st := s.ofKey("Key", s.Bucket.KMSKey, actions)
	st.Condition["StringLike"] = map[string][]string{"kms:ViaService": {"s3.*.amazonaws.com"}}
	return st
}

// sealing lets a role have data keys for objects of its scope: the encryption
// context names whose they are. What belongs to no environment names none.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
func (s Scope) sealing(g grant) []Statement {
	var all []Statement
	for i, key := range s.SealingKeys {
		add := func(name, action string, conditions map[string]map[string][]string) {
			st := s.ofKey(fmt.Sprintf("%s%d", name, i+1), key, []string{action})
			for operator, keys := range conditions {
				st.Condition[operator] = keys
			}
			all = append(all, st)
		}
		const open, seal = "kms:Decrypt", "kms:GenerateDataKey"
		if g.open {
			add("Open", open, s.context(g.allEnvironments, false))
		}
		if g.openRecords { // of the environments that come before its own
			add("OpenRecords", open, ofKind(s.context(true, false), pipeline.SealOfRecord))
		}
		if g.openNeeded {
			add("OpenNeeded", open, s.neededContext())
		}
		if g.openLastApplies {
			add("OpenLastApplies", open, ofKind(map[string]map[string][]string{}, pipeline.SealOfRecord))
		}
		if g.openFleet {
			add("OpenFleet", open, fleetContext())
		}
		if i > 0 {
			continue
		}
		if g.seal {
			add("Seal", seal, s.context(false, !g.sealRequests))
		}
		if g.sealLedgers {
			add("SealLedgers", seal, ofKind(s.context(g.allEnvironments, false), pipeline.SealOfEntry))
		}
		if g.sealFleet {
			add("SealFleet", seal, fleetContext())
		}
	}
	return all
}

// ofKind asks for one kind of seal besides.
func ofKind(conditions map[string]map[string][]string, kind pipeline.SealKind) map[string]map[string][]string {
	conditions["StringEquals"] = map[string][]string{"kms:EncryptionContext:" + contextKind: {string(kind)}}
	return conditions
}

// context asks for the encryption context of the scope. With owned, an object must
// belong to its environment; else it may belong to none.
func (s Scope) context(allEnvironments, owned bool) map[string]map[string][]string {
	const customer, environment = "kms:EncryptionContext:" + contextCustomer, "kms:EncryptionContext:" + contextEnvironment
	c := map[string]map[string][]string{"StringLike": {customer: {s.Customer}}}
	switch {
	case owned:
		c["StringLike"][environment] = []string{s.target().Part()}
	case !allEnvironments:
		c["StringLikeIfExists"] = map[string][]string{environment: {s.target().Part()}}
	}
	return c
}

// fleetContext asks for what belongs to no customer.
func fleetContext() map[string]map[string][]string {
	return map[string]map[string][]string{"StringEquals": {"kms:EncryptionContext:" + contextCustomer: {fleetCustomer}}}
}

// ofKey allows actions on a key. An alias is no resource of its own.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
func (s Scope) ofKey(sid, key string, actions []string) Statement {
	st := Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: []string{"*"}, Condition: map[string]map[string][]string{}}
	if at := strings.Index(key, "alias/"); at >= 0 {
		st.Condition["ForAnyValue:StringEquals"] = map[string][]string{"kms:ResourceAliases": {key[at:]}}
	} else if strings.HasPrefix(key, "arn:") {
		st.Resource = []string{key}
	} else {
		st.Resource = []string{s.arn() + "kms:*:*:key/" + key}
	}
	return st
}
