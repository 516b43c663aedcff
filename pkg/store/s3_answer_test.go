package store

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/metapipe/metapipe/pkg/awsenv"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// answered is an error as the SDK returns it.
func answered(service, operation, code, message string, status int) error {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}}
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithyhttp.ResponseError{
		Response: response, Err: &smithy.GenericAPIError{Code: code, Message: message},
	}}
}

func TestDenialNamesPartitionAndKey(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"eu-west-1": "arn:aws:s3:::b/p/k", "cn-north-1": "arn:aws-cn:s3:::b/p/k", "us-gov-west-1": "arn:aws-us-gov:s3:::b/p/k"} {
		s := &S3{options: S3Options{Bucket: "b", Encryption: EncryptionKMS}, prefix: "p/", region: region}
		err := s.fail("create", "k", answered("S3", "PutObject", "AccessDenied", "Access Denied", 403))
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "kms:GenerateDataKey and kms:Decrypt on the KMS key aws/s3") {
			t.Errorf("%s: got %v, want %s and the key", region, err, want)
		}
	}
}

func TestRoleErrorsAreNotAboutTheBucket(t *testing.T) {
	t.Parallel()
	s := &S3{options: S3Options{Bucket: "b"}, region: "eu-west-1"}
	for code, want := range map[string]string{
		"AccessDenied": "trust policy of the role", "InvalidIdentityToken": "OpenID Connect provider", "ExpiredTokenException": "must be fresh",
	} {
		inner := &awsenv.CredentialsError{Err: answered("STS", "AssumeRoleWithWebIdentity", code, "Not authorized", 403)}
		err := s.fail("open", "k", &smithy.OperationError{ServiceID: "S3", OperationName: "GetObject", Err: inner})
		if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, "take a role by AssumeRoleWithWebIdentity: "+code) || strings.Contains(text, "s3:GetObject") {
			t.Errorf("%s: got %v, want %s", code, err, want)
		}
	}
}

func TestPathStyle(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"": false, "https://s3.eu-west-1.amazonaws.com": false, "https://bucket.vpce-1-2.s3.cn-north-1.vpce.amazonaws.com.cn": false,
		"https://s3.example.com": true, "http://minio:9000": true, "https://amazonaws.com.example.com": true,
	} {
		for _, forced := range []bool{false, true} {
			o := S3Options{Bucket: "bucket", Region: "eu-west-1", Endpoint: endpoint, PathStyle: forced}
			client, err := o.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := client.Options().UsePathStyle; got != (want || forced) {
				t.Errorf("%q, forced %v: path style is %v", endpoint, forced, got)
			}
		}
	}
}

func TestEndpointMayBeIgnored(t *testing.T) {
	t.Parallel()
	env := awsenv.Environ{Lookup: func(name string) (string, bool) {
		return map[string]string{"AWS_ENDPOINT_URL_S3": "http://s3.example.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}[name], true
	}}
	if endpoint, err := (S3Options{}).endpoint(env); err != nil || endpoint != "" {
		t.Errorf("got %q, %v; want none", endpoint, err)
	}
}

// FuzzS3Answer: whatever a server answers becomes one error about our key, and
// only its own codes say that an object is there or not.
func FuzzS3Answer(f *testing.F) {
	f.Add("PutObject", "AccessDenied", "not authorized to perform: kms:GenerateDataKey on resource: x", 403)
	f.Add("GetObject", "NoSuchKey", "The specified key does not exist.", 404)
	f.Add("HeadObject", "NotFound", "", 404)
	f.Add("PutObject", "PreconditionFailed", "", 412)
	f.Add("ListObjectsV2", "AuthorizationHeaderMalformed", "the region 'a' is wrong; expecting 'b'", 400)
	f.Add("", "", "\x00\n::error::x", -1)
	f.Fuzz(func(t *testing.T, operation, code, message string, status int) {
		s := &S3{options: S3Options{Bucket: "b"}, region: "eu-west-1", server: "S3"}
		err := s.fail("create", "k", answered("S3", operation, code, message, status))
		if !strings.HasPrefix(err.Error(), `create "k" in store s3://b: `) {
			t.Fatalf("got %q", err)
		}
		if errors.Is(err, pipeline.ErrExists) != (code == codePrecondition) {
			t.Fatalf("%q is taken for ErrExists, or not", code)
		}
		if errors.Is(err, pipeline.ErrNotFound) && !strings.HasPrefix(code, "No") {
			t.Fatalf("%q is taken for ErrNotFound", code)
		}
	})
}

// FuzzDecodeListed: a listed key is decoded as it was encoded, or refused.
func FuzzDecodeListed(f *testing.F) {
	for _, s := range []string{"acme/a+b%2F", "%", "%zz", "acme/%07", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if plain, err := decodeListed(s, ""); err != nil || plain != s {
			t.Fatalf("got %q, %v for a key that is not encoded", plain, err)
		}
		if _, err := decodeListed(s, "url"); err != nil && !strings.Contains(s, "%") {
			t.Fatalf("%q was refused: %v", s, err)
		}
	})
}
