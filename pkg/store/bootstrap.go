package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// BucketRules are what a state bucket is held to beyond its encryption.
type BucketRules struct {
	LogBucket   string   // takes the access log; empty: none is asked for
	Targets     []string // "<customer>/<environment>": their plans are removed in time
	PlanDays    int32    // age at which plans and their records go; requests go 65 days later
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
// The steps say what was found or done; they come also beside an error.
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

func (s *S3) refusedAction(command string, p setting, err error) error {
	action := p.action
	if command == "set" {
		action = strings.Replace(action, "s3:Get", "s3:Put", 1)
	}
	cause := s.cause(err)
	next := s.next(command, "", cause)
	var e *awsError
	if errors.As(cause, &e) && e.status == 403 {
		next = "allow " + action + " on " + s.bucketARN()
	}
	return &Error{Op: command + " the " + p.name + " of", Key: s.options.Bucket, Place: s.server, Next: next, Err: cause}
}

// errUnsupported is a part of S3 that a server lacks.
var errUnsupported = errors.New("the server does not know this")

// unsupported reports answers of servers that are not AWS and lack a part of S3.
func unsupported(err error) bool {
	e := answer(err)
	return errors.Is(err, errUnsupported) || e != nil && (e.code == "NotImplemented" || e.code == "MethodNotAllowed")
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
	all := []setting{s.versioning(), s.encryption(), s.publicAccess(), s.ownership()}
	all = append(append(all, s.guards()...), s.lifecycle(rules))
	if rules.LogBucket != "" {
		all = append(all, s.logging(rules.LogBucket))
	}
	return all
}
