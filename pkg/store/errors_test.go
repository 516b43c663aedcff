package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestErrorNamesTheRemedy(t *testing.T) {
	t.Parallel()
	d := &Directory{path: "/srv/store"}
	cases := []struct {
		err  error
		next string // a part of it; empty for none
	}{
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "free some space on the file system of /srv/store"},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, "free some space"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}, "mounted read-only"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "permission on /srv/store"},
		{&os.LinkError{Op: "link", Err: syscall.ENAMETOOLONG}, "shorter path"},
		{pipeline.ErrExists, ""},
		{pipeline.ErrNotFound, ""},
		{errors.New("anything else"), ""},
	}
	for _, c := range cases {
		err := d.fail("create", "acme/plan", c.err)
		text := err.Error()
		if !errors.Is(err, c.err) || !strings.HasPrefix(text, `create "acme/plan" in store /srv/store: `) {
			t.Errorf("got %v, want operation, key, directory and cause", err)
		}
		if _, next, _ := strings.Cut(text, "\n→ "); !strings.Contains(next, c.next) || (next == "") != (c.next == "") {
			t.Errorf("%v: got the remedy %q, want %q", c.err, next, c.next)
		}
	}
	if d.fail("create", "acme/plan", nil) != nil {
		t.Error("no error became one")
	}
}

// TestLinksInAStoreAreNamedInPlainWords: the error says which kind of link it is and what
// to do.
func TestLinksInAStoreAreNamedInPlainWords(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{t.TempDir(): "leads out of the directory", "shop": "leads back to itself"} {
		dir := t.TempDir()
		if err := os.Symlink(target, filepath.Join(dir, "shop")); err != nil {
			t.Fatal(err)
		}
		s, err := NewDirectory(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, listed := s.List(t.Context(), "shop/staging/")
		_, opened := s.Open(t.Context(), "shop/staging/object.json")
		created := s.Create(t.Context(), "shop/staging/object.json", strings.NewReader("x"))
		for op, err := range map[string]error{"list": listed, "open": opened, "create": created, "delete": s.Delete(t.Context(), "shop/staging/object.json"), "remove": s.RemoveState(t.Context(), "shop/staging/terraform.tfstate")} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "→ put a plain directory") || strings.Contains(err.Error(), "statat") {
				t.Errorf("%s: %v", op, err)
			}
		}
	}
}
