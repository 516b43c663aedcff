package store

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Unseal implements pipeline.Sealer. The header is checked at once, each chunk
// before any byte of it is handed out. Errors of r itself are passed on and are
// not ErrTampered. What was read is only known to be whole at the clean EOF.
func (s *Sealer) Unseal(ctx context.Context, r io.Reader, to pipeline.Binding) (io.Reader, error) {
	// One byte more than a chunk, to see whether it is the last.
	from := bufio.NewReaderSize(r, chunkSize+tagSize+1)
	header, err := readHeader(from)
	if err != nil {
		return nil, err
	}
	secret, err := s.secret(ctx, header, to)
	if err != nil {
		return nil, err
	}
	stream, err := newStream(header.raw, secret, to)
	if err != nil {
		return nil, err
	}
	return &unsealReader{stream: stream, from: from}, nil
}

// secret finds what the key of an object is derived from.
func (s *Sealer) secret(ctx context.Context, h header, to pipeline.Binding) ([]byte, error) {
	if h.version == versionKMS {
		if s.kms == nil {
			return nil, s.unknown(h.key)
		}
		secret, err := s.kms.open(ctx, h, to)
		if errors.Is(err, pipeline.ErrUnknownKey) {
			return nil, s.unknown(h.key)
		}
		return secret, err
	}
	for _, key := range s.keys {
		if string(h.id) == string(key.id[:]) {
			return key.seal, nil
		}
	}
	return nil, s.unknown("the id " + hex.EncodeToString(h.id))
}

func (s *Sealer) unknown(key string) error {
	return fmt.Errorf("unseal: %w: it needs the key with %s, and at hand is %s", pipeline.ErrUnknownKey, key, s.keyIDs())
}

type unsealReader struct {
	stream stream
	from   *bufio.Reader
	plain  []byte // opened and not yet handed out
	buffer []byte // the memory of plain
	err    error  // what comes after plain
}

func (r *unsealReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 && r.err == nil {
		r.plain, r.err = r.next()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// next opens one chunk. It returns io.EOF beside the content of the last one.
func (r *unsealReader) next() ([]byte, error) {
	chunk, err := r.from.Peek(chunkSize + tagSize + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	last, first := err != nil, r.stream.count == 0
	if !last {
		chunk = chunk[:chunkSize+tagSize]
	}
	if len(chunk) < tagSize {
		return nil, tampered("it ends too early")
	}
	plain, err := r.stream.aead.Open(r.buffer[:0], r.stream.nonce(last), chunk, r.stream.bound[:])
	if err != nil {
		return nil, tampered("its content, or what it is bound to, is not what was sealed; or its end is missing")
	}
	if len(plain) == 0 && !first {
		return nil, tampered("it ends in an empty chunk") // Seal never writes one
	}
	if _, err := r.from.Discard(len(chunk)); err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	r.buffer = plain
	if last {
		return plain, io.EOF
	}
	return plain, nil
}
