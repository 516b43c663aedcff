package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// keySize is the size of a Key, and of every key derived from it, in bytes.
const keySize = 32

// What a Key is used for. Each use has its own sub-key, so that nothing made
// under one of them is of any use under another.
const (
	useID   = "metapipe/v1/key-id"
	useSeal = "metapipe/v1/seal"
	useMAC  = "metapipe/v1/mac"
	useFile = "metapipe/v1/file"
	useTool = "metapipe/v1/tool"
)

// Key is the secret that a manager's workflows share: 32 bytes. It never prints
// itself; Secret does.
type Key struct{ secret [keySize]byte }

// NewKey returns a random key.
func NewKey() Key {
	var k Key
	rand.Read(k.secret[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return k
}

// ParseKey reads a key as people keep it: 32 bytes in base64 (either alphabet,
// with or without padding) or in hexadecimal; white space around it is ignored.
// The error never holds any part of s.
func ParseKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Key{}, errors.New("the key is empty: make one, for example with `openssl rand -base64 32`")
	}
	b, ok := decodeKey(s)
	if !ok {
		return Key{}, errors.New("the key is neither base64 nor hexadecimal: make one, for example with `openssl rand -base64 32`")
	}
	if len(b) != keySize {
		return Key{}, fmt.Errorf("the key has %d bytes, want %d: make one, for example with `openssl rand -base64 32`", len(b), keySize)
	}
	k := Key{[keySize]byte(b)}
	if k == (Key{}) {
		return Key{}, errors.New("the key is all zeros: make one, for example with `openssl rand -base64 32`")
	}
	return k, nil
}

func decodeKey(s string) ([]byte, bool) {
	if len(s) == hex.EncodedLen(keySize) {
		if b, err := hex.DecodeString(s); err == nil {
			return b, true
		}
	}
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// maxKeys bounds a list of keys: each one is tried against each fingerprint.
const maxKeys = 8

// SplitKeys divides a list as ParseKeys does, and looks at nothing else.
func SplitKeys(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// ParseKeys reads one key or several, with white space or commas between them:
// the first one seals, each of them opens. The error says which one is wrong and
// never holds any part of s.
func ParseKeys(s string) ([]Key, error) {
	parts := SplitKeys(s)
	if len(parts) <= 1 {
		key, err := ParseKey(strings.Join(parts, ""))
		return []Key{key}, err
	}
	if len(parts) > maxKeys {
		return nil, fmt.Errorf("there are %d keys, at most %d are read: remove those that nothing was sealed under lately", len(parts), maxKeys)
	}
	keys := make([]Key, len(parts))
	for i, part := range parts {
		key, err := ParseKey(part)
		if err != nil {
			return nil, fmt.Errorf("key %d of %d: %w", i+1, len(parts), err)
		}
		if first := slices.Index(keys[:i], key); first >= 0 {
			return nil, fmt.Errorf("key %d of %d is key %d again: name each one once, the newest first", i+1, len(parts), first+1)
		}
		keys[i] = key
	}
	return keys, nil
}

// Secret is the form that ParseKey reads, in base64. It opens everything that
// was sealed under the key: mask it before anything can print it.
func (k Key) Secret() string { return base64.StdEncoding.EncodeToString(k.secret[:]) }

// Format hides the secret from every verb of fmt.
func (k Key) Format(f fmt.State, _ rune) { hide(f, "(secret key)") }

// hide writes text in place of a value. An error of the writer stays with fmt,
// which keeps its own.
func hide(f fmt.State, text string) {
	_, _ = io.WriteString(f, text)
}

func (k Key) derive(use string, size int) ([]byte, error) {
	b, err := hkdf.Key(sha256.New, k.secret[:], nil, use, size)
	if err != nil {
		return nil, fmt.Errorf("derive a key for %s: %w", use, err)
	}
	return b, nil
}
