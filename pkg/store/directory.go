package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Directory is a pipeline.Store in a directory: the object "a/b" is the file
// a/b. Folders are made with mode 0700, files with 0600. It is safe for use by
// many goroutines and processes at once.
//
// Nothing outside of the directory is ever reached, also not through symbolic
// links. On a file system that folds case (or Unicode forms), two keys that
// differ in nothing else are one object, so the second Create is ErrExists and
// overwrites nothing.
type Directory struct {
	path string
	// link makes a second name for a file and fails when that name is taken.
	link func(root *os.Root, oldName, newName string) error
}

var _ pipeline.Store = (*Directory)(nil)

// NewDirectory returns the store in the directory path. It does not touch the
// disk: the directory is made by the first Create, and until then it is an
// empty store.
func NewDirectory(path string) (*Directory, error) {
	if path == "" {
		return nil, pipeline.Usagef("the directory of the store is not set").Nextf("name a directory for it")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, pipeline.Usagef("find the directory of the store %s", path).Because(err)
	}
	return &Directory{path: abs, link: (*os.Root).Link}, nil
}

// Path is the absolute path of the directory.
func (d *Directory) Path() string { return d.path }

// Open implements pipeline.Store. The reader fails when ctx is cancelled.
func (d *Directory) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, d.fail("open", key, err)
	}
	root, err := os.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) { // and not missing: a path through a file is no empty store
		return nil, d.fail("open", key, pipeline.ErrNotFound)
	}
	if err != nil {
		return nil, d.fail("open", key, err)
	}
	file, err := openRegular(root, key)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, d.fail("open", key, err)
	}
	wrap := func(err error) error { return d.fail("read", key, err) }
	return &object{ctx: ctx, file: file, wrap: wrap}, nil
}

// ErrNotRegular is the error of a directory, a link or a pipe in the place of a state or of
// its lock: the tool may take it for one, so it does not say that there is none.
var ErrNotRegular = errors.New("it is not a regular file")

// irregular is the error of an object that is no regular file. Only the tool works with its
// own names; under any other one there is no object then.
func irregular(key string) error {
	if toolFile(key) {
		return ErrNotRegular
	}
	return pipeline.ErrNotFound
}

// openRegular opens a regular file and nothing else: a folder is no object, and
// opening a pipe would block.
func openRegular(root *os.Root, key string) (*os.File, error) {
	info, err := root.Lstat(key)
	if err == nil && !info.Mode().IsRegular() {
		return nil, irregular(key)
	}
	if missing(err) {
		return nil, pipeline.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	file, err := root.Open(key)
	if missing(err) {
		return nil, pipeline.ErrNotFound
	}
	return file, err
}

// object reads one file until its context ends.
type object struct {
	ctx  context.Context
	file *os.File
	wrap func(error) error
}

func (o *object) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, o.wrap(err)
	}
	n, err := o.file.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, o.wrap(err)
}

func (o *object) Close() error { return o.wrap(o.file.Close()) }

// List implements pipeline.Store. A prefix need not end at a slash. Files that
// are still being written, and files whose name is not a valid key, are left
// out; the tool's own state files are in the list.
func (d *Directory) List(ctx context.Context, prefix string) ([]string, error) {
	return d.ListAfter(ctx, prefix, "")
}

