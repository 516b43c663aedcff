package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// KMS gives no key that could be used here for hashing, and one that is asked for
// again is another one. So the keys of fingerprints are random, and lie in the store,
// sealed like everything: `<customer>/<env>/keys/<random>.sealed`. A new one is
// made when none is there that the first KMS key opens: the first time, after a
// rotation, and perhaps twice when two plans begin at once. All that can be opened
// are used, so fingerprints stay comparable.
const maxStoredKeys = 32

func storedKeysPrefix(t pipeline.Target) string {
	return fmt.Sprintf("%s/keys/", t.Folder())
}

func storedKeyBinding(t pipeline.Target, key string) pipeline.Binding {
	return pipeline.Binding{Target: t, Data: []byte("metapipe fingerprint key\x00" + key)}
}

// storedKeys returns the keys for the fingerprints of a target, and makes one where none is
// under the key that seals.
func (s *Sealer) storedKeys(ctx context.Context, t pipeline.Target) ([]subKeys, error) {
	keys, current, err := s.keysAtHand(ctx, t)
	if err == nil && !current {
		var key subKeys
		key, err = s.newStoredKey(ctx, t)
		keys = append(keys, key)
	}
	if err != nil {
		return nil, err
	}
	sortKeys(keys)
	return keys, nil
}

func sortKeys(keys []subKeys) {
	slices.SortFunc(keys, func(a, b subKeys) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// keysAtHand are the stored keys of a target that can be opened: the first ones, in their order,
// are under the key that seals. current: there is one of these.
func (s *Sealer) keysAtHand(ctx context.Context, t pipeline.Target) (keys []subKeys, current bool, err error) {
	names, err := s.kms.objects.List(ctx, storedKeysPrefix(t))
	if err != nil {
		return nil, false, fmt.Errorf("look for the keys of fingerprints: %w", err)
	}
	if len(names) > maxStoredKeys {
		return nil, false, fmt.Errorf("%d keys of fingerprints lie under %s, at most %d are read\n→ delete the oldest of them", len(names), storedKeysPrefix(t), maxStoredKeys)
	}
	var older []subKeys
	for _, name := range names {
		key, first, err := s.storedKey(ctx, name, storedKeyBinding(t, name))
		if errors.Is(err, pipeline.ErrUnknownKey) || errors.Is(err, pipeline.ErrNotFound) {
			continue // under a key that was removed
		}
		if err != nil {
			return nil, false, fmt.Errorf("read the key of fingerprints %s: %w", name, err)
		}
		if first {
			keys = append(keys, key)
		} else {
			older = append(older, key)
		}
	}
	sortKeys(keys)
	sortKeys(older)
	return append(keys, older...), len(keys) > 0, nil
}

func (s *Sealer) storedKey(ctx context.Context, name string, to pipeline.Binding) (key subKeys, first bool, err error) {
	object, err := s.kms.objects.Open(ctx, name)
	if err != nil {
		return subKeys{}, false, err
	}
	r, err := (&Sealer{kms: s.kms.only(0)}).Unseal(ctx, object, to)
	first = err == nil
	if errors.Is(err, pipeline.ErrUnknownKey) && len(s.kms.names) > 1 {
		if err = object.Close(); err != nil {
			return subKeys{}, false, err
		}
		if object, err = s.kms.objects.Open(ctx, name); err != nil {
			return subKeys{}, false, err
		}
		r, err = s.Unseal(ctx, object, to)
	}
	var secret []byte
	if err == nil {
		secret, err = io.ReadAll(io.LimitReader(r, keySize+1))
	}
	if err = errors.Join(err, object.Close()); err != nil {
		return subKeys{}, false, err
	}
	if len(secret) != keySize {
		return subKeys{}, false, tampered(fmt.Sprintf("it holds %d bytes, want %d", len(secret), keySize))
	}
	key, err = Key{[keySize]byte(secret)}.subKeys()
	return key, first, err
}

// only is k with one of its keys.
func (k *kmsKeys) only(i int) *kmsKeys {
	return &kmsKeys{names: k.names[i : i+1], client: k.client, objects: k.objects}
}

func (s *Sealer) newStoredKey(ctx context.Context, t pipeline.Target) (subKeys, error) {
	var id [idSize]byte
	rand.Read(id[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	name := storedKeysPrefix(t) + hex.EncodeToString(id[:]) + ".sealed"
	key := NewKey()
	var sealed bytes.Buffer
	w, err := s.Seal(ctx, &sealed, storedKeyBinding(t, name))
	if err == nil {
		_, err = w.Write(key.secret[:])
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		err = s.kms.objects.Create(ctx, name, &sealed)
	}
	if err != nil {
		return subKeys{}, fmt.Errorf("make a key of fingerprints for %s: %w", t, err)
	}
	return key.subKeys()
}
