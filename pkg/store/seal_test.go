package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func sealerOf(t testing.TB, keys ...Key) *Sealer {
	t.Helper()
	s, err := NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *Sealer, plain, associated []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := s.Seal(context.Background(), &out, pipeline.Binding{Data: associated})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unseal(s *Sealer, sealed, associated []byte) ([]byte, error) {
	r, err := s.Unseal(context.Background(), bytes.NewReader(sealed), pipeline.Binding{Data: associated})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var sizes = []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 3*chunkSize + 7}

func TestSealRoundTrip(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			plain := noise(size)
			sealed := seal(t, s, plain, []byte("receipt"))
			chunks := max(1, (size+chunkSize-1)/chunkSize)
			if want := headerSize + size + chunks*tagSize; len(sealed) != want {
				t.Errorf("sealed %d bytes to %d, want %d", size, len(sealed), want)
			}
			got, err := unseal(s, sealed, []byte("receipt"))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("got %d bytes and %v, want the %d that were sealed", len(got), err, size)
			}
			r, err := s.Unseal(t.Context(), iotest.OneByteReader(bytes.NewReader(sealed)), pipeline.Binding{Data: []byte("receipt")})
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, plain); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSealIsTheSameForAnySizeOfWrites(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	plain := noise(2*chunkSize + 5)
	for _, step := range []int{1 << 10, chunkSize - 1, chunkSize, chunkSize + 1} {
		var out bytes.Buffer
		w, err := s.Seal(t.Context(), &out, pipeline.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		for rest := plain; len(rest) > 0; {
			n := min(step, len(rest))
			if got, err := w.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("wrote %d, %v; want %d", got, err, n)
			}
			rest = rest[n:]
		}
		if err := errors.Join(w.Close(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("a write after Close was accepted")
		}
		if got, err := unseal(s, out.Bytes(), nil); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("in steps of %d: got %d bytes, %v", step, len(got), err)
		}
	}
}

func TestSealNeverRepeatsItself(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	a, b := seal(t, s, []byte("the same"), nil), seal(t, s, []byte("the same"), nil)
	if bytes.Equal(a[headerSize:], b[headerSize:]) {
		t.Error("two objects with one content look alike")
	}
}

func TestUnsealRefuses(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	bound := []byte("receipt")
	const full = chunkSize + tagSize
	three := seal(t, s, noise(3*chunkSize), bound)
	two := seal(t, s, noise(2*chunkSize), bound)
	header, chunks := three[:headerSize], [][]byte{three[headerSize:][:full], three[headerSize+full:][:full], three[headerSize+2*full:]}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	cases := map[string]struct {
		sealed, bound []byte
	}{
		"other associated data":       {three, []byte("receipu")},
		"no associated data":          {three, nil},
		"nothing":                     {nil, bound},
		"clear text":                  {[]byte(strings.Repeat("not sealed at all ", 9)), bound},
		"no chunk":                    {header, bound},
		"last chunk dropped":          {join(header, chunks[0], chunks[1]), bound},
		"first chunk dropped":         {join(header, chunks[1], chunks[2]), bound},
		"chunks swapped":              {join(header, chunks[1], chunks[0], chunks[2]), bound},
		"chunk repeated":              {join(header, chunks[0], chunks[0], chunks[1], chunks[2]), bound},
		"last chunk repeated":         {join(three, chunks[2]), bound},
		"chunk of another object":     {join(header, two[headerSize:][:full], chunks[1], chunks[2]), bound},
		"header of another object":    {join(two[:headerSize], three[headerSize:]), bound},
		"a byte more":                 {join(three, []byte{0}), bound},
		"another object behind":       {join(three, two), bound},
		"associated data in the body": {join(header, bound, three[headerSize:]), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := unseal(s, c.sealed, c.bound); !errors.Is(err, pipeline.ErrTampered) {
				t.Errorf("got %v, want ErrTampered", err)
			}
		})
	}
}

func TestUnsealRefusesEveryCutAndEveryFlip(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	sealed := seal(t, s, noise(chunkSize+40), []byte("receipt"))
	for i := range sealed {
		// All of the header, the seam of the chunks and the end; samples between.
		near := func(at int) bool { return i > at-40 && i < at+40 }
		if i > headerSize+40 && !near(headerSize+chunkSize+tagSize) && !near(len(sealed)) && i%1009 != 0 {
			continue
		}
		if _, err := unseal(s, sealed[:i], []byte("receipt")); !errors.Is(err, pipeline.ErrTampered) {
			t.Fatalf("cut to %d bytes: got %v, want ErrTampered", i, err)
		}
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1 << (i % 8)
		want := pipeline.ErrTampered
		if i > len(magic) && i < headerSize-saltSize {
			want = pipeline.ErrUnknownKey // of another key nothing can be said
		}
		if _, err := unseal(s, flipped, []byte("receipt")); !errors.Is(err, want) {
			t.Fatalf("flipped a bit of byte %d: got %v, want %v", i, err, want)
		}
	}
}

func TestUnsealHandsOutNothingOfABadChunk(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	plain := noise(2 * chunkSize)
	sealed := seal(t, s, plain, nil)
	sealed[len(sealed)-1] ^= 1
	got, err := unseal(s, sealed, nil)
	if !errors.Is(err, pipeline.ErrTampered) || !bytes.Equal(got, plain[:chunkSize]) {
		t.Errorf("got %d bytes and %v, want the good first chunk and ErrTampered", len(got), err)
	}
}

