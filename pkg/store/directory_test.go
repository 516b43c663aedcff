package store_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/storetest"
)

func newDirectory(t *testing.T, path string) *store.Directory {
	t.Helper()
	d, err := store.NewDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) pipeline.Store {
		return newDirectory(t, filepath.Join(t.TempDir(), "made", "when", "needed"))
	})
}

func TestDirectoryWithoutHardLinks(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{errors.ErrUnsupported, fs.ErrPermission} {
		t.Run(answer.Error(), func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) pipeline.Store {
				d := newDirectory(t, t.TempDir())
				d.RefuseLinks(answer)
				return d
			})
		})
	}
}

func TestDirectoryKeepsOthersOut(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	d := newDirectory(t, dir)
	if err := d.Create(t.Context(), "acme/staging/plan", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want nothing for group and others", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryLeavesNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDirectory(t, dir)
	for range 2 {
		err := d.Create(t.Context(), "a/b", strings.NewReader("x"))
		if err != nil && !errors.Is(err, pipeline.ErrExists) {
			t.Fatal(err)
		}
	}
	if err := d.Create(t.Context(), "a/c", failing{}); err == nil {
		t.Fatal("a failing body was accepted")
	}
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "b" {
		t.Errorf("got %v, %v; want b alone", entries, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestDirectorySurvivesACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDirectory(t, dir)
	write(t, filepath.Join(dir, "acme", ".metapipe-tmp-LEFTOVER"), "half an obj")
	keys, err := d.List(t.Context(), "")
	if err != nil || len(keys) != 0 {
		t.Errorf("got %q, %v; want an empty list", keys, err)
	}
	if _, err := d.Open(t.Context(), "acme/.metapipe-tmp-LEFTOVER"); err == nil {
		t.Error("half an object was opened")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryShowsButKeepsTheStateOfTheTool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDirectory(t, dir)
	const key = "acme/staging/terraform.tfstate"
	write(t, filepath.Join(dir, key), `{"serial": 3}`)
	keys, err := d.List(t.Context(), "acme/staging/")
	if err != nil || len(keys) != 1 || keys[0] != key {
		t.Errorf("got %q, %v; want the state", keys, err)
	}
	if err := errors.Join(d.Create(t.Context(), key, strings.NewReader("x")), d.Delete(t.Context(), key)); err == nil {
		t.Error("want both refused")
	}
	r, err := d.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(b) != `{"serial": 3}` {
		t.Errorf("got %q, %v; want the state as it was", b, err)
	}
}

func TestDirectoryIsNotLeftThroughLinks(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	d := newDirectory(t, dir)
	write(t, filepath.Join(outside, "secret"), "of somebody else")
	for name, target := range map[string]string{"folder": outside, "file": filepath.Join(outside, "secret")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skipf("the file system has no symbolic links: %v", err)
		}
	}
	for _, key := range []string{"folder/secret", "file"} {
		if r, err := d.Open(t.Context(), key); err == nil {
			t.Errorf("opened %s: %v", key, r.Close())
		}
		if err := d.Create(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("created %s", key)
		}
		if err := d.Delete(t.Context(), key); err != nil && errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	if err := d.Create(t.Context(), "folder/new", strings.NewReader("x")); err == nil {
		t.Error("wrote through a link")
	}
	if keys, err := d.List(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Errorf("got %q, %v; want nothing of what the links lead to", keys, err)
	}
	b, err := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || string(b) != "of somebody else" {
		t.Errorf("the file outside: %q, %v", b, err)
	}
}

func TestDirectoryErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if err := newDirectory(t, file).Create(t.Context(), "a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in place of the directory: got %v, want its path", err)
	}
	d := newDirectory(t, t.TempDir())
	if err := d.Create(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	err := d.Create(t.Context(), "a/b/c", strings.NewReader("x"))
	if err == nil || errors.Is(err, pipeline.ErrExists) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("a key below an object: got %v, want an error that names the object", err)
	}
	var usage *pipeline.UsageError
	if _, err := store.NewDirectory(""); !errors.As(err, &usage) {
		t.Errorf("no path: got %v, want a UsageError", err)
	}
}
