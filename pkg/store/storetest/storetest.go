// Package storetest is what every pipeline.Store must pass, whatever it keeps
// its objects in.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Run runs the suite. Each test gets a store of its own from open, which must
// be empty and be cleaned up by the test that it is given.
func Run(t *testing.T, open func(t *testing.T) pipeline.Store) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, s pipeline.Store)
	}{
		{"reads back what was created", readsBack},
		{"opens only whole keys", opensOnlyWholeKeys},
		{"creates a key once", createsOnce},
		{"creates nothing from a body that fails", failingBody},
		{"creates nothing when cancelled", cancelled},
		{"shows nothing of an object being written", partial},
		{"lets one of many writers win", oneWriterWins},
		{"shows readers whole objects only", readersSeeWhole},
		{"creates many keys at once", manyKeys},
		{"keeps the chain of a ledger", ledgerRace},
		{"lists in byte order", listsInOrder},
		{"lists by prefix", listsByPrefix},
		{"lists folders", listsFolders},
		{"deletes", deletes},
		{"never overwrites a key that differs in case", caseOnly},
		{"refuses keys that are none", refusesKeys},
		{"refuses to write the state of the tool", refusesState},
		{"removes states, and puts them back once", putsBack},
		{"names key and operation in errors", namesKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func create(t *testing.T, s pipeline.Store, key string, body []byte) {
	t.Helper()
	if err := s.Create(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
}

func read(ctx context.Context, s pipeline.Store, key string) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func wantBody(t *testing.T, s pipeline.Store, key string, want []byte) {
	t.Helper()
	got, err := read(t.Context(), s, key)
	if err != nil {
		t.Errorf("read %s: %v", key, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("read %s: got %d bytes, want the %d that were created", key, len(got), len(want))
	}
}

func wantMissing(t *testing.T, s pipeline.Store, key string) {
	t.Helper()
	if _, err := read(t.Context(), s, key); !errors.Is(err, pipeline.ErrNotFound) {
		t.Errorf("open %s: got %v, want ErrNotFound", key, err)
	}
}

func wantList(t *testing.T, s pipeline.Store, prefix string, want ...string) {
	t.Helper()
	got, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Errorf("list %q: %v", prefix, err)
	} else if !slices.Equal(got, want) {
		t.Errorf("list %q:\n got %q\nwant %q", prefix, got, want)
	}
	wantFirst := ""
	if len(want) > 0 {
		wantFirst = want[0]
	}
	if first, err := s.First(t.Context(), prefix); err != nil || first != wantFirst {
		t.Errorf("the first of %q: got %q, want %q: %v", prefix, first, wantFirst, err)
	}
}

// pattern returns n bytes that say where they stand and who wrote them.
func pattern(writer byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = writer ^ byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}
