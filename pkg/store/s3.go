package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Encryption is how the server encrypts what S3 writes.
type Encryption string

// The encryptions at rest. Sealed objects are encrypted a second time by it.
const (
	EncryptionBucket Encryption = ""        // whatever the bucket does by default
	EncryptionS3     Encryption = "AES256"  // SSE-S3: keys of S3 itself
	EncryptionKMS    Encryption = "aws:kms" // SSE-KMS: a key of AWS KMS
)

// S3Options says which bucket, and how to reach it. Only Bucket is needed.
type S3Options struct {
	Bucket     string
	Prefix     string // stands before every key; a slash at its end is added
	Region     string // instead of AWS_REGION, AWS_DEFAULT_REGION and the profile
	Encryption Encryption
	KMSKeyID   string // id, ARN or alias; empty for the account's own key of S3
	// Endpoint is used instead of AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.
	Endpoint string
	// PathStyle puts the bucket into the path of the URL and not into the name of
	// the host. Endpoints outside of AWS are always asked that way.
	PathStyle bool
	// Lookup reads the environment; nil leaves it to the SDK, which reads that of
	// the process.
	Lookup func(name string) (string, bool)
}

// S3 is a pipeline.Store in a bucket of Amazon S3, or of a server that speaks
// its protocol and knows If-None-Match. It is safe for use by many goroutines
// and processes at once. A versioned bucket keeps what Delete removes.
type S3 struct {
	client  *s3.Client
	options S3Options
	prefix  string // empty, or ends in a slash
	region  string
	server  string        // the endpoint, for errors
	stall   time.Duration // how long a reader waits for a byte
}

var _ pipeline.Store = (*S3)(nil)

// Place is the store as an s3:// URL.
func (s *S3) Place() string {
	return "s3://" + strings.TrimSuffix(s.options.Bucket+"/"+s.prefix, "/")
}

// Region is where the bucket is expected.
func (s *S3) Region() string { return s.region }

// object is the key as the bucket has it.
func (s *S3) object(key string) *string { return aws.String(s.prefix + key) }

func (s *S3) checkKey(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return s.checkLength(key)
}

func (s *S3) checkWritable(key string) error {
	if err := checkWritable(key); err != nil {
		return err
	}
	return s.checkLength(key)
}

func (s *S3) checkLength(key string) error {
	if n := len(s.prefix) + len(key); n > maxKey {
		return fmt.Errorf("%w: with the prefix %q it has %d bytes, the limit is %d", errKey, s.prefix, n, maxKey)
	}
	return nil
}
