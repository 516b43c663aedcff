package store_test

import (
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
