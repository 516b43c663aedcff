package store_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

func TestNewS3Refuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notPEM := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"AWS_REGION": "eu-west-1"}
	for name, test := range map[string]struct {
		options store.S3Options
		env     map[string]string
		want    string
	}{
		"no bucket":         {store.S3Options{}, good, "bucket of the store is not set"},
		"URL":               {store.S3Options{Bucket: "s3://b"}, good, "not the name of a bucket"},
		"ARN":               {store.S3Options{Bucket: "arn:aws:s3:::b"}, good, "not the name of a bucket"},
		"upper case":        {store.S3Options{Bucket: "Bucket"}, good, "not the name of a bucket"},
		"two dots":          {store.S3Options{Bucket: "a..b"}, good, "not the name of a bucket"},
		"prefix":            {store.S3Options{Bucket: "bucket", Prefix: "a/../b"}, good, `the prefix "a/../b"`},
		"absolute prefix":   {store.S3Options{Bucket: "bucket", Prefix: "/a"}, good, `the prefix "/a"`},
		"encryption":        {store.S3Options{Bucket: "bucket", Encryption: "rot13"}, good, "rot13"},
		"key without KMS":   {store.S3Options{Bucket: "bucket", Encryption: store.EncryptionS3, KMSKeyID: "k"}, good, "KMS key is set"},
		"no region":         {store.S3Options{Bucket: "bucket"}, map[string]string{"AWS_CONFIG_FILE": os.DevNull}, "the region of bucket bucket is not set"},
		"endpoint":          {store.S3Options{Bucket: "bucket"}, with(good, "AWS_ENDPOINT_URL_S3", "localhost:9000"), `"localhost:9000" is not a URL`},
		"other scheme":      {store.S3Options{Bucket: "bucket", Endpoint: "file:///etc"}, good, "is not a URL"},
		"id without secret": {store.S3Options{Bucket: "bucket"}, with(good, "AWS_ACCESS_KEY_ID", "AKIA"), "set without the other"},
		"secret without id": {store.S3Options{Bucket: "bucket"}, with(good, "AWS_SECRET_ACCESS_KEY", "hush"), "set without the other"},
		"no CA bundle":      {store.S3Options{Bucket: "bucket"}, with(good, "AWS_CA_BUNDLE", filepath.Join(dir, "none")), "AWS_CA_BUNDLE"},
		"CA bundle":         {store.S3Options{Bucket: "bucket"}, with(good, "AWS_CA_BUNDLE", notPEM), "read the AWS settings"},
		"unknown profile":   {store.S3Options{Bucket: "bucket"}, with(good, "AWS_PROFILE", "nobody", "AWS_CONFIG_FILE", os.DevNull, "AWS_SHARED_CREDENTIALS_FILE", os.DevNull), "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Lookup = lookup(test.env)
			_, err := store.NewS3(t.Context(), test.options)
			wantError(t, err, test.want)
			var usage *pipeline.UsageError
			if !errors.As(err, &usage) {
				t.Errorf("got %T, want a usage error", err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("%v shows the secret", err)
			}
		})
	}
}

// TestS3ReadsTheEnvironment looks at the requests that variables lead to.
func TestS3ReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"config":      "[profile dev]\nregion = ap-south-1\n",
		"credentials": "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = s\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}
	profile := map[string]string{"AWS_PROFILE": "dev", "AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials")}
	for name, test := range map[string]struct {
		options store.S3Options
		env     map[string]string
		scope   string // in the signature
	}{
		"AWS_REGION":            {store.S3Options{}, with(keys, "AWS_REGION", "eu-west-1", "AWS_DEFAULT_REGION", "eu-west-2"), "AKIAENV/*/eu-west-1/"},
		"AWS_DEFAULT_REGION":    {store.S3Options{}, with(keys, "AWS_DEFAULT_REGION", "eu-west-2"), "AKIAENV/*/eu-west-2/"},
		"option":                {store.S3Options{Region: "eu-west-3"}, with(keys, "AWS_REGION", "eu-west-1"), "AKIAENV/*/eu-west-3/"},
		"profile":               {store.S3Options{}, profile, "AKIADEV/*/ap-south-1/"},
		"keys before profile":   {store.S3Options{}, with(profile, "AWS_ACCESS_KEY_ID", "AKIAENV", "AWS_SECRET_ACCESS_KEY", "s", "AWS_REGION", "eu-west-1"), "AKIAENV/*/eu-west-1/"},
		"region before profile": {store.S3Options{}, with(profile, "AWS_REGION", "eu-west-1"), "AKIADEV/*/eu-west-1/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.URL.Path + " " + r.Header.Get("Authorization")
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(server.Close)
			test.options.Bucket, test.options.Prefix = "tf-state", "infra"
			test.options.Lookup = lookup(with(test.env, "AWS_ENDPOINT_URL", "http://192.0.2.1", "AWS_ENDPOINT_URL_S3", server.URL))
			if err := newS3(t, test.options).Delete(t.Context(), "acme/plan"); err != nil {
				t.Fatal(err)
			}
			before, after, _ := strings.Cut(test.scope, "*")
			if !strings.HasPrefix(got, "/tf-state/infra/acme/plan AWS4-HMAC-SHA256 Credential="+before) || !strings.Contains(got, after) {
				t.Errorf("got %s, want the bucket in the path and the scope %s", got, test.scope)
			}
		})
	}
}

func TestS3Place(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"": "s3://tf-state", "infra/state": "s3://tf-state/infra/state", "infra/": "s3://tf-state/infra"} {
		s := newS3(t, store.S3Options{Bucket: "tf-state", Prefix: prefix, Region: "eu-west-1"})
		if s.Place() != want || s.Region() != "eu-west-1" {
			t.Errorf("got %s in %s, want %s", s.Place(), s.Region(), want)
		}
		if err := s.Delete(t.Context(), strings.Repeat("long/", 204)+"x"); prefix != "" && (err == nil || !strings.Contains(err.Error(), "the limit is 1024")) {
			t.Errorf("got %v, want the key refused for its length with the prefix", err)
		}
	}
}
