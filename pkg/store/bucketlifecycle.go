package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

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
