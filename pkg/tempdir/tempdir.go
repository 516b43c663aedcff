// Package tempdir makes directories for what must not outlast a process: plans,
// variables and states in clear. A process that ends by itself removes its own;
// what one left that was killed is removed by the next.
package tempdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// prefix begins the name of every directory; digits follow.
const prefix = "metapipe-"

func ours(name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// attempts bounds how often another process may take a fresh directory for a
// leftover before it is locked.
const attempts = 100

// New makes a directory that only this user can read, below base or, where that
// is empty, in the system's directory for temporary files, and removes what dead
// processes left there. remove deletes the directory; it can be called once.
//
// A directory is in use as long as this process, or one that it has started,
// holds a lock on it: a tool that outlasts its killed parent keeps its workspace.
func New(base string) (dir string, remove func() error, err error) {
	if base == "" {
		base = os.TempDir()
	}
	removeLeftovers(base)
	for range attempts {
		dir, err := os.MkdirTemp(base, prefix)
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for temporary files: %w", err)
		}
		unlock, err := lock(dir)
		if errors.Is(err, errInUse) {
			continue // it was taken for a leftover, and is being removed
		}
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		return dir, func() error { return errors.Join(os.RemoveAll(dir), unlock()) }, nil
	}
	return "", nil, fmt.Errorf("make a directory for temporary files in %s: other processes remove each new one", base)
}

// removeLeftovers removes the directories of this user that no process holds. It
// has no error: what cannot be removed does not stop the one who comes next.
func removeLeftovers(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !ours(e.Name()) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		if info, err := os.Lstat(dir); err != nil || !private(info) {
			continue
		}
		unlock, err := lock(dir)
		if err != nil {
			continue // in use, or unknown
		}
		_ = errors.Join(os.RemoveAll(dir), unlock())
	}
}

var errInUse = errors.New("another process holds the directory")
