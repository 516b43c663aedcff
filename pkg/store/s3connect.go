package store

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// bucketName is the form of general purpose buckets.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketName = text.Pattern(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// NewS3 returns the store in a bucket. It reads the files of the AWS profile,
// if there is one, and asks no server: credentials and bucket are tried by the
// first operation.
func NewS3(ctx context.Context, o S3Options) (*S3, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	client, err := o.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &S3{client: client, options: o, region: client.Options().Region, server: "S3 in " + client.Options().Region, stall: stallTimeout}
	if endpoint := client.Options().BaseEndpoint; endpoint != nil {
		s.server = *endpoint
	}
	if o.Prefix != "" {
		s.prefix = strings.TrimSuffix(o.Prefix, "/") + "/"
	}
	return s, nil
}

func (o S3Options) check() error {
	switch {
	case o.Bucket == "":
		return pipeline.Usagef("the bucket of the store is not set").Nextf("name the state bucket")
	case !bucketName().MatchString(o.Bucket) || strings.Contains(o.Bucket, ".."):
		return pipeline.Usagef("%q is not the name of a bucket", o.Bucket).
			Nextf("use the plain name: 3 to 63 of a-z, 0-9, '-' and '.', without s3:// and not an ARN")
	case o.Encryption != EncryptionBucket && o.Encryption != EncryptionS3 && o.Encryption != EncryptionKMS:
		return pipeline.Usagef("bucket %s: the encryption %q is not known", o.Bucket, o.Encryption).
			Nextf("use %s or %s", EncryptionS3, EncryptionKMS)
	case o.KMSKeyID != "" && o.Encryption != EncryptionKMS:
		return pipeline.Usagef("bucket %s: a KMS key is set, but not the encryption that uses it", o.Bucket).
			Nextf("set the encryption to %s, or drop the key", EncryptionKMS)
	}
	if o.Prefix != "" {
		if err := CheckKey(strings.TrimSuffix(o.Prefix, "/")); err != nil {
			return pipeline.Usagef("bucket %s: the prefix %q", o.Bucket, o.Prefix).Because(err).
				Nextf("use a plain path such as metapipe/state")
		}
	}
	return nil
}

// connect makes the client. The SDK reads the environment of the process by
// itself, so what Lookup says is laid over it, in the SDK's own order: keys, web
// identity, profile, container, instance.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func (o S3Options) connect(ctx context.Context) (*s3.Client, error) {
	env := awsenv.Environ{Lookup: o.Lookup}
	c, err := env.Config(ctx, o.Region)
	if err != nil {
		return nil, o.unusable(err)
	}
	if c.Region == "" {
		return nil, pipeline.Usagef("the region of bucket %s is not set", o.Bucket).
			Nextf("name it with state.region in metapipe.yml, or set AWS_REGION")
	}
	endpoint, err := o.endpoint(env)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(c, func(so *s3.Options) {
		if endpoint != "" {
			so.BaseEndpoint = &endpoint
		}
		so.Retryer = awsenv.RetryAt(aws.ToString(so.BaseEndpoint))
		so.UsePathStyle = o.PathStyle || !ofAWS(aws.ToString(so.BaseEndpoint))
		// Not to be turned off by a variable of the environment.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
		so.DisableLogOutputChecksumValidationSkipped = true
	}), nil
}

func (o S3Options) unusable(err error) error {
	return pipeline.Usagef("read the AWS settings for bucket %s", o.Bucket).Because(err).
		Nextf("fix the AWS_… variables of this step, or the AWS profile that they name")
}

// endpoint is what to ask instead of AWS, if anything.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func (o S3Options) endpoint(env awsenv.Environ) (string, error) {
	endpoint := o.Endpoint
	if endpoint == "" && !strings.EqualFold(env.First("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		endpoint = env.First("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	}
	if endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", pipeline.Usagef("the endpoint of S3 %q is not a URL", endpoint).
			Nextf("set AWS_ENDPOINT_URL_S3 to something like https://s3.example.com, or unset it for AWS itself")
	}
	return endpoint, nil
}

// ofAWS reports whether an endpoint has a host name for each bucket; the empty
// one is AWS itself.
func ofAWS(endpoint string) bool {
	if endpoint == "" {
		return true
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}
