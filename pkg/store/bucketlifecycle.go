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

// rerunDays is how long one of the manager's runs may still act on a request: it
// can be run again for 30 days, and then last for 35.
// Source: https://docs.github.com/en/actions/reference/limits
const rerunDays = 65

func (s *S3) lifecycle(rules BucketRules) setting {
	want := s.lifecycleRules(rules)
	detail := fmt.Sprintf("plans go after %d days, requests and their index after %d, replaced versions after %d", rules.PlanDays, rules.PlanDays+rerunDays, rules.VersionDays)
	switch len(want) {
	case 2:
		detail = fmt.Sprintf("replaced versions go after %d days; %d targets are too many for a rule each", rules.VersionDays, len(rules.Targets))
	case 2 + len(rules.Targets):
		detail = fmt.Sprintf("plans go after %d days, replaced versions after %d; %d targets are too many for rules for their requests", rules.PlanDays, rules.VersionDays, len(rules.Targets))
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
				return pipeline.Usagef("the bucket would have %d lifecycle rules, and may have %d",
					len(others)+len(want), maxLifecycleRules).
					Nextf("use a bucket of its own for states")
			}
			_, err = s.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &s.options.Bucket,
				LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: append(others, want...)}})
			return err
		}}
}

// lifecycleRules removes what was written for a request, by target and by customer,
// since a filter knows prefixes only. When there are too many, requests stay
// before plans do: plans hold more, and the index is small.
//
// An entry of the queue makes an older request give way, so it must not go while
// that one can still be acted on: the request itself goes with it, and both only when no
// run can know them any more. States that were kept and the ledger have no end.
func (s *S3) lifecycleRules(rules BucketRules) []types.LifecycleRule {
	all := s.versionRules(rules)
	var plans, records []types.LifecycleRule
	customers := map[string]bool{}
	for _, target := range rules.Targets {
		customer, _, _ := strings.Cut(target, "/")
		plans = append(plans, s.expiry("plans-"+strings.ReplaceAll(target, "/", "_"), target+"/plans/", rules.PlanDays))
		records = append(records, s.expiry("queue-"+strings.ReplaceAll(target, "/", "_"), target+"/queue/", rules.PlanDays+rerunDays))
		if !customers[customer] {
			customers[customer] = true
			records = append(records, s.expiry("requests-"+customer, customer+"/requests/", rules.PlanDays+rerunDays), s.expiry("pulls-"+customer, customer+"/pulls/", rules.PlanDays+rerunDays))
		}
	}
	// A scan that is known as begun and not as ended would be gone on with.
	records = append(records, s.expiry("scans-begun", "_metapipe/scans/begun/", rules.PlanDays), s.expiry("scans-results", "_metapipe/scans/results/", rules.PlanDays),
		s.expiry("scans-history", "_metapipe/scans/history/", rules.PlanDays+rerunDays), s.expiry("compliance-history", "_metapipe/compliance/history/", rules.PlanDays+rerunDays))
	records = append(records, s.expiry("tokens", "_metapipe/tokens/", rules.PlanDays+rerunDays), s.expiry("rejected", "_metapipe/rejected/", rules.PlanDays+rerunDays))
	if len(all)+len(plans) <= maxLifecycleRules {
		all = append(all, plans...)
		if len(all)+len(records) <= maxLifecycleRules {
			all = append(all, records...)
		}
	}
	return all
}

func (s *S3) versionRules(rules BucketRules) []types.LifecycleRule {
	filter := &types.LifecycleRuleFilter{Prefix: aws.String(s.prefix)}
	return []types.LifecycleRule{{
		ID: aws.String(ruleIDs + "versions"), Status: types.ExpirationStatusEnabled, Filter: filter,
		NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: &rules.VersionDays},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)},
	}, {
		ID: aws.String(ruleIDs + "markers"), Status: types.ExpirationStatusEnabled, Filter: filter,
		Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)},
	}}
}

func (s *S3) expiry(name, prefix string, days int32) types.LifecycleRule {
	return types.LifecycleRule{ID: aws.String(ruleIDs + name), Status: types.ExpirationStatusEnabled,
		Filter: &types.LifecycleRuleFilter{Prefix: s.object(prefix)}, Expiration: &types.LifecycleExpiration{Days: &days}}
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
