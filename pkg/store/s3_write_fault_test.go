package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// drop ends the connection without an answer.
func drop(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
}

// isWrite reports whether a request makes an object.
func isWrite(r *http.Request) bool {
	return r.Method == http.MethodPut && !r.URL.Query().Has("uploadId") || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// content returns n bytes that do not repeat.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

// sizes are a body of one request and one of several parts.
var sizes = []int{100, 20 << 20}

func TestS3KnowsItsOwnObjectAgain(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			f := newFakeS3(t, false)
			var writes atomic.Int32
			f.before = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
				if !isWrite(r) || writes.Add(1) > 1 {
					return false
				}
				f.serve(httptest.NewRecorder(), r, body)
				drop(t, w)
				return true
			}
			s, body := f.store(t), content(size)
			if err := s.Create(t.Context(), "acme/plan", bytes.NewReader(body)); err != nil {
				t.Fatalf("the answer to a write that was obeyed got lost: %v", err)
			}
			if writes.Load() < 2 {
				t.Fatal("the write was not sent again")
			}
			if got, err := readAll(t.Context(), s, "acme/plan"); err != nil || !bytes.Equal(got, body) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if err := s.Create(t.Context(), "acme/plan", bytes.NewReader(body)); !errors.Is(err, pipeline.ErrExists) {
				t.Errorf("create again: got %v, want ErrExists", err)
			}
		})
	}
}

func TestS3DoesNotClaimAnObjectOfOthers(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			f := newFakeS3(t, false)
			var writes atomic.Int32
			other := f.store(t)
			f.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if !isWrite(r) || writes.Add(1) > 1 {
					return false
				}
				if err := other.Create(t.Context(), "acme/plan", strings.NewReader("theirs")); err != nil {
					t.Error(err)
				}
				drop(t, w)
				return true
			}
			s := f.store(t)
			if err := s.Create(t.Context(), "acme/plan", bytes.NewReader(content(size))); !errors.Is(err, pipeline.ErrExists) {
				t.Errorf("got %v, want ErrExists", err)
			}
			if got, err := readAll(t.Context(), s, "acme/plan"); err != nil || string(got) != "theirs" {
				t.Errorf("read %q, %v; want the object of the other", got, err)
			}
		})
	}
}

func TestS3CannotTellWhoWrote(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t, false)
	f.before = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		switch {
		case isWrite(r) && f.seen("PUT") == 1:
			f.serve(httptest.NewRecorder(), r, body)
			drop(t, w)
			return true
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	err := f.store(t).Create(t.Context(), "acme/plan", strings.NewReader("x"))
	wantError(t, err, "it is unknown whether the object was written", "s3:GetObject")
	if errors.Is(err, pipeline.ErrExists) {
		t.Errorf("%v says that somebody else was first", err)
	}
}

func TestS3RetriesConflicts(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			f := newFakeS3(t, false)
			var writes atomic.Int32
			f.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if !isWrite(r) || writes.Add(1) > 6 {
					return false
				}
				refusal{http.StatusConflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation."}.write(w)
				return true
			}
			if err := f.store(t).Create(t.Context(), "acme/plan", bytes.NewReader(content(size))); err != nil {
				t.Error(err)
			}
			if n := writes.Load(); n != 7 {
				t.Errorf("the write was sent %d times, want 7", n)
			}
		})
	}
}

func TestS3LeavesNoParts(t *testing.T) {
	t.Parallel()
	broken := errors.New("the source broke")
	tests := map[string]func(f *fakeS3) (body io.Reader, want error){
		"body breaks": func(*fakeS3) (io.Reader, error) {
			return io.MultiReader(bytes.NewReader(content(20<<20)), failingWith{broken}), broken
		},
		"key is taken": func(f *fakeS3) (io.Reader, error) {
			if err := f.store(t).Create(t.Context(), "acme/plan", strings.NewReader("first")); err != nil {
				t.Error(err)
			}
			return bytes.NewReader(content(20 << 20)), pipeline.ErrExists
		},
		"a part is refused": func(f *fakeS3) (io.Reader, error) {
			f.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.URL.Query().Get("partNumber") != "2" {
					return false
				}
				refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}.write(w)
				return true
			}
			return bytes.NewReader(content(60 << 20)), nil
		},
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeS3(t, false)
			body, want := set(f)
			err := f.store(t).Create(t.Context(), "acme/plan", body)
			if err == nil || (want != nil && !errors.Is(err, want)) {
				t.Errorf("got %v, want %v", err, want)
			}
			if want == nil {
				wantError(t, err, "part 2", "s3:PutObject")
			}
			if n := f.seen("DELETE /tf-state/acme/plan?uploadId="); n != 1 {
				t.Errorf("the upload was aborted %d times, want once", n)
			}
		})
	}
}

type failingWith struct{ err error }

func (f failingWith) Read([]byte) (int, error) { return 0, f.err }
