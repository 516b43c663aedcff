package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// A sealed object is a header and then chunks of AES-256-GCM:
//
//	magic      8  "metapipe"
//	version    1  1
//	key id     8  names the key, says nothing about it
//	salt      32  random, one per object
//	chunk  ≤ 64 KiB + 16, any number; all but the last are full
//
// The chunks are made after STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online
// Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015): the
// nonce of a chunk is its number and whether it is the last, so chunks can be
// neither dropped, repeated, reordered nor cut off. The key of the chunks is
// derived from the salt, so a nonce is never used twice under one key. The
// associated data of each chunk is the SHA-256 of the header and of what the
// caller binds the object to, so chunks cannot move between objects either.
const (
	magic      = "metapipe"
	version    = 1
	idSize     = 8
	saltSize   = 32
	headerSize = len(magic) + 1 + idSize + saltSize
	chunkSize  = 64 << 10
	tagSize    = 16
	nonceSize  = 12
)

// Sealer is a pipeline.Sealer under one Key or several, or under keys of AWS KMS:
// the first one seals, each of them opens. It is safe for use by many goroutines at once and needs two
// chunks of memory per open stream.
type Sealer struct {
	keys []subKeys
	kms  *kmsKeys // nil without; then there is one of keys at least
}

// subKeys are what is derived from one Key.
type subKeys struct {
	id        [idSize]byte
	seal, mac []byte
}

var _ pipeline.Sealer = (*Sealer)(nil)

// NewSealer derives the keys for sealing and for hashing from keys, of which
// there must be one at least.
func NewSealer(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key to seal with")
	}
	return newSealer(keys)
}

func newSealer(keys []Key) (*Sealer, error) {
	s := &Sealer{}
	for _, key := range keys {
		sub, err := key.subKeys()
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sub)
	}
	return s, nil
}

func (k Key) subKeys() (subKeys, error) {
	id, idErr := k.derive(useID, idSize)
	sealKey, sealErr := k.derive(useSeal, keySize)
	macKey, macErr := k.derive(useMAC, keySize)
	if err := errors.Join(idErr, sealErr, macErr); err != nil {
		return subKeys{}, err
	}
	return subKeys{id: [idSize]byte(id), seal: sealKey, mac: macKey}, nil
}

// keyIDs names all keys, the one that seals first.
func (s *Sealer) keyIDs() string {
	var ids []string
	if s.kms != nil {
		ids = slices.Clone(s.kms.names)
	}
	for _, key := range s.keys {
		ids = append(ids, "the id "+hex.EncodeToString(key.id[:]))
	}
	return strings.Join(ids, ", ")
}

// Format hides the keys from every verb of fmt.
func (s *Sealer) Format(f fmt.State, _ rune) { hide(f, "sealer under "+s.keyIDs()) }

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

// Seal implements pipeline.Sealer. Close writes the last chunk and does not
// close w. A stream that was not closed does not unseal; so when the input
// fails half-way, leave the writer open and drop what w got.
func (s *Sealer) Seal(ctx context.Context, w io.Writer, to pipeline.Binding) (io.WriteCloser, error) {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	if s.kms != nil {
		return s.kms.seal(ctx, w, salt, to)
	}
	return s.seal(w, salt, to)
}

func (s *Sealer) seal(w io.Writer, salt [saltSize]byte, to pipeline.Binding) (io.WriteCloser, error) {
	key := s.keys[0]
	header := slices.Concat([]byte(magic), []byte{version}, key.id[:], salt[:])
	return newSealWriter(w, header, key.seal, to)
}

// newSealWriter writes the header, which ends in its salt, and seals what follows
// under a key that is derived from secret and salt.
func newSealWriter(w io.Writer, header, secret []byte, to pipeline.Binding) (io.WriteCloser, error) {
	stream, err := newStream(header, secret, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &sealWriter{stream: stream, to: w, plain: make([]byte, 0, chunkSize)}, nil
}

// stream is the cipher state of one object.
type stream struct {
	aead  cipher.AEAD
	bound [sha256.Size]byte
	count uint64
}

func newStream(header, secret []byte, to pipeline.Binding) (stream, error) {
	fileKey, err := hkdf.Key(sha256.New, secret, header[len(header)-saltSize:], useFile, keySize)
	if err != nil {
		return stream{}, fmt.Errorf("derive the key of a sealed object: %w", err)
	}
	block, err := aes.NewCipher(fileKey)
	if err != nil {
		return stream{}, fmt.Errorf("set up AES-256: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return stream{}, fmt.Errorf("set up GCM: %w", err)
	}
	// The header holds its own size, so the two cannot run into each other.
	bound := sha256.New()
	bound.Write(header)
	bound.Write(to.Data)
	return stream{aead: aead, bound: [sha256.Size]byte(bound.Sum(nil))}, nil
}

// nonce returns the nonce of the next chunk: three zero bytes, its number, and
// 1 when it is the last.
func (s *stream) nonce(last bool) []byte {
	var b [nonceSize]byte
	binary.BigEndian.PutUint64(b[3:], s.count)
	if last {
		b[nonceSize-1] = 1
	}
	s.count++
	return b[:]
}

var errSealClosed = errors.New("seal: write after close")

type sealWriter struct {
	stream stream
	to     io.Writer
	plain  []byte // not yet sealed; at most one chunk
	sealed []byte
	closed bool
	err    error // the first one; nothing is written after it
}

func (w *sealWriter) Write(p []byte) (int, error) {
	if w.closed {
		return 0, errSealClosed
	}
	written := 0
	for len(p) > 0 && w.err == nil {
		if len(w.plain) == chunkSize {
			w.flush(false) // there is more, so it is not the last
			continue
		}
		n := min(len(p), chunkSize-len(w.plain))
		w.plain = append(w.plain, p[:n]...)
		p = p[n:]
		written += n
	}
	return written, w.err
}

// Close writes the last chunk; further calls do nothing more.
func (w *sealWriter) Close() error {
	if !w.closed && w.err == nil {
		w.flush(true)
	}
	w.closed = true
	return w.err
}

func (w *sealWriter) flush(last bool) {
	w.sealed = w.stream.aead.Seal(w.sealed[:0], w.stream.nonce(last), w.plain, w.stream.bound[:])
	w.plain = w.plain[:0]
	if _, err := w.to.Write(w.sealed); err != nil {
		w.err = fmt.Errorf("seal: %w", err)
	}
}
