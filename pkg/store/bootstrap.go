package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// BucketRules are what a state bucket is held to beyond its encryption.
type BucketRules struct {
	LogBucket   string   // takes the access log; empty: none is asked for
	Targets     []string // "<customer>/<environment>": their plans are removed in time
	PlanDays    int32    // age at which plans and their records go
	VersionDays int32    // age at which replaced versions go
}

// Step is one property of a bucket.
type Step struct {
	Name   string `json:"name"`
	State  string `json:"state"`  // one of the Step… words
	Detail string `json:"detail"` // what is, or is to be
}

// The states of a step.
const (
	StepGood        = "good"        // as it should be
	StepMissing     = "missing"     // would be set with --apply
	StepChanged     = "changed"     // was set just now
	StepSkipped     = "skipped"     // not asked for, and not there
	StepUnsupported = "unsupported" // not known to this server
)

// setting is a property of a bucket: what it should be, how to see and to set it.
type setting struct {
	name, want string
	action     string // the IAM action that reads it; the one that sets it is its twin
	check      func(ctx context.Context) (good bool, err error)
	set        func(ctx context.Context) error
}

// maxLifecycleRules is what a bucket may have in all.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
const maxLifecycleRules = 1000

// Bootstrap compares the bucket with what a state bucket should be, and with
// apply makes it so. Policies and lifecycle rules of others are left as they are.
// The steps tell what was found or done; they come also beside an error.
func (s *S3) Bootstrap(ctx context.Context, rules BucketRules, apply bool) ([]Step, error) {
	exists, err := s.bucketExists(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, p := range append([]setting{s.existence(exists)}, s.properties(rules)...) {
		step, err := s.step(ctx, p, exists, apply)
		if err != nil {
			return steps, err
		}
		exists = exists || apply
		steps = append(steps, step)
	}
	if rules.LogBucket == "" {
		steps = append(steps, Step{"access log", StepSkipped, "name a bucket for it with --log-bucket"})
	}
	return steps, nil
}

func (s *S3) step(ctx context.Context, p setting, exists, apply bool) (Step, error) {
	step := Step{Name: p.name, State: StepMissing, Detail: p.want}
	if exists || apply && p.name != "bucket" {
		good, err := p.check(ctx)
		if unsupported(err) {
			step.State = StepUnsupported
			return step, nil
		}
		if err != nil {
			return step, s.refusedAction("read", p, err)
		}
		if good {
			step.State = StepGood
			return step, nil
		}
	}
	if !apply {
		return step, nil
	}
	if err := p.set(ctx); err != nil {
		if unsupported(err) {
			step.State = StepUnsupported
			return step, nil
		}
		return step, s.refusedAction("set", p, err)
	}
	step.State = StepChanged
	return step, nil
}

func (s *S3) refusedAction(verb string, p setting, err error) error {
	action := p.action
	if verb == "set" {
		action = strings.Replace(action, "s3:Get", "s3:Put", 1)
	}
	cause := s.cause(err)
	next := s.next(verb, "", cause)
	var e *s3Error
	if errors.As(cause, &e) && e.status == 403 {
		next = "allow " + action + " on " + s.bucketARN()
	}
	return &Error{Op: verb + " the " + p.name + " of", Key: s.options.Bucket, Place: s.server, Next: next, Err: cause}
}

// unsupported reports answers of servers that are not AWS and lack a part of S3.
func unsupported(err error) bool {
	e := answer(err)
	return e != nil && (e.code == "NotImplemented" || e.code == "MethodNotAllowed")
}

// absent reports the answer to a question for a property that was never set.
func absent(err error) bool {
	e := answer(err)
	return e != nil && slices.Contains([]string{
		"ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration", "OwnershipControlsNotFoundError",
		"NoSuchBucketPolicy", "NoSuchLifecycleConfiguration",
	}, e.code)
}

func (s *S3) bucketExists(ctx context.Context) (bool, error) {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.options.Bucket})
	if err == nil {
		return true, nil
	}
	if e := answer(err); e != nil && e.status == 404 {
		return false, nil
	}
	return false, s.refusedAction("read", setting{name: "existence", action: "s3:ListBucket"}, err)
}

