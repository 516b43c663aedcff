package store

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// KMSOptions are the keys of AWS KMS that seal in place of a Key of our own.
type KMSOptions struct {
	// Keys are ids, ARNs or aliases of symmetric keys: the first one seals, each of
	// them opens. There must be one at least.
	Keys []string
	// Region is that of keys that do not name theirs; empty: what Lookup says.
	Region string
	// Objects keeps the keys of fingerprints.
	Objects pipeline.Store
	// Lookup reads the environment, in which AWS_… has its usual meaning.
	Lookup func(string) (string, bool)
}

// NewKMSSealer returns a Sealer that asks KMS for a data key for each object.
// With keys, it also opens what was sealed under those.
func NewKMSSealer(ctx context.Context, o KMSOptions, keys ...Key) (*Sealer, error) {
	s, err := newSealer(keys)
	if err != nil {
		return nil, err
	}
	if len(o.Keys) == 0 {
		return nil, pipeline.Usagef("no KMS key is named").Nextf("name one in `sealing_keys` of metapipe.yml")
	}
	env := awsenv.Environ{Lookup: o.Lookup}
	c, err := env.Config(ctx, o.Region)
	if err != nil {
		return nil, pipeline.Usagef("read the AWS settings for KMS").Because(err).
			Nextf("fix the AWS_… variables of this step, or the AWS profile that they name")
	}
	if c.Region == "" && regionOfKey(o.Keys[0]) == "" {
		return nil, pipeline.Usagef("the region of the KMS key %s is not set", o.Keys[0]).
			Nextf("name the key by its ARN in `sealing_keys`, or set `state.region` or AWS_REGION")
	}
	s.kms = &kmsKeys{names: o.Keys, objects: o.Objects, client: kms.NewFromConfig(c, func(ko *kms.Options) {
		if endpoint := env.First("AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"); endpoint != "" {
			ko.BaseEndpoint = &endpoint
		}
		ko.Retryer = awsenv.RetryAt(aws.ToString(ko.BaseEndpoint))
	})}
	return s, nil
}

// regionOfKey is the region that an ARN names; empty for an id or an alias.
func regionOfKey(key string) string {
	parts := strings.SplitN(key, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "kms" {
		return parts[3]
	}
	return ""
}
