package store

import (
	"errors"
	"io/fs"
	"os"
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
