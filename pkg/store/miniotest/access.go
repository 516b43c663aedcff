package miniotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Credentials are keys of the server, with a token when they are a session's.
type Credentials struct{ AccessKey, SecretKey, Token string }

// Root may do everything.
func (s *Server) Root() Credentials {
	return Credentials{AccessKey: s.AccessKey, SecretKey: s.SecretKey}
}

// Environ is what a program needs in its environment to use the server.
func (s *Server) Environ(c Credentials) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL_S3": s.Endpoint, "AWS_ENDPOINT_URL_STS": s.Endpoint,
		"AWS_REGION": s.Region, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	if c.AccessKey != "" {
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = c.AccessKey, c.SecretKey
	}
	if c.Token != "" {
		env["AWS_SESSION_TOKEN"] = c.Token
	}
	return env
}

func (s *Server) config(c Credentials) aws.Config {
	return aws.Config{Region: s.Region, BaseEndpoint: &s.Endpoint, Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.Token)}
}

// Client is a plain S3 client, for what a test sets up or looks at.
func (s *Server) Client(c Credentials) *s3.Client {
	return s3.NewFromConfig(s.config(c), func(o *s3.Options) { o.UsePathStyle = true })
}

// Bucket makes a bucket, which ends with the server.
func (s *Server) Bucket(t testing.TB, name string, versioned bool) {
	t.Helper()
	client := s.Client(s.Root())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("make bucket %s: %v", name, err)
	}
	if !versioned {
		return
	}
	_, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatalf("version bucket %s: %v", name, err)
	}
}

// Session returns credentials of root that are cut down to an IAM policy, as an
// inline session policy does it.
func (s *Server) Session(t testing.TB, policy string) Credentials {
	t.Helper()
	client := sts.NewFromConfig(s.config(s.Root()))
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/session"), RoleSessionName: aws.String("session"), Policy: &policy,
	})
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	return Credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken}
}

// roleARN is how the server prints the role of an OpenID provider when it starts.
var roleARN = regexp.MustCompile(`arn:minio:iam:[^\s"]+`)

func (s *Server) findRole() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		log, err := os.ReadFile(s.Log)
		if err != nil {
			return "", err
		}
		if arn := roleARN.Find(log); arn != nil {
			return string(arn), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), fmt.Errorf("minio printed no role:\n%s", log))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
