package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/storetest"
)

func (f *fakeS3) store(t *testing.T) *store.S3 {
	t.Helper()
	return newS3(t, store.S3Options{Bucket: fakeBucket, Lookup: lookup(f.environ())})
}

func TestS3(t *testing.T) {
	t.Parallel()
	for name, versioned := range map[string]bool{"plain": false, "versioned": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) pipeline.Store { return newFakeS3(t, versioned).store(t) })
		})
	}
}

// TestS3Requests counts what each operation costs in time and money.
func TestS3Requests(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t, true)
	s := f.store(t)
	count := func(name string, want int, run func() error) {
		t.Helper()
		before := f.seen("")
		if err := run(); err != nil {
			t.Error(err)
		}
		if got := f.seen("") - before; got != want {
			t.Errorf("%s: %d requests, want %d", name, got, want)
		}
	}
	create := func(key string, size int) func() error {
		return func() error { return s.Create(t.Context(), key, bytes.NewReader(content(size))) }
	}
	count("create nothing", 1, create("acme/empty", 0))
	count("create a small object", 1, create("acme/small", 8<<20-1))
	count("create one part", 3, create("acme/one", 8<<20))
	count("create three parts", 5, create("acme/three", 20<<20))
	count("create a taken key", 1, func() error {
		if err := s.Create(t.Context(), "acme/small", bytes.NewReader(nil)); !errors.Is(err, pipeline.ErrExists) {
			return fmt.Errorf("got %w, want ErrExists", err)
		}
		return nil
	})
	count("open", 1, func() error { _, err := readAll(t.Context(), s, "acme/three"); return err })
	count("list", 1, func() error { _, err := s.List(t.Context(), "acme/"); return err })
	count("delete", 1, func() error { return s.Delete(t.Context(), "acme/one") })
}
