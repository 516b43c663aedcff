package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// TestMinIOFaults tries the real server's answers to what goes wrong.
func TestMinIOFaults(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true, Region: "eu-central-1"})
	for name, run := range map[string]func(*testing.T, *miniotest.Server, string){
		"credentials":                wrongCredentials,
		"place":                      wrongPlace,
		"key of KMS":                 wrongKMSKey,
		"other prefix":               otherPrefix,
		"one action less":            oneActionLess,
		"race of small objects":      func(t *testing.T, s *miniotest.Server, bucket string) { race(t, s, bucket, 64, 1000) },
		"race of large objects":      func(t *testing.T, s *miniotest.Server, bucket string) { race(t, s, bucket, 8, 9<<20) },
		"versions":                   keepsVersions,
		"parts":                      leavesNoParts,
		"keys that others put there": listsOddKeys,
	} {
		bucket := strings.ReplaceAll(strings.ToLower(name), " ", "-")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server.Bucket(t, bucket, true)
			run(t, server, bucket)
		})
	}
}

func wrongCredentials(t *testing.T, server *miniotest.Server, bucket string) {
	root := server.Root()
	for name, c := range map[string]struct {
		credentials miniotest.Credentials
		want        string
	}{
		"unknown":   {miniotest.Credentials{AccessKey: "nobody", SecretKey: root.SecretKey}, "does not accept these credentials"},
		"secret":    {miniotest.Credentials{AccessKey: root.AccessKey, SecretKey: "guess"}, "does not accept these credentials"},
		"old token": {miniotest.Credentials{AccessKey: root.AccessKey, SecretKey: root.SecretKey, Token: "x.y.z"}, "session of this step has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(c.credentials))})
			for op, err := range allFour(t.Context(), s, "acme/", "plan") {
				wantError(t, err, op+` "acme/`, "s3://"+bucket, c.want)
			}
		})
	}
}

func wrongPlace(t *testing.T, server *miniotest.Server, bucket string) {
	env := server.Environ(server.Root())
	missing := newS3(t, store.S3Options{Bucket: "no-such-bucket", Lookup: lookup(env)})
	for _, err := range allFour(t.Context(), missing, "acme/", "plan") {
		wantError(t, err, "there is no bucket no-such-bucket at "+server.Endpoint)
	}
	elsewhere := newS3(t, store.S3Options{Bucket: bucket, Region: "us-west-2", Lookup: lookup(env)})
	for _, err := range allFour(t.Context(), elsewhere, "acme/", "plan") {
		wantError(t, err, "is in eu-central-1 and was looked for in us-west-2", "set the region to eu-central-1")
	}
}

func wrongKMSKey(t *testing.T, server *miniotest.Server, bucket string) {
	s := newS3(t, store.S3Options{Bucket: bucket, Encryption: store.EncryptionKMS, KMSKeyID: "no-such-key", Lookup: lookup(server.Environ(server.Root()))})
	for _, size := range sizes {
		err := s.Create(t.Context(), "acme/plan", bytes.NewReader(content(size)))
		wantError(t, err, "KMS does not encrypt with the KMS key no-such-key")
	}
}

