package store

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/metapipe/metapipe/pkg/awsenv"
)

// anyRegion is one in which STS answers for every account of the public partition.
const anyRegion = "us-east-1"

// Identity asks AWS whom the credentials of the environment belong to, and returns the ARN. An empty region is that of
// AWS_REGION.
func Identity(ctx context.Context, lookup func(string) (string, bool), region string) (string, error) {
	env := awsenv.Environ{Lookup: lookup}
	c, err := env.Config(ctx, region)
	if err != nil {
		return "", err
	}
	c.Region = cmp.Or(c.Region, anyRegion)
	client := sts.NewFromConfig(c, func(so *sts.Options) {
		if endpoint := env.First("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"); endpoint != "" {
			so.BaseEndpoint = &endpoint
		}
		so.Retryer = awsenv.RetryAt(aws.ToString(so.BaseEndpoint))
	})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Arn), nil
}
