package store_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
	"github.com/metapipe/metapipe/pkg/store/storetest"
)

// lookup is an environment for one store.
func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func newS3(t *testing.T, o store.S3Options) *store.S3 {
	t.Helper()
	s, err := store.NewS3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// with returns env with some variables changed; an empty value unsets.
func with(env map[string]string, changes ...string) map[string]string {
	env = maps.Clone(env)
	for i := 0; i+1 < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return env
}

// TestMinIO holds the store to the suite on a real server.
func TestMinIO(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	env := server.Environ(server.Root())
	var buckets atomic.Int32
	for _, kind := range []struct {
		name      string
		versioned bool
		options   store.S3Options
	}{
		{"plain", false, store.S3Options{}},
		{"versioned, SSE-S3", true, store.S3Options{Encryption: store.EncryptionS3}},
		{"versioned, SSE-KMS, below a prefix", true, store.S3Options{Encryption: store.EncryptionKMS, KMSKeyID: miniotest.KMSKey, Prefix: "infra/state"}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) pipeline.Store {
				o := kind.options
				o.Bucket, o.Lookup = fmt.Sprintf("suite-%d", buckets.Add(1)), lookup(env)
				server.Bucket(t, o.Bucket, kind.versioned)
				return newS3(t, o)
			})
		})
	}
}