func (s *S3) existence(exists bool) setting {
	return setting{name: "bucket", want: "there, in " + s.region, action: "s3:CreateBucket",
		check: func(context.Context) (bool, error) { return exists, nil },
		set: func(ctx context.Context) error {
			in := &s3.CreateBucketInput{Bucket: &s.options.Bucket, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}
			if s.region != "us-east-1" { // the one region that must not be named
				in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(s.region)}
			}
			_, err := s.client.CreateBucket(ctx, in)
			return err
		}}
}

func (s *S3) properties(rules BucketRules) []setting {
	all := []setting{s.versioning(), s.encryption(), s.publicAccess(), s.ownership(), s.tlsOnly(), s.lifecycle(rules)}
	if rules.LogBucket != "" {
		all = append(all, s.logging(rules.LogBucket))
	}
	return all
}

func (s *S3) versioning() setting {
	return setting{name: "versioning", want: "enabled", action: "s3:GetBucketVersioning",
		check: func(ctx context.Context) (bool, error) {
			out, err := s.client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &s.options.Bucket})
			return err == nil && out.Status == types.BucketVersioningStatusEnabled, err
		},
		set: func(ctx context.Context) error {
			_, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &s.options.Bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
			return err
		}}
}

func (s *S3) encryption() setting {
	rule := types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}
	want := "SSE-S3 by default"
	if s.options.Encryption == EncryptionKMS {
		rule = types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms}
		want = "SSE-KMS by default, with " + s.keyName()
		if s.options.KMSKeyID != "" {
			rule.KMSMasterKeyID = &s.options.KMSKeyID
		}
	}
	return setting{name: "encryption", want: want, action: "s3:GetEncryptionConfiguration",
		check: func(ctx context.Context) (bool, error) {
			out, err := s.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &s.options.Bucket})
			if absent(err) {
				return false, nil
			}
			if err != nil || out.ServerSideEncryptionConfiguration == nil {
				return false, err
			}
			return slices.ContainsFunc(out.ServerSideEncryptionConfiguration.Rules, func(r types.ServerSideEncryptionRule) bool {
				d := r.ApplyServerSideEncryptionByDefault
				return d != nil && d.SSEAlgorithm == rule.SSEAlgorithm && (rule.KMSMasterKeyID == nil || aws.ToString(d.KMSMasterKeyID) == *rule.KMSMasterKeyID)
			}), nil
		},
		set: func(ctx context.Context) error {
			r := types.ServerSideEncryptionRule{ApplyServerSideEncryptionByDefault: &rule}
			if rule.SSEAlgorithm == types.ServerSideEncryptionAwsKms {
				r.BucketKeyEnabled = aws.Bool(true)
			}
			_, err := s.client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &s.options.Bucket,
				ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{r}}})
			return err
		}}
}

func (s *S3) publicAccess() setting {
	return setting{name: "public access", want: "blocked", action: "s3:GetBucketPublicAccessBlock",
		check: func(ctx context.Context) (bool, error) {
			out, err := s.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &s.options.Bucket})
			if absent(err) {
				return false, nil
			}
			if err != nil || out.PublicAccessBlockConfiguration == nil {
				return false, err
			}
			c := out.PublicAccessBlockConfiguration
			return aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) && aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets), nil
		},
		set: func(ctx context.Context) error {
			yes := aws.Bool(true)
			_, err := s.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &s.options.Bucket,
				PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes}})
			return err
		}}
}

func (s *S3) ownership() setting {
	return setting{name: "ownership", want: "the bucket's owner, no access lists", action: "s3:GetBucketOwnershipControls",
		check: func(ctx context.Context) (bool, error) {
			out, err := s.client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &s.options.Bucket})
			if absent(err) {
				return false, nil
			}
			if err != nil || out.OwnershipControls == nil {
				return false, err
			}
			return slices.ContainsFunc(out.OwnershipControls.Rules, func(r types.OwnershipControlsRule) bool {
				return r.ObjectOwnership == types.ObjectOwnershipBucketOwnerEnforced
			}), nil
		},
		set: func(ctx context.Context) error {
			_, err := s.client.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &s.options.Bucket,
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}}}})
			return err
		}}
}

