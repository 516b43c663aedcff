package store

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

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
