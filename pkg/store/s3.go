package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
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

// Place is the store as an s3:// URL.
func (s *S3) Place() string {
	return "s3://" + strings.TrimSuffix(s.options.Bucket+"/"+s.prefix, "/")
}

// Region is where the bucket is expected.
func (s *S3) Region() string { return s.region }

// Open implements pipeline.Store. The reader fails when ctx is cancelled, when
// no byte comes for a minute, and at its end when the object does not have the
// checksum that it was stored with.
func (s *S3) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), s.checkKey(key)); err != nil {
		return nil, s.fail("open", key, err)
	}
	return s.open(ctx, key)
}

// List implements pipeline.Store. A prefix need not end at a slash. Objects
// whose key is not a valid one are left out, such as the empty ones that stand
// for folders; the tool's own state files are in the list.
func (s *S3) List(ctx context.Context, prefix string) ([]string, error) {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter implements pipeline.Store.
func (s *S3) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return nil, s.fail("list", prefix, err)
	}
	keys, err := s.list(ctx, prefix, after)
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	// S3 answers in this order; directory buckets and some other servers do not.
	slices.Sort(keys)
	return keys, nil
}

// Folders implements pipeline.Store.
func (s *S3) Folders(ctx context.Context, prefix string) ([]string, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return nil, s.fail("list", prefix, err)
	}
	input := s.listInput(prefix)
	input.Delimiter = aws.String("/")
	var folders []string
	err := s.pages(ctx, input, func(page *s3.ListObjectsV2Output) error {
		for _, common := range page.CommonPrefixes {
			folder, err := decodeListed(aws.ToString(common.Prefix), page.EncodingType)
			if err != nil {
				return err
			}
			folder, ours := strings.CutPrefix(folder, s.prefix+prefix)
			if ours && CheckKey(prefix+folder+"x") == nil {
				folders = append(folders, folder)
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	slices.Sort(folders)
	return slices.Compact(folders), nil
}

func (s *S3) list(ctx context.Context, prefix, after string) ([]string, error) {
	var keys []string
	input := s.listInput(prefix)
	if after != "" {
		input.StartAfter = aws.String(s.prefix + after)
	}
	err := s.pages(ctx, input, func(page *s3.ListObjectsV2Output) error {
		for _, object := range page.Contents {
			key, ours, err := s.listed(object, page.EncodingType)
			if err != nil {
				return err
			}
			if ours && strings.HasPrefix(key, prefix) && key > after {
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, err
}

// decodeListed returns a key as it was stored. Servers that do not know the
// encoding leave it out and say so.
func decodeListed(key string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return key, nil
	}
	decoded, err := url.QueryUnescape(key)
	if err != nil {
		return "", fmt.Errorf("the server listed a key that cannot be decoded: %w", err)
	}
	return decoded, nil
}

// Delete implements pipeline.Store.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), s.checkWritable(key)); err != nil {
		return s.fail("delete", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.options.Bucket, Key: s.object(key)})
	if errors.Is(s.cause(err), pipeline.ErrNotFound) {
		err = nil // S3 answers 204; some other servers do not
	}
	return s.fail("delete", key, err)
}

// RemoveState removes a state, which no other method changes. The caller has kept a copy,
// and a bucket with versioning keeps it, too.
func (s *S3) RemoveState(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), checkState(key), s.checkLength(key)); err != nil {
		return s.fail("remove", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.options.Bucket, Key: s.object(key)})
	if errors.Is(s.cause(err), pipeline.ErrNotFound) {
		err = nil // S3 answers 204; some other servers do not
	}
	return s.fail("remove", key, err)
}

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