// ListAfter implements pipeline.Store. It reads all names of a folder, and asks the file system
// about those behind after alone.
func (d *Directory) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	var keys []string
	err := d.look(ctx, prefix, func(root *os.Root, folder string) (err error) {
		keys, err = walk(ctx, root, folder, prefix, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Folder by folder is not byte order: "a-b" stands before "a/b".
	slices.Sort(keys)
	return keys, nil
}

// First implements pipeline.Store. It reads all names of a folder, and asks the file system about
// the first of them alone.
func (d *Directory) First(ctx context.Context, prefix string) (string, error) {
	var key string
	err := d.look(ctx, prefix, func(root *os.Root, folder string) (err error) {
		key, err = first(ctx, root, folder, prefix)
		return err
	})
	return key, err
}

// look opens the store and lets read look at the folder of a prefix. It does nothing
// where there is no store yet.
func (d *Directory) look(ctx context.Context, prefix string, read func(root *os.Root, folder string) error) error {
	folder, err := checkPrefix(prefix)
	if err != nil {
		return d.fail("list", prefix, err)
	}
	root, err := os.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.fail("list", prefix, ctx.Err())
	}
	if err != nil {
		return d.fail("list", prefix, err)
	}
	return d.fail("list", prefix, errors.Join(read(root, folder), root.Close()))
}

// Folders implements pipeline.Store.
func (d *Directory) Folders(ctx context.Context, prefix string) ([]string, error) {
	var entries []fs.DirEntry
	err := d.look(ctx, prefix, func(root *os.Root, folder string) (err error) {
		if entries, err = fs.ReadDir(root.FS(), folder); missing(err) {
			err = nil
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, entry := range entries {
		if entry.IsDir() && CheckKey(prefix+entry.Name()+"/x") == nil {
			folders = append(folders, entry.Name()+"/")
		}
	}
	slices.Sort(folders)
	return folders, nil
}

// walk lists the keys below a folder that have a prefix and stand behind after. It asks the file
// system only about names that may lead to one: os.Root asks about each name of a
// folder by itself when it returns more than the names.
func walk(ctx context.Context, root *os.Root, folder, prefix, after string) ([]string, error) {
	names, err := namesIn(root, folder)
	if err != nil {
		return nil, err
	}
	var keys []string
	above := strings.TrimPrefix(folder+"/", "./")
	for _, name := range names {
		key := above + name
		if !strings.HasPrefix(key+"/", prefix) || key <= after && !strings.HasPrefix(after, key) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := root.Lstat(key)
		switch {
		case missing(err):
		case err != nil:
			return nil, err
		case info.IsDir():
			below, err := walk(ctx, root, key, prefix, after)
			if err != nil {
				return nil, err
			}
			keys = append(keys, below...)
		case info.Mode().IsRegular() && key > after && strings.HasPrefix(key, prefix) && CheckKey(key) == nil:
			keys = append(keys, key)
		}
	}
	return keys, ctx.Err()
}

// first is the first of the keys that walk lists.
func first(ctx context.Context, root *os.Root, folder, prefix string) (string, error) {
	names, err := namesIn(root, folder)
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	found, above := "", strings.TrimPrefix(folder+"/", "./")
	for _, name := range names {
		key := above + name
		if found != "" && key > found { // and so is all that lies below it: "a-b" stands before "a/b"
			break
		}
		if !strings.HasPrefix(key+"/", prefix) {
			continue
		}
		info, err := root.Lstat(key)
		switch {
		case missing(err):
			continue
		case err != nil:
			return "", err
		case info.IsDir():
			if key, err = first(ctx, root, key, prefix); err != nil {
				return "", err
			}
		case !info.Mode().IsRegular() || !strings.HasPrefix(key, prefix) || CheckKey(key) != nil:
			continue
		}
		if key != "" && (found == "" || key < found) {
			found = key
		}
	}
	return found, ctx.Err()
}

// namesIn are the names in a folder; none where it was deleted while we looked, was never there, or
// is no folder.
func namesIn(root *os.Root, folder string) ([]string, error) {
	info, err := root.Stat(folder)
	if missing(err) || err == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := root.Open(folder)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// Delete implements pipeline.Store. Folders stay, since another process may be
// about to write into them.
func (d *Directory) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), checkWritable(key)); err != nil {
		return d.fail("delete", key, err)
	}
	root, err := os.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return d.fail("delete", key, err)
	}
	return d.fail("delete", key, errors.Join(removeRegular(root, key), root.Close()))
}

// RemoveState removes a state, which no other method changes. The caller has kept a copy.
func (d *Directory) RemoveState(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), checkState(key)); err != nil {
		return d.fail("remove", key, err)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return d.fail("remove", key, err)
	}
	return d.fail("remove", key, errors.Join(removeRegular(root, key), root.Close()))
}

func removeRegular(root *os.Root, key string) error {
	info, err := root.Lstat(key)
	if missing(err) || (err == nil && !info.Mode().IsRegular()) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := root.Remove(key); err != nil && !missing(err) {
		return err
	}
	return syncFolder(root, key)
}
