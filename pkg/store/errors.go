package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Error is a failed operation of a store.
type Error struct {
	Op    string // create, open, read, list or delete
	Key   string // the prefix for list
	Place string // the directory (or bucket) of the store
	Next  string // what to do; empty when the cause says it
	Err   error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %q in store %s: %v", e.Op, e.Key, e.Place, e.Err)
	if e.Next != "" {
		s += "\n→ " + e.Next
	}
	return s
}

// Unwrap returns the cause; pipeline.ErrNotFound and pipeline.ErrExists are
// found in it.
func (e *Error) Unwrap() error { return e.Err }

// fail wraps the error of a file operation. It returns nil when err is nil.
func (d *Directory) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Key: key, Place: d.path, Next: d.next(err), Err: text.FileError(err)}
}

func (d *Directory) next(err error) string {
	switch {
	case errors.Is(err, pipeline.ErrExists), errors.Is(err, pipeline.ErrNotFound), errors.Is(err, errKey):
		return ""
	case text.DiskFull(err):
		return "free some space on the file system of " + d.path + " and run again; nothing was written"
	case errors.Is(err, syscall.EROFS):
		return "the file system of " + d.path + " is mounted read-only: choose another directory"
	case errors.Is(err, fs.ErrPermission):
		return "give the user who runs metapipe read, write and search permission on " + d.path + " and the folders in it"
	case text.LeavesDirectory(err), errors.Is(err, syscall.ELOOP):
		return "put a plain directory in the place of each link in " + d.path + ": a store follows no link out of it"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return "choose a directory with a shorter path"
	}
	return ""
}

// missing reports whether err says that a file is not there; a path that goes
// through a file instead of a folder is not there either.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
