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

// tlsSid marks our statement in a bucket policy.
const tlsSid = "MetapipeTLSOnly"

// tlsOnly refuses requests without TLS. Every other statement stays.
func (s *S3) tlsOnly() setting {
	ours := map[string]any{"Sid": tlsSid, "Effect": "Deny", "Principal": "*", "Action": "s3:*",
		"Resource":  []any{s.bucketARN(), s.bucketARN() + "/*"},
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}
	return setting{name: "TLS only", want: "a bucket policy refuses requests without TLS", action: "s3:GetBucketPolicy",
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
				return ok && m["Sid"] == tlsSid
			})
			document["Statement"] = append(kept, ours)
			b, err := json.Marshal(document)
			if err != nil {
				return err
			}
			_, err = s.client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.options.Bucket, Policy: aws.String(string(b))})
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
