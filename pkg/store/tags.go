package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
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
