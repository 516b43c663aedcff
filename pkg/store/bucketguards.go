package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// guard is one statement of ours in the bucket policy. Every other statement stays.
type guard struct {
	name, want, sid string
	deny            map[string]any // without Sid, Effect and Principal
}

// guards are what the bucket refuses to everybody, whatever a role may do.
func (s *S3) guards() []setting {
	all := []any{s.bucketARN(), s.bucketARN() + "/*"}
	return []setting{
		s.guarded(guard{name: "TLS only", want: "a bucket policy refuses requests without TLS", sid: "MetapipeTLSOnly",
			deny: map[string]any{"Action": "s3:*", "Resource": all, "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}}),
		// Policies of roles name the bucket, and an access point is another name for it.
		// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html
		s.guarded(guard{name: "access points", want: "a bucket policy refuses requests by way of an access point", sid: "MetapipeNoAccessPoints",
			deny: map[string]any{"Action": "s3:*", "Resource": all, "Condition": map[string]any{"Null": map[string]any{"s3:DataAccessPointArn": "false"}}}}),
		// Multipart uploads are exempt until the request that completes them.
		// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
		s.guarded(guard{name: "write once", want: "a bucket policy refuses to overwrite anything but states and their locks", sid: "MetapipeWriteOnce",
			deny: map[string]any{"Action": "s3:PutObject", "Resource": s.writeOnce(), "Condition": map[string]any{
				"Null": map[string]any{"s3:if-none-match": "true"}, "Bool": map[string]any{"s3:ObjectCreationOperation": "true"}}}}),
	}
}

// writeOnce are all objects but states and their locks, as ARNs. An environment cannot
// be called requests, pulls or ledger; the other folders lie below one.
func (s *S3) writeOnce() []any {
	var all []any
	for _, keys := range []string{"_metapipe/*", "*/requests/*", "*/pulls/*", "*/ledger/*", "*/*/plans/*", "*/*/kept/*", "*/*/replaced/*", "*/*/applied/*", "*/*/outputs/*", "*/*/queue/*", "*/*/keys/*"} {
		all = append(all, s.bucketARN()+"/"+s.prefix+keys)
	}
	return all
}

func (s *S3) guarded(g guard) setting {
	ours := map[string]any{"Sid": g.sid, "Effect": "Deny", "Principal": "*"}
	for key, value := range g.deny {
		ours[key] = value
	}
	return setting{name: g.name, want: g.want, action: "s3:GetBucketPolicy",
		check: func(ctx context.Context) (bool, error) {
			_, statements, err := s.bucketPolicy(ctx)
			return slices.ContainsFunc(statements, func(st any) bool { return reflect.DeepEqual(plainPolicy(st), plainPolicy(ours)) }), err
		},
		set: func(ctx context.Context) error {
			document, statements, err := s.bucketPolicy(ctx)
			if err != nil {
				return err
			}
			kept := slices.DeleteFunc(statements, func(st any) bool {
				m, ok := st.(map[string]any)
				return ok && m["Sid"] == g.sid
			})
			document["Statement"] = append(kept, ours)
			b, err := json.Marshal(document)
			if err != nil {
				return err
			}
			_, err = s.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.options.Bucket, Policy: aws.String(string(b))})
			if e := answer(err); e != nil && e.code == "MalformedPolicy" && s.client.Options().BaseEndpoint != nil {
				return fmt.Errorf("%w: %w", errUnsupported, err) // a server that lacks the condition
			}
			return err
		}}
}

// plainPolicy undoes the spellings of one thing that servers choose among: a list
// of one for its item, lists in another order, {"AWS": "*"} for everybody.
func plainPolicy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		plain := map[string]any{}
		for key, item := range v {
			plain[key] = plainPolicy(item)
		}
		if len(plain) == 1 && plain["AWS"] == "*" {
			return "*"
		}
		return plain
	case []any:
		if len(v) == 1 {
			return plainPolicy(v[0])
		}
		plain := make([]string, len(v))
		for i, item := range v {
			plain[i] = fmt.Sprint(item)
		}
		slices.Sort(plain)
		return plain
	case bool:
		return fmt.Sprint(v)
	}
	return v
}

// bucketPolicy returns the whole policy and its statements; an absent one is new.
func (s *S3) bucketPolicy(ctx context.Context) (map[string]any, []any, error) {
	document := map[string]any{"Version": "2012-10-17"}
	out, err := s.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &s.options.Bucket})
	if absent(err) {
		return document, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Policy)), &document); err != nil {
		return nil, nil, fmt.Errorf("read the policy of the bucket: %w", err)
	}
	switch statements := document["Statement"].(type) {
	case nil:
		return document, nil, nil
	case []any:
		return document, statements, nil
	default: // a single one may stand without a list
		return document, []any{statements}, nil
	}
}