func (s *S3) logging(to string) setting {
	prefix := s.options.Bucket + "/"
	return setting{name: "access log", want: "to " + to + "/" + prefix, action: "s3:GetBucketLogging",
		check: func(ctx context.Context) (bool, error) {
			out, err := s.client.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: &s.options.Bucket})
			return err == nil && out.LoggingEnabled != nil && aws.ToString(out.LoggingEnabled.TargetBucket) == to, err
		},
		set: func(ctx context.Context) error {
			_, err := s.client.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: &s.options.Bucket,
				BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: &types.LoggingEnabled{TargetBucket: &to, TargetPrefix: &prefix}}})
			return err
		}}
}

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

// ruleIDs begin the names of our lifecycle rules.
const ruleIDs = "metapipe-"

func (s *S3) lifecycle(rules BucketRules) setting {
	want := s.lifecycleRules(rules)
	detail := fmt.Sprintf("plans go after %d days, replaced versions after %d", rules.PlanDays, rules.VersionDays)
	if len(rules.Targets)+2 > maxLifecycleRules {
		detail = fmt.Sprintf("replaced versions go after %d days; %d targets are too many for a rule each", rules.VersionDays, len(rules.Targets))
	}
	return setting{name: "lifecycle", want: detail, action: "s3:GetLifecycleConfiguration",
		check: func(ctx context.Context) (bool, error) {
			_, ours, err := s.foundRules(ctx)
			return sameRules(ours, want), err
		},
		set: func(ctx context.Context) error {
			others, _, err := s.foundRules(ctx)
			if err != nil {
				return err
			}
			if len(others)+len(want) > maxLifecycleRules {
				return &pipeline.UsageError{Message: fmt.Sprintf("the bucket would have %d lifecycle rules, and may have %d", len(others)+len(want), maxLifecycleRules), Next: "use a bucket of its own for states"}
			}
			_, err = s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &s.options.Bucket,
				LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: append(others, want...)}})
			return err
		}}
}

// lifecycleRules removes plans by target, since a filter knows prefixes only.
func (s *S3) lifecycleRules(rules BucketRules) []types.LifecycleRule {
	enabled := types.ExpirationStatusEnabled
	all := []types.LifecycleRule{{
		ID: aws.String(ruleIDs + "versions"), Status: enabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(s.prefix)},
		NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: &rules.VersionDays},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)},
	}, {
		ID: aws.String(ruleIDs + "markers"), Status: enabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(s.prefix)},
		Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)},
	}}
	if len(rules.Targets)+2 > maxLifecycleRules {
		return all
	}
	for _, target := range rules.Targets {
		all = append(all, types.LifecycleRule{
			ID: aws.String(ruleIDs + "plans-" + strings.ReplaceAll(target, "/", "_")), Status: enabled,
			Filter:     &types.LifecycleRuleFilter{Prefix: s.object(target + "/plans/")},
			Expiration: &types.LifecycleExpiration{Days: &rules.PlanDays},
		})
	}
	return all
}

func (s *S3) foundRules(ctx context.Context) (others, ours []types.LifecycleRule, err error) {
	out, err := s.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.options.Bucket})
	if absent(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, r := range out.Rules {
		if strings.HasPrefix(aws.ToString(r.ID), ruleIDs) {
			ours = append(ours, r)
		} else {
			others = append(others, r)
		}
	}
	return others, ours, nil
}

// sameRules compares what our rules say; servers fill in more.
func sameRules(a, b []types.LifecycleRule) bool {
	say := func(rules []types.LifecycleRule) []string {
		var all []string
		for _, r := range rules {
			text := aws.ToString(r.ID) + " " + string(r.Status)
			if r.Filter != nil {
				text += " " + aws.ToString(r.Filter.Prefix)
			}
			if r.Expiration != nil {
				text += fmt.Sprint(" ", aws.ToInt32(r.Expiration.Days), aws.ToBool(r.Expiration.ExpiredObjectDeleteMarker))
			}
			if r.NoncurrentVersionExpiration != nil {
				text += fmt.Sprint(" ", aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays))
			}
			all = append(all, text)
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(say(a), say(b))
}