// tenantPolicy is all that the operations of a store need, for one prefix.
func tenantPolicy(bucket, prefix string, leaveOut ...string) string {
	var objects []string
	for _, action := range []string{"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"} {
		if !strings.Contains(strings.Join(leaveOut, " "), action) {
			objects = append(objects, `"`+action+`"`)
		}
	}
	list := "Allow"
	if strings.Contains(strings.Join(leaveOut, " "), "s3:ListBucket") {
		list = "Deny"
	}
	return fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": [%s], "Resource": "arn:aws:s3:::%s/%s*"},
		{"Effect": %q, "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::%[2]s", "Condition": {"StringLike": {"s3:prefix": "%[3]s*"}}}]}`,
		strings.Join(objects, ", "), bucket, prefix, list)
}

func otherPrefix(t *testing.T, server *miniotest.Server, bucket string) {
	session := server.Session(t, tenantPolicy(bucket, "acme/"))
	s := newS3(t, store.S3Options{Bucket: bucket, Encryption: store.EncryptionKMS, KMSKeyID: miniotest.KMSKey, Lookup: lookup(server.Environ(session))})
	for _, size := range sizes {
		key := fmt.Sprintf("acme/plan-%d", size)
		if err := s.Create(t.Context(), key, bytes.NewReader(content(size))); err != nil {
			t.Error(err)
		}
		if got, err := readAll(t.Context(), s, key); err != nil || !bytes.Equal(got, content(size)) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	}
	if _, err := readAll(t.Context(), s, "acme/none"); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	for op, err := range allFour(t.Context(), s, "acme/", "small") {
		if err != nil && !errors.Is(err, pipeline.ErrNotFound) { // the four race
			t.Errorf("%s: %v", op, err)
		}
	}
	arn := "arn:aws:s3:::" + bucket
	actions := map[string]string{"create": "s3:PutObject on " + arn + "/globex/plan", "open": "s3:GetObject on " + arn + "/globex/plan", "list": `s3:ListBucket on ` + arn + ` for the prefix "globex/"`, "delete": "s3:DeleteObject on " + arn + "/globex/plan"}
	for op, err := range allFour(t.Context(), s, "globex/", "plan") {
		wantError(t, err, "AccessDenied", "allow "+actions[op])
	}
	wantError(t, s.Create(t.Context(), "globex/plan", bytes.NewReader(content(9<<20))), "allow "+actions["create"])
}

// oneActionLess shows that each action of tenantPolicy is needed, and named.
func oneActionLess(t *testing.T, server *miniotest.Server, bucket string) {
	root := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(server.Root()))})
	if err := root.Create(t.Context(), "acme/there", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for action, run := range map[string]func(s *store.S3) error{
		"s3:PutObject":    func(s *store.S3) error { return s.Create(t.Context(), "acme/new", strings.NewReader("x")) },
		"s3:GetObject":    func(s *store.S3) error { _, err := readAll(t.Context(), s, "acme/there"); return err },
		"s3:DeleteObject": func(s *store.S3) error { return s.Delete(t.Context(), "acme/there") },
		"s3:ListBucket":   func(s *store.S3) error { _, err := s.List(t.Context(), "acme/"); return err },
		"s3:AbortMultipartUpload": func(s *store.S3) error {
			return s.Create(t.Context(), "acme/large", io.MultiReader(bytes.NewReader(content(9<<20)), failingWith{errors.New("the source broke")}))
		},
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			session := server.Session(t, tenantPolicy(bucket, "acme/", action))
			s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(session))})
			wantError(t, run(s), "AccessDenied", "allow "+action+" on arn:aws:s3:::"+bucket)
		})
	}
}

// race lets many writers, with a client each, create one key.
func race(t *testing.T, server *miniotest.Server, bucket string, writers, size int) {
	errs := make(chan error)
	for i := range writers {
		s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(server.Root()))})
		body := append(content(size), byte(i))
		go func() { errs <- s.Create(t.Context(), "acme/race", bytes.NewReader(body)) }()
	}
	won := 0
	for range writers {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, pipeline.ErrExists):
			t.Errorf("got %v, want ErrExists", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers won, want one", won, writers)
	}
	versions, err := server.Client(server.Root()).ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil || len(versions.Versions) != 1 {
		t.Errorf("the key has %d versions (%v), want one", len(versions.Versions), err)
	}
}

// keepsVersions looks at what the store leaves in the bucket.
func keepsVersions(t *testing.T, server *miniotest.Server, bucket string) {
	client := server.Client(server.Root())
	for _, size := range sizes {
		for _, o := range []store.S3Options{{Encryption: store.EncryptionS3}, {Encryption: store.EncryptionKMS, KMSKeyID: miniotest.KMSKey}} {
			key := fmt.Sprintf("acme/%d-%s", size, strings.ReplaceAll(string(o.Encryption), ":", "-"))
			o.Bucket, o.Lookup = bucket, lookup(server.Environ(server.Root()))
			s := newS3(t, o)
			if err := s.Create(t.Context(), key, bytes.NewReader(content(size))); err != nil {
				t.Fatal(err)
			}
			head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Fatal(err)
			}
			if string(head.ServerSideEncryption) != string(o.Encryption) || !strings.HasSuffix(aws.ToString(head.SSEKMSKeyId), o.KMSKeyID) {
				t.Errorf("%s is encrypted by %q with key %q", key, head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId))
			}
			if aws.ToString(head.ChecksumCRC32) != crc(content(size)) {
				t.Errorf("%s has the checksum %q, want that of the whole object", key, aws.ToString(head.ChecksumCRC32))
			}
			if err := errors.Join(s.Delete(t.Context(), key), s.Delete(t.Context(), key)); err != nil {
				t.Error(err)
			}
			if _, err := s.Open(t.Context(), key); !errors.Is(err, pipeline.ErrNotFound) {
				t.Errorf("open after delete: got %v, want ErrNotFound", err)
			}
			versions, err := client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
			if err != nil || len(versions.Versions) != 1 {
				t.Errorf("%s has %d versions (%v), want the deleted one", key, len(versions.Versions), err)
			}
		}
	}
}

func leavesNoParts(t *testing.T, server *miniotest.Server, bucket string) {
	s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(server.Root()))})
	ctx, cancel := context.WithCancel(t.Context())
	broken := errors.New("the source broke")
	for key, last := range map[string]io.Reader{
		"acme/broken":    failingWith{broken},
		"acme/cancelled": readerFunc(func([]byte) (int, error) { cancel(); return 1, nil }),
	} {
		use := t.Context()
		if key == "acme/cancelled" {
			use = ctx
		}
		err := s.Create(use, key, io.MultiReader(bytes.NewReader(content(20<<20)), last))
		if !errors.Is(err, broken) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", key, err)
		}
	}
	if err := s.Create(t.Context(), "acme/taken", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	if err := s.Create(t.Context(), "acme/taken", bytes.NewReader(content(9<<20))); !errors.Is(err, pipeline.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	for _, key := range []string{"acme/broken", "acme/cancelled", "acme/taken"} {
		uploads, err := server.Client(server.Root()).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
		if err != nil || len(uploads.Uploads) != 0 {
			t.Errorf("%s left %d uploads, %v", key, len(uploads.Uploads), err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// listsOddKeys: what another program puts beside our objects does not break the
// list of them.
func listsOddKeys(t *testing.T, server *miniotest.Server, bucket string) {
	client := server.Client(server.Root())
	for _, key := range []string{"acme/a+b %2F&<>", "acme/bell\x07", "acme/folder/", "acme/ünï"} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("")}); err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(server.Environ(server.Root()))})
	got, err := s.List(t.Context(), "acme/")
	if want := []string{"acme/a+b %2F&<>", "acme/ünï"}; err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
