package pipeline

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Salt is random and belongs to one plan. It is sealed with the artifacts. A receipt can be read by everyone who
// reads the store, and a plain digest in it would let them try out short secrets.
type Salt string

// saltSize is the size of a salt in bytes.
const saltSize = 32

// NewSalt returns a salt for a plan.
func NewSalt() Salt {
	b := make([]byte, saltSize)
	_, _ = rand.Read(b) // it never fails
	return Salt(b)
}

// IsWhole reports whether it has the size of a salt.
func (s Salt) IsWhole() bool { return len(s) == saltSize }

// Sum is the digest of what may hold values: HMAC-SHA-256 under the salt, in hex.
func (s Salt) Sum(content []byte) string {
	h := s.hash()
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

func (s Salt) hash() hash.Hash { return hmac.New(sha256.New, []byte(s)) }
