package store

import (
	"fmt"
	"strings"
)

// kms lets S3 use the key, and nobody else.
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
		var actions []string
		if g.open {
			actions = append(actions, "kms:Decrypt")
		}
		if g.seal && i == 0 {
			actions = append(actions, "kms:GenerateDataKey")
		}
		if len(actions) == 0 {
			continue
		}
		st := s.ofKey(fmt.Sprintf("Seal%d", i+1), key, actions)
		st.Condition["StringLike"] = map[string][]string{"kms:EncryptionContext:" + contextCustomer: {s.Customer}}
		if !g.allEnvironments {
			st.Condition["StringLikeIfExists"] = map[string][]string{"kms:EncryptionContext:" + contextEnvironment: {s.Environment}}
		}
		all = append(all, st)
	}
	return all
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
