package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// wantError checks that err holds every part, and what to do.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", parts)
		return
	}
	for _, part := range append(parts, "\n→ ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got the error %q, want it to contain %q", err, part)
		}
	}
}

func readAll(ctx context.Context, s pipeline.Store, key string) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// answering makes the fake answer every request with one refusal.
func answering(e refusal) func(http.ResponseWriter, *http.Request, []byte) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		e.write(w)
		return true
	}
}

func TestS3SaysWhatToDo(t *testing.T) {
	t.Parallel()
	const object = "arn:aws:s3:::tf-state/acme/plan"
	tests := map[string]struct {
		env    []string // changes of the environment
		bucket string
		answer refusal // to everything, unless it is zero
		want   []string
	}{
		"unknown key":    {env: []string{"AWS_ACCESS_KEY_ID", "AKIAOTHER"}, want: []string{"InvalidAccessKeyId", "does not accept these credentials"}},
		"wrong secret":   {env: []string{"AWS_SECRET_ACCESS_KEY", "guess"}, want: []string{"SignatureDoesNotMatch", "does not accept these credentials"}},
		"ended session":  {env: []string{"AWS_SESSION_TOKEN", "old"}, want: []string{"ExpiredToken", "has ended", "role-duration-seconds"}},
		"wrong region":   {env: []string{"AWS_REGION", "us-east-1"}, want: []string{"bucket tf-state is in eu-central-1 and was looked for in us-east-1", "set the region to eu-central-1"}},
		"missing bucket": {bucket: "no-such-bucket", want: []string{"NoSuchBucket", "there is no bucket no-such-bucket at http://127.0.0.1"}},
		"denied":         {answer: refusal{403, "AccessDenied", "Access Denied"}, want: []string{"AccessDenied: Access Denied (HTTP 403, request REQUEST1)"}},
		"denied by KMS":  {answer: refusal{403, "AccessDenied", "User: arn:aws:sts::1:assumed-role/plan/x is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-central-1:1:key/2"}, want: []string{"allow kms:GenerateDataKey on the KMS key of bucket tf-state"}},
		"disabled key":   {answer: refusal{400, "KMS.DisabledException", "arn:aws:kms:eu-central-1:1:key/2 is disabled."}, want: []string{"KMS does not encrypt", "is enabled"}},
		"clock":          {answer: refusal{403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}, want: []string{"set the clock"}},
		"overloaded":     {answer: refusal{503, "SlowDown", "Please reduce your request rate."}, want: []string{"SlowDown", "run again in a few minutes"}},
		"full":           {answer: refusal{507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold."}, want: []string{"no room left"}},
		"old server":     {answer: refusal{501, "NotImplemented", "A header you provided implies functionality that is not implemented."}, want: []string{"conditional writes"}},
		"moved":          {answer: refusal{301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint."}, want: []string{"is not in eu-central-1"}},
		"archived":       {answer: refusal{403, "InvalidObjectState", "The operation is not valid for the object's storage class"}, want: []string{"moved to an archive"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeS3(t, false)
			if test.answer != (refusal{}) {
				f.before = answering(test.answer)
			}
			bucket := fakeBucket
			if test.bucket != "" {
				bucket = test.bucket
			}
			s := newS3(t, store.S3Options{Bucket: bucket, Lookup: lookup(with(f.environ(), test.env...))})
			errs := allFour(t.Context(), s, "acme/", "plan")
			actions := map[string]string{"create": "s3:PutObject on " + object, "open": "s3:GetObject on " + object, "list": "s3:ListBucket on arn:aws:s3:::tf-state for the prefix \"acme/\"", "delete": "s3:DeleteObject on " + object}
			for op, err := range errs {
				want := append([]string{op + ` "acme/`, " in store s3://" + bucket}, test.want...)
				if name == "denied" {
					want = append(want, actions[op])
				}
				wantError(t, err, want...)
				if errors.Is(err, pipeline.ErrExists) || errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("%s: %v is taken for an answer about the object", op, err)
				}
			}
		})
	}
}

// allFour runs each operation once, on prefix+name and on prefix.
func allFour(ctx context.Context, s pipeline.Store, prefix, name string) map[string]error {
	type result struct {
		op  string
		err error
	}
	results := make(chan result)
	for op, run := range map[string]func() error{
		"create": func() error { return s.Create(ctx, prefix+name, strings.NewReader("x")) },
		"open":   func() error { _, err := readAll(ctx, s, prefix+name); return err },
		"list":   func() error { _, err := s.List(ctx, prefix); return err },
		"delete": func() error { return s.Delete(ctx, prefix+name) },
	} {
		go func() { results <- result{op, run()} }()
	}
	errs := map[string]error{}
	for range 4 {
		r := <-results
		errs[r.op] = r.err
	}
	return errs
}

func TestS3WithoutAServer(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	env := map[string]string{"AWS_ENDPOINT_URL": gone.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
	s := newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(env)})
	for _, err := range allFour(t.Context(), s, "acme/", "plan") {
		wantError(t, err, "connection refused", "no answer from "+gone.URL)
	}
}

func TestS3WithoutCredentials(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t, false)
	none := filepath.Join(t.TempDir(), "none")
	env := with(f.environ(), "AWS_ACCESS_KEY_ID", "", "AWS_SECRET_ACCESS_KEY", "", "AWS_CONFIG_FILE", none, "AWS_SHARED_CREDENTIALS_FILE", none)
	s := newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(env)})
	_, err := s.List(t.Context(), "")
	wantError(t, err, "find AWS credentials", "give this step AWS credentials")
	env = with(env, "AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/plan", "AWS_WEB_IDENTITY_TOKEN_FILE", none)
	s = newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(env)})
	_, err = s.List(t.Context(), "")
	wantError(t, err, "find AWS credentials", "none")
}

