package storetest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func readsBack(t *testing.T, s pipeline.Store) {
	bodies := map[string][]byte{
		"empty":                           {},
		"a/b/c/d/e/f/g":                   []byte("deep"),
		"acme/staging/plan.bin":           pattern(1, 9<<20), // more than one part of any protocol
		"odd/ name with spaces":           []byte("\x00\xff\r\n"),
		"odd/ünïcode+%2F&=?#~":            []byte("x"),
		"odd/.hidden":                     []byte("y"),
		"odd/a..b":                        []byte("z"),
		"odd/" + strings.Repeat("n", 255): []byte("long"),
	}
	for key, body := range bodies {
		create(t, s, key, body)
	}
	for key, body := range bodies {
		wantBody(t, s, key, body)
	}
	if err := s.Create(t.Context(), "dribble", iotest.OneByteReader(bytes.NewReader(pattern(2, 3000)))); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "dribble", pattern(2, 3000))
}

func opensOnlyWholeKeys(t *testing.T, s pipeline.Store) {
	wantMissing(t, s, "acme/plan")
	create(t, s, "acme/plans/1", []byte("x"))
	for _, key := range []string{"acme", "acme/plan", "acme/plans", "acme/plans/1/2", "acme/plans/11", "1"} {
		wantMissing(t, s, key)
	}
}

func createsOnce(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/receipt", []byte("first"))
	for _, body := range []string{"second", "", "first"} {
		if err := s.Create(t.Context(), "acme/receipt", strings.NewReader(body)); !errors.Is(err, pipeline.ErrExists) {
			t.Errorf("create again: got %v, want ErrExists", err)
		}
	}
	wantBody(t, s, "acme/receipt", []byte("first"))
	wantList(t, s, "", "acme/receipt")
}

func deletes(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/a", []byte("1"))
	create(t, s, "acme/b", []byte("2"))
	for _, key := range []string{"acme/a", "acme/a", "acme/none", "none/at/all", "acme", "acme/b/c"} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	wantMissing(t, s, "acme/a")
	wantBody(t, s, "acme/b", []byte("2"))
	wantList(t, s, "", "acme/b")
	create(t, s, "acme/a", []byte("3"))
	wantBody(t, s, "acme/a", []byte("3"))
}

func caseOnly(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/Plan", []byte("upper"))
	err := s.Create(t.Context(), "acme/plan", strings.NewReader("lower"))
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		t.Errorf("got %v, want a second object or ErrExists", err)
	}
	wantBody(t, s, "acme/Plan", []byte("upper"))
}

func refusesKeys(t *testing.T, s pipeline.Store) {
	keys := []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", `a\b`, `..\a`, "C:a",
		"a\x00b", "a\nb", "a/\x7f", "a\u0085b", "a\xffb", "a.", "a /b", "a/" + strings.Repeat("n", 256),
		strings.Repeat("long/", 300) + "x",
	}
	for _, key := range keys {
		_, openErr := read(t.Context(), s, key)
		for op, err := range map[string]error{
			"create": s.Create(t.Context(), key, strings.NewReader("x")),
			"open":   openErr,
			"delete": s.Delete(t.Context(), key),
		} {
			if err == nil || errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrExists) {
				t.Errorf("%s %q: got %v, want it refused as a key", op, key, err)
			}
		}
	}
	wantList(t, s, "")
}

func namesKey(t *testing.T, s pipeline.Store) {
	create(t, s, "acme/taken", nil)
	_, err := s.Open(t.Context(), "acme/none")
	for op, err := range map[string]error{
		"create \"acme/taken\"": s.Create(t.Context(), "acme/taken", strings.NewReader("x")),
		"open \"acme/none\"":    err,
	} {
		if err == nil || !strings.Contains(err.Error(), op) {
			t.Errorf("got %v, want an error that contains %s", err, op)
		}
	}
}
