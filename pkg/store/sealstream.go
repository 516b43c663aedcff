package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

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
