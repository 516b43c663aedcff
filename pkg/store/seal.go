package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
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
	tool      []byte // for what tools encrypt themselves
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
	toolKey, toolErr := k.derive(useTool, keySize)
	if err := errors.Join(idErr, sealErr, macErr, toolErr); err != nil {
		return subKeys{}, err
	}
	return subKeys{id: [idSize]byte(id), seal: sealKey, mac: macKey, tool: toolKey}, nil
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
