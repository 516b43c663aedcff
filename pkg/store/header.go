package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The header of a sealed object whose key is a data key of AWS KMS:
//
//	magic      8  "metapipe"
//	version    1  2
//	length     2  of the key's name, big-endian
//	key           the ARN of the KMS key, as KMS gave it
//	length     2  of the data key
//	data key      as KMS encrypted it
//	salt      32  random
const (
	versionKMS     = 2
	prefixSize     = len(magic) + 1
	maxKeyName     = 2048 // the most that KMS takes as a KeyId
	maxDataKeyBlob = 6144 // the most that KMS gives
)

// header is what a sealed object begins with. Raw is all of it; the rest says
// what is needed to find its key.
type header struct {
	raw     []byte
	version byte
	id      []byte // version 1
	key     string // version 2
	blob    []byte
}

func kmsHeader(key string, blob []byte, salt [saltSize]byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxKeyName || len(blob) == 0 || len(blob) > maxDataKeyBlob || !keyNameFits(key) {
		return nil, fmt.Errorf("KMS gave a data key of %d bytes under a key whose name has %d: neither can be written down", len(blob), len(key))
	}
	raw := slices.Concat([]byte(magic), []byte{versionKMS})
	raw = append(binary.BigEndian.AppendUint16(raw, uint16(len(key))), key...)
	raw = append(binary.BigEndian.AppendUint16(raw, uint16(len(blob))), blob...)
	return append(raw, salt[:]...), nil
}

// keyNameFits reports whether a name holds what names of keys are made of, and so
// may stand in a message.
func keyNameFits(name string) bool {
	return !slices.ContainsFunc([]byte(name), func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ':' && c != '/' && c != '_' && c != '-'
	})
}

// readHeader reads the whole header, whatever its version.
func readHeader(r io.Reader) (header, error) {
	h := &headerReader{from: r}
	prefix := h.next(prefixSize)
	if h.err != nil {
		return header{}, h.err
	}
	if string(prefix[:len(magic)]) != magic {
		return header{}, tampered("it does not begin like a sealed object")
	}
	parsed := header{version: prefix[len(magic)]}
	switch parsed.version {
	case version:
		parsed.id = h.next(idSize)
	case versionKMS:
		parsed.key = string(h.field(maxKeyName))
		parsed.blob = h.field(maxDataKeyBlob)
	default:
		return header{}, tampered(fmt.Sprintf("its format version is %d and this metapipe knows %d and %d; was it written by a newer one?", parsed.version, version, versionKMS))
	}
	h.next(saltSize)
	if h.err == nil && !keyNameFits(parsed.key) {
		h.err = tampered("it names a key that none is called")
	}
	parsed.raw = h.raw
	return parsed, h.err
}

// headerReader keeps what it has read; after an error it reads no more.
type headerReader struct {
	from io.Reader
	raw  []byte
	err  error
}

func (h *headerReader) next(n int) []byte {
	b := make([]byte, n)
	if h.err == nil {
		_, h.err = io.ReadFull(h.from, b)
		if errors.Is(h.err, io.EOF) || errors.Is(h.err, io.ErrUnexpectedEOF) {
			h.err = tampered("it ends inside its header")
		} else if h.err != nil {
			h.err = fmt.Errorf("unseal: %w", h.err)
		}
	}
	h.raw = append(h.raw, b...)
	return b
}

// field reads a length and as many bytes.
func (h *headerReader) field(most int) []byte {
	n := int(binary.BigEndian.Uint16(h.next(2)))
	if h.err == nil && (n == 0 || n > most) {
		h.err = tampered(fmt.Sprintf("its header has a part of %d bytes, where 1 to %d can be", n, most))
	}
	if h.err != nil {
		return nil
	}
	return h.next(n)
}

func tampered(why string) error {
	return fmt.Errorf("unseal: %w: %s", pipeline.ErrTampered, why)
}
