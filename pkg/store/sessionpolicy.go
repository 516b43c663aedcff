package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// maxSessionPolicy is the most characters that AWS takes of an inline session
// policy.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const maxSessionPolicy = 2048

// SessionPolicy is the policy that cuts a role down to one target: of the store
// and of the states it leaves what is the customer's, and of that to be written
// what is the target's. Everything else stays as the role's own policies have it,
// since those say what the tool may build; but for keys of KMS that seal: of those it
// leaves the customer's. Role is the ARN of the role, state the
// backend of the target. Where neither store nor state is in a bucket it is empty.
func (s Scope) SessionPolicy(role string, state pipeline.Backend) (string, error) {
	p := Policy{Version: "2012-10-17"}
	rest := Statement{Effect: "Allow", Action: []string{"s3:*"}}
	c, target := s.Customer, s.target().Folder()
	if s.Bucket.Name != "" {
		// No customer has a name that begins with _, so this is _metapipe/customers/.
		const registered = "_*/customers/*"
		// Promotion order asks how the other environments ended, and for nothing else of them.
		// The names of what lies in pulls/ are all that is read there.
		read := []string{c + "/requests/*", c + "/*/plans/*.json", registered}
		list := []string{target + "/*", c + "/requests/*", c + "/pulls/*", c + "/*/plans/*", registered}
		for _, t := range s.needed() {
			read, list = append(read, t.Folder()+"/outputs/*", t.Folder()+"/plans/*/outputs.sealed"), append(list, t.Folder()+"/outputs/*")
		}
		// Short patterns: what may not be removed is the same in every target.
		records := []string{"*/plans/*.json", "*/ledger/*", "*/queue/*"}
		rest.NotResource = append(rest.NotResource, s.bucketARN(), s.bucketARN()+"/*")
		p.Statement = append(p.Statement,
			Statement{
				Effect:    "Allow",
				Action:    []string{"s3:ListBucket"},
				Resource:  []string{s.bucketARN()},
				Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": s.keys(list)}},
			},
			Statement{Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:Abort*"}, Resource: s.objects([]string{target + "/*"})},
			Statement{Effect: "Deny", Action: []string{"s3:DeleteObject"}, Resource: s.objects(records)},
			Statement{Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: s.objects(read)},
			Statement{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: s.objects([]string{"_metapipe/open/" + c + "/*"})})
	}
	if s.Bucket.LockTable != "" {
		lock := s.table()
		lock.Sid, rest.NotResource = "", append(rest.NotResource, lock.Resource...)
		rest.Action = append(rest.Action, "dynamodb:*")
		p.Statement = append(p.Statement, lock)
	}
	if state.Type == pipeline.BackendS3 && state.Config["bucket"] != s.Bucket.Name {
		rest.NotResource = append(rest.NotResource, p.elsewhere(s.arn(), state)...)
	}
	if len(rest.NotResource) == 0 {
		return "", nil // neither the store nor the state is in AWS
	}
	p.Statement = append(p.Statement, rest)
	if strings.HasPrefix(role, "arn:aws") { // other servers have S3 alone, and refuse what they do not know
		p.Statement = append(p.Statement, Statement{Effect: "Allow", NotAction: rest.Action, Resource: []string{"*"}})
		p.Statement = append(p.Statement, notByAccessPoint())
		if len(s.SealingKeys) > 0 {
			p.Statement = append(p.Statement, s.notOfOthers())
		}
	}
	b, err := p.compact()
	if err != nil {
		return "", fmt.Errorf("write the session policy of %s: %w", target, err)
	}
	if len(b) > maxSessionPolicy {
		return "", pipeline.Usagef("the session policy of %s has %d characters, and AWS takes %d", target, len(b), maxSessionPolicy).
			Nextf("shorten state.prefix, or the name of the bucket")
	}
	return string(b), nil
}

// singles are lists of one string, which may stand without the list.
var singles = text.Pattern(`\[("[^"]*")\]`)

// compact is the document in as few characters as IAM reads.
func (p Policy) compact() ([]byte, error) {
	b, err := json.Marshal(p)
	return singles().ReplaceAll(b, []byte("$1")), err
}

// notOfOthers refuses the data keys of other customers, whatever the role's own
// policies say. What is asked of KMS in another context, or in none, is the tool's.
func (s Scope) notOfOthers() Statement {
	const customer = "kms:EncryptionContext:" + contextCustomer
	return Statement{Effect: "Deny", Action: []string{"kms:*"}, Resource: []string{"*"},
		Condition: map[string]map[string][]string{"StringNotEquals": {customer: {s.Customer}}, "Null": {customer: {"false"}}}}
}

// notByAccessPoint refuses objects by way of an access point: its ARN does not show
// which bucket is behind it, and it may be the store.
func notByAccessPoint() Statement {
	return Statement{Effect: "Deny", Action: []string{"s3:*Object*"}, Resource: []string{"*"},
		Condition: map[string]map[string][]string{"Null": {"s3:DataAccessPointArn": {"false"}}}}
}

// elsewhere allows a state, and its lock, in a bucket of its own, and returns what
// nothing else may be allowed of.
func (p *Policy) elsewhere(arn string, state pipeline.Backend) []string {
	bucket, key := arn+"s3:::"+state.Config["bucket"], state.Config["key"]
	p.Statement = append(p.Statement,
		Statement{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucket}, Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": {key, key + ".tflock"}}}},
		Statement{Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resource: []string{bucket + "/" + key, bucket + "/" + key + ".tflock"}})
	return []string{bucket, bucket + "/*"}
}