func TestUnsealNamesBothKeys(t *testing.T) {
	t.Parallel()
	a, b := sealerOf(t, NewKey()), sealerOf(t, NewKey())
	_, err := unseal(b, seal(t, a, []byte("x"), nil), nil)
	if !errors.Is(err, pipeline.ErrUnknownKey) || errors.Is(err, pipeline.ErrTampered) {
		t.Fatalf("got %v, want ErrUnknownKey alone", err)
	}
	if !strings.Contains(err.Error(), hex.EncodeToString(a.keys[0].id[:])) || !strings.Contains(err.Error(), hex.EncodeToString(b.keys[0].id[:])) {
		t.Errorf("the error does not name both keys: %v", err)
	}
}

func TestUnsealPassesOnReadErrors(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	sealed := seal(t, s, noise(2*chunkSize), nil)
	broken := errors.New("connection lost")
	for _, n := range []int{0, 5, headerSize, headerSize + 7, len(sealed) - 1, len(sealed)} {
		r, err := s.Unseal(t.Context(), io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(broken)), pipeline.Binding{})
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, broken) || errors.Is(err, pipeline.ErrTampered) {
			t.Errorf("after %d bytes: got %v, want the error of the reader alone", n, err)
		}
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestSealPassesOnWriteErrors(t *testing.T) {
	t.Parallel()
	s := sealerOf(t, NewKey())
	for _, left := range []int{0, headerSize, headerSize + chunkSize + tagSize} {
		w, err := s.Seal(t.Context(), &failingWriter{left: left}, pipeline.Binding{})
		if err == nil {
			_, err = w.Write(noise(2*chunkSize + 1))
			if closeErr := w.Close(); !errors.Is(closeErr, errFull) {
				t.Errorf("room for %d: Close gave %v, want the error of the writer", left, closeErr)
			}
		}
		if left < headerSize+chunkSize && !errors.Is(err, errFull) {
			t.Errorf("room for %d: got %v, want the error of the writer", left, err)
		}
	}
}

func TestSealNeedsFlatMemory(t *testing.T) {
	s := sealerOf(t, NewKey())
	measure := func(size int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		from, to := io.Pipe()
		done := make(chan error, 1)
		go func() {
			w, err := s.Seal(context.Background(), to, pipeline.Binding{})
			if err == nil {
				_, err = io.Copy(w, io.LimitReader(zeros{}, size))
				err = errors.Join(err, w.Close())
			}
			to.CloseWithError(err)
			done <- err
		}()
		r, err := s.Unseal(t.Context(), from, pipeline.Binding{})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err := errors.Join(err, <-done); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := measure(1<<20), measure(64<<20)
	if large > small+(1<<20) {
		t.Errorf("64 MiB allocated %d bytes, 1 MiB %d: want about the same", large, small)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestFormat holds the format still: what was sealed yesterday must open
// tomorrow, and a fingerprint must stay comparable.
func TestFormat(t *testing.T) {
	t.Parallel()
	key, err := ParseKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	s := sealerOf(t, key)
	if got, want := hex.EncodeToString(s.keys[0].id[:]), "453c3cad1947d0e9"; got != want {
		t.Errorf("key id %s, want %s", got, want)
	}
	if got, want := fingerprint(t, s, "changes"), "453c3cad1947d0e9a49243e00a352030d73b886e84d456f08ac6ea3066b1010611d0442b1caa2620"; got != want {
		t.Errorf("mac %s, want %s", got, want)
	}
	sealed, err := base64.StdEncoding.DecodeString("bWV0YXBpcGUBRTw8rRlH0OmuNxn4Pw8ZgKOsWXnM5dgbds4sKjDITH5Q6hCY5q6n9ttxPdIMokQM42uaSDuHm30958oC57/pgpnRN9fQMv0=")
	if err != nil {
		t.Fatal(err)
	}
	got, err := unseal(s, sealed, []byte("receipt"))
	if err != nil || string(got) != "sealed long ago" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	raw := noise(keySize)
	raw[0], raw[1], raw[2] = 0xff, 0xef, 0xbe // so that both alphabets show
	good := map[string]string{
		"base64":               base64.StdEncoding.EncodeToString(raw),
		"base64 without =":     base64.RawStdEncoding.EncodeToString(raw),
		"URL base64":           base64.URLEncoding.EncodeToString(raw),
		"URL base64 without =": base64.RawURLEncoding.EncodeToString(raw),
		"hex":                  hex.EncodeToString(raw),
		"upper-case hex":       strings.ToUpper(hex.EncodeToString(raw)),
		"a line":               base64.StdEncoding.EncodeToString(raw) + "\n",
	}
	for name, s := range good {
		k, err := ParseKey(s)
		if err != nil || !bytes.Equal(k.secret[:], raw) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	bad := map[string]string{
		"empty":     " \n",
		"short":     base64.StdEncoding.EncodeToString(raw[:31]),
		"long":      base64.StdEncoding.EncodeToString(append(raw, 1)),
		"short hex": hex.EncodeToString(raw[:31]),
		"words":     "correct horse battery staple, and more",
		"zeros":     strings.Repeat("0", 64),
		"binary":    string(raw),
	}
	for name, s := range bad {
		_, err := ParseKey(s)
		if err == nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		if s = strings.TrimSpace(s); s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func TestKeysDoNotPrintThemselves(t *testing.T) {
	t.Parallel()
	key := NewKey()
	again, err := ParseKey(key.Secret())
	if err != nil || again != key {
		t.Fatalf("Secret does not lead back to the key: %v", err)
	}
	s := sealerOf(t, key)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		out := fmt.Sprintf(format+format, key, s)
		for _, secret := range [][]byte{key.secret[:], s.keys[0].seal, s.keys[0].mac} {
			for _, form := range []string{hex.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"), string(secret)} {
				if strings.Contains(out, form) {
					t.Errorf("%s prints the key: %s", format, out)
				}
			}
		}
	}
}
