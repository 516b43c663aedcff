package text

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFileError: what os.Root answers about each kind of bad path becomes a sentence.
func TestFileError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, target := range map[string]string{"out": t.TempDir(), "loop": "loop", "up": "../.."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]string{
		"out": "leads out of the directory", "out/below": "leads out of the directory", "up": "leads out of the directory", "../x": "leads out of the directory",
		"loop": "leads back to itself", "loop/below": "leads back to itself", "file/below": "there is a file where a directory should be",
		"nothing": "does not exist", strings.Repeat("x", 300): "its name is too long",
	} {
		_, opened := root.Open(name)
		_, looked := root.Stat(name)
		_, read := fs.ReadDir(root.FS(), strings.TrimPrefix(name, "../"))
		for operation, err := range map[string]error{"open": opened, "stat": looked, "read": read} {
			if operation == "read" && strings.HasPrefix(name, "..") {
				continue // no path of an fs.FS
			}
			plain := FileError(errors.Join(err, nil))
			if plain == nil || !strings.Contains(plain.Error(), want) || strings.Contains(plain.Error(), name) && len(name) > 4 {
				t.Errorf("%s %.10s: got %v for %v", operation, name, plain, err)
			}
			if !errors.Is(plain, err) {
				t.Errorf("%s %.10s: the cause is not found in %v", operation, name, plain)
			}
		}
	}
	if FileError(nil) != nil {
		t.Error("no error became one")
	}
	if other := fmt.Errorf("copy x: %w", fs.ErrNotExist); FileError(other) != other { //nolint:errorlint // the same one
		t.Error("an error with words of its own was replaced")
	}
}

// TestDiskFull: each system has numbers of its own for a full disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		system string
		number syscall.Errno
		want   bool
	}{
		{"linux", syscall.ENOSPC, true}, {"darwin", syscall.EDQUOT, true}, {"linux", syscall.EACCES, false},
		{"windows", 112, true}, {"windows", 39, true}, {"windows", 5, false}, {"linux", 112, false},
	} {
		if got := diskFull(&fs.PathError{Op: "write", Path: "x", Err: c.number}, c.system); got != c.want {
			t.Errorf("%s, %d: got %t", c.system, c.number, got)
		}
	}
}
