package store_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/kmstest"
)

// troubled lets the first requests go wrong, each in its own way, and counts all.
type troubled struct {
	next   http.Handler
	faults []func(http.ResponseWriter)
	asked  atomic.Int32
}

func (h *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n := int(h.asked.Add(1)); n <= len(h.faults) {
		_, _ = io.Copy(io.Discard, r.Body)
		h.faults[n-1](w)
		return
	}
	h.next.ServeHTTP(w, r)
}

func respond(status int, retryAfter string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "<html>no code of AWS in it</html>")
	}
}

func resets(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// awsCalls are one read of each service that is asked, with the server behind it.
func awsCalls(t *testing.T) map[string]struct {
	next http.Handler
	call func(url string) error
} {
	t.Helper()
	lookup := func(variables map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	}
	bucket := newFakeS3(t, false)
	keys := kmstest.Start(t)
	sealed := store.KMSOptions{Keys: []string{kmstest.First}}
	return map[string]struct {
		next http.Handler
		call func(url string) error
	}{
		"S3": {bucket, func(url string) error {
			env := bucket.environ()
			env["AWS_ENDPOINT_URL_S3"] = url
			s, err := store.NewS3(t.Context(), store.S3Options{Bucket: fakeBucket, Lookup: lookup(env)})
			if err != nil {
				return err
			}
			_, err = s.List(t.Context(), "x/")
			return err
		}},
		"KMS": {keys, func(url string) error {
			env := keys.Environ()
			env["AWS_ENDPOINT_URL_KMS"] = url
			o := sealed
			o.Lookup = lookup(env)
			s, err := store.NewKMSSealer(t.Context(), o)
			if err != nil {
				return err
			}
			w, err := s.Seal(t.Context(), io.Discard, pipeline.Binding{Target: pipeline.Target{Customer: "shop", Environment: "staging"}})
			if err != nil {
				return err
			}
			return w.Close()
		}},
		"STS": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, stsAnswer) }), func(url string) error {
			env := map[string]string{"AWS_ENDPOINT_URL_STS": url, "AWS_REGION": "eu-central-1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"}
			_, err := store.OpenSession(t.Context(), sessionOptions(lookup(env)))
			return err
		}},
	}
}

// TestAWSIsAskedAgain: S3, KMS and STS are asked as often as everything else, for
// every passing trouble, and no longer than that.
func TestAWSIsAskedAgain(t *testing.T) {
	t.Parallel()
	// net/http itself repeats a read whose connection was used before: so that comes first.
	passing := []func(http.ResponseWriter){resets, respond(500, ""), respond(429, ""), respond(403, "0"), respond(503, "")}
	for name, tc := range map[string]struct {
		faults    []func(http.ResponseWriter)
		s3Request int
		fails     bool
	}{
		"all that passes":  {passing, retry.Attempts, false},
		"one too many":     {append(passing, respond(500, "")), retry.Attempts, true},
		"a pause too long": {[]func(http.ResponseWriter){respond(503, "3600")}, 1, true},
		"a plain refusal":  {[]func(http.ResponseWriter){respond(403, "")}, 1, true},
	} {
		for service, c := range awsCalls(t) {
			t.Run(service+"/"+name, func(t *testing.T) {
				t.Parallel()
				h := &troubled{next: c.next, faults: tc.faults}
				server := httptest.NewServer(h)
				t.Cleanup(server.Close)
				began := time.Now()
				err := c.call(server.URL)
				if (err != nil) != tc.fails || int(h.asked.Load()) != tc.s3Request {
					t.Errorf("asked %d times, want %d: %v", h.asked.Load(), tc.s3Request, err)
				}
				if took := time.Since(began); strings.HasPrefix(name, "all") && took < time.Second {
					t.Errorf("Retry-After was not obeyed: all is over after %s", took)
				}
			})
		}
	}
}
