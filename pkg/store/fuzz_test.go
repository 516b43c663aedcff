package store

import (
	"bytes"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FuzzUnseal gives hostile bytes to Unseal: it must answer ErrTampered to
// everything but what was sealed, and never panic.
func FuzzUnseal(f *testing.F) {
	key := Key{[keySize]byte(bytes.Repeat([]byte{7}, keySize))}
	s := sealerOf(f, key)
	plain := noise(chunkSize + 100)
	// With a fixed salt, since the workers of a fuzz run are processes.
	var out bytes.Buffer
	w, err := s.seal(&out, [saltSize]byte{1}, pipeline.Binding{Data: []byte("receipt")})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	sealed := out.Bytes()
	f.Add(sealed, []byte("receipt"))
	f.Add(sealed[:headerSize+chunkSize+tagSize], []byte("receipt"))
	f.Add(sealed[:headerSize], []byte("receipt"))
	f.Add(sealed[:9], []byte{})
	f.Add(append(bytes.Clone(sealed), 0), []byte("receipt"))
	f.Add([]byte("metapipe\x02 of another version, long enough to be a header"), []byte{})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, data, associated []byte) {
		got, err := unseal(s, data, associated)
		switch {
		case err != nil && !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey):
			t.Fatalf("got %v, want ErrTampered or ErrUnknownKey", err)
		case err == nil && (!bytes.Equal(data, sealed) || string(associated) != "receipt"):
			// A forgery, or what another call sealed under this key: none did.
			t.Fatalf("unsealed %d bytes that were never sealed", len(got))
		case err != nil && bytes.Equal(data, sealed) && string(associated) == "receipt":
			t.Fatalf("refused what was sealed: %v", err)
		}
	})
}

// FuzzSeal seals anything, opens it again, and opens it with one bit changed.
func FuzzSeal(f *testing.F) {
	f.Add([]byte("secret"), []byte("receipt"), uint32(300))
	f.Add([]byte{}, []byte{}, uint32(0))
	f.Add(noise(chunkSize), []byte{0}, uint32(chunkSize*8))
	s := sealerOf(f, NewKey())
	f.Fuzz(func(t *testing.T, plain, associated []byte, bit uint32) {
		sealed := seal(t, s, plain, associated)
		if got, err := unseal(s, sealed, associated); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %d bytes and %v, want what was sealed", len(got), err)
		}
		at := int(bit) % (len(sealed) * 8)
		sealed[at/8] ^= 1 << (at % 8)
		if _, err := unseal(s, sealed, associated); !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey) {
			t.Fatalf("bit %d changed: got %v, want ErrTampered or ErrUnknownKey", at, err)
		}
	})
}

// FuzzCheckKey: what is accepted is a path that stays below any directory.
func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a/b", "../a", "a//b", `a\b`, "a\x00", "acme/staging/plans/1/receipt.json", ".metapipe-tmp-x", "con", "a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckKey(s) != nil {
			return
		}
		if path.Clean(s) != s || path.IsAbs(s) || !filepath.IsLocal(filepath.FromSlash(s)) {
			t.Fatalf("%q is accepted and not a clean local path", s)
		}
		if folder, err := checkPrefix(s + "/"); err != nil || folder != s {
			t.Fatalf("%q is a key and no folder: %q, %v", s, folder, err)
		}
	})
}

// FuzzParseKeys: what is accepted are keys that differ, each in a form of its own.
func FuzzParseKeys(f *testing.F) {
	a, b := NewKey().Secret(), NewKey().Secret()
	f.Add(a + "\n" + b)
	f.Add(a + "," + a)
	f.Add(" , ,")
	f.Fuzz(func(t *testing.T, s string) {
		keys, err := ParseKeys(s)
		if err != nil {
			return
		}
		var again []string
		for _, key := range keys {
			again = append(again, key.Secret())
		}
		if got, err := ParseKeys(strings.Join(again, ",")); err != nil || !slices.Equal(got, keys) || len(got) == 0 {
			t.Fatalf("%d keys do not survive their own form: %v", len(keys), err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(NewKey().Secret())
	f.Add("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	f.Add("====")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := ParseKey(s)
		if err != nil {
			return
		}
		if again, err := ParseKey(key.Secret()); err != nil || again != key {
			t.Fatalf("the key does not survive its own form: %v", err)
		}
	})
}