// through returns an endpoint that hands requests on to f, and lets change touch
// the answers on their way back.
func through(t *testing.T, f *fakeS3, change func(*httptest.ResponseRecorder) []byte) map[string]string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		f.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		if r.Method == http.MethodGet && !r.URL.Query().Has("list-type") && answer.Code == http.StatusOK {
			body = change(answer)
		}
		answer.Body = bytes.NewBuffer(body)
		copyAnswer(w, answer)
	}))
	t.Cleanup(front.Close)
	return with(f.environ(), "AWS_ENDPOINT_URL_S3", front.URL)
}

func TestS3SeesDamage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*httptest.ResponseRecorder) []byte
		want   []string
	}{
		"one bit": {func(a *httptest.ResponseRecorder) []byte {
			b := bytes.Clone(a.Body.Bytes())
			b[len(b)/2] ^= 1
			return b
		}, []string{`read "acme/plan"`, "checksum did not match", "damaged"}},
		"cut off": {func(a *httptest.ResponseRecorder) []byte {
			return a.Body.Bytes()[:a.Body.Len()-1] // with the Content-Length of the whole
		}, []string{`read "acme/plan"`, "unexpected EOF", "run again"}},
		"cut off, and the length with it": {func(a *httptest.ResponseRecorder) []byte {
			a.Header().Set("Content-Length", fmt.Sprint(a.Body.Len()-1))
			return a.Body.Bytes()[:a.Body.Len()-1]
		}, []string{`read "acme/plan"`, "checksum did not match"}},
	}
	for name, test := range tests {
		for _, size := range sizes {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				t.Parallel()
				f := newFakeS3(t, false)
				if err := f.store(t).Create(t.Context(), "acme/plan", bytes.NewReader(content(size))); err != nil {
					t.Fatal(err)
				}
				s := newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(through(t, f, test.change))})
				_, err := readAll(t.Context(), s, "acme/plan")
				wantError(t, err, test.want...)
			})
		}
	}
}

func TestS3NoticesSilence(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t, false)
	done := make(chan struct{})
	defer close(done)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		if _, err := w.Write([]byte("some")); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-done
	}))
	t.Cleanup(front.CloseClientConnections)
	s := newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(with(f.environ(), "AWS_ENDPOINT_URL_S3", front.URL))})
	s.SetStall(50 * time.Millisecond)
	_, err := readAll(t.Context(), s, "acme/plan")
	wantError(t, err, "sends nothing any more", "no answer from "+front.URL)
}

func TestS3ListsPages(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t, false)
	put := func(key string) {
		if _, err := f.backend.PutObject(fakeBucket, key, nil, strings.NewReader(""), 0, &gofakes3.PutConditions{}); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for i := range 2500 {
		want = append(want, fmt.Sprintf("acme/requests/%d", i))
		put(want[i])
	}
	put("acme/") // how consoles make folders
	put("acme//x")
	put("acmeX")
	slices.Sort(want)
	got, err := f.store(t).List(t.Context(), "acme/")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d keys, %v; want %d", len(got), err, len(want))
	}
	if n := f.seen("GET /tf-state?"); n != 3 {
		t.Errorf("listed by %d requests, want 3", n)
	}
}
