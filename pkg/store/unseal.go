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
func (s *Sealer) Unseal(_ context.Context, r io.Reader, to pipeline.Binding) (io.Reader, error) {
	// One byte more than a chunk, to see whether it is the last.
	from := bufio.NewReaderSize(r, chunkSize+tagSize+1)
	header, err := readHeader(from)
	if err != nil {
		return nil, err
	}
	key, err := s.key(header)
	if err != nil {
		return nil, err
	}
	stream, err := newStream(header, key.seal, to)
	if err != nil {
		return nil, err
	}
	return &unsealReader{stream: stream, from: from}, nil
}

// readHeader reads the whole header, whatever its version.
func readHeader(r io.Reader) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, cutHeader(err)
	}
	if string(header[:len(magic)]) != magic {
		return nil, tampered("it does not begin like a sealed object")
	}
	if v := header[len(magic)]; v != version {
		return nil, tampered(fmt.Sprintf("its format version is %d and this metapipe knows %d; was it written by a newer one?", v, version))
	}
	return header, nil
}

func cutHeader(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return tampered("it ends inside its header")
	}
	return fmt.Errorf("unseal: %w", err)
}

// key finds the key that a header names.
func (s *Sealer) key(header []byte) (subKeys, error) {
	id := header[len(magic)+1 : len(header)-saltSize]
	for _, key := range s.keys {
		if string(id) == string(key.id[:]) {
			return key, nil
		}
	}
	return subKeys{}, fmt.Errorf("unseal: %w: it needs the key with the id %s, and at hand is %s", pipeline.ErrUnknownKey, hex.EncodeToString(id), s.keyIDs())
}

func tampered(why string) error {
	return fmt.Errorf("unseal: %w: %s", pipeline.ErrTampered, why)
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
