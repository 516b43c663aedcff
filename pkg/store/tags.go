package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// tags is a hash whose sum is, for each key, its id and the HMAC-SHA-256 under it.
// So a sum stays comparable with older and newer ones while keys come and go, as
// long as the two share a key: pipeline.SameFingerprint.
type tags struct {
	keys   []subKeys
	hashes []hash.Hash
}

func newTags(keys []subKeys) *tags {
	t := &tags{keys: keys}
	for _, key := range keys {
		t.hashes = append(t.hashes, hmac.New(sha256.New, key.mac))
	}
	return t
}

func (t *tags) Write(p []byte) (int, error) {
	for _, h := range t.hashes {
		h.Write(p) // never fails: https://pkg.go.dev/hash#Hash
	}
	return len(p), nil
}

func (t *tags) Sum(b []byte) []byte {
	for i, h := range t.hashes {
		b = h.Sum(append(b, t.keys[i].id[:]...))
	}
	return b
}

func (t *tags) Reset() {
	for _, h := range t.hashes {
		h.Reset()
	}
}

func (t *tags) Size() int { return len(t.keys) * (idSize + sha256.Size) }

func (t *tags) BlockSize() int { return sha256.BlockSize }

// MAC implements pipeline.Sealer: HMAC-SHA-256 under each key. With KMS the keys
// lie sealed in the store, apart for each target.
func (s *Sealer) MAC(ctx context.Context, t pipeline.Target) (func() hash.Hash, error) {
	keys := s.keys
	if s.kms != nil {
		stored, err := s.storedKeys(ctx, t)
		if err != nil {
			return nil, err
		}
		keys = append(stored, keys...)
	}
	return func() hash.Hash { return newTags(keys) }, nil
}

// ToolSecrets are the secrets with which a tool itself encrypts what it keeps of a target: one
// for each key at hand. The first one is for what is new. With KMS they are of the keys that lie
// sealed in the store: plans make those, and without one there is no secret.
func (s *Sealer) ToolSecrets(ctx context.Context, t pipeline.Target, tool string) ([]string, error) {
	keys := s.keys
	if s.kms != nil {
		stored, _, err := s.keysAtHand(ctx, t)
		if err != nil {
			return nil, err
		}
		keys = append(stored, keys...)
	}
	var secrets []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key.tool)
		fmt.Fprintf(mac, "%s\x00%s", tool, t.Folder())
		secrets = append(secrets, hex.EncodeToString(mac.Sum(nil)))
	}
	return secrets, nil
}
