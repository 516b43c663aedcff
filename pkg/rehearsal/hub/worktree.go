package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Import makes a commit whose tree is the directory dir: regular files, their
// executable bit and symbolic links. Git's and Terraform's own data are left out
// (.git, .terraform, state and plan locks), as a .gitignore would. ch.Files are
// laid over the directory and ch.Remove is taken away from it.
func (r *Repo) Import(branch, dir string, ch Change) (string, error) {
	files, err := readDirectory(dir)
	if err != nil {
		return "", fmt.Errorf("import %s into %s: %w", dir, r.Slug(), err)
	}
	for _, gone := range ch.Remove {
		maps.DeleteFunc(files, func(p string, _ File) bool { return p == gone || strings.HasPrefix(p, gone+"/") })
	}
	maps.Copy(files, ch.Files)
	ch.Files, ch.Remove, ch.Replace = files, nil, true
	return r.Commit(branch, ch)
}

func readDirectory(dir string) (map[string]File, error) {
	files := map[string]File{}
	err := filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil || rel == "." {
			return err
		}
		if ignored(e) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		f, take, err := readEntry(at, e)
		if take {
			files[filepath.ToSlash(rel)] = f
		}
		return err
	})
	return files, err
}

// ignored: `.git` may also be a file, in worktrees and submodules.
func ignored(e fs.DirEntry) bool {
	name := e.Name()
	if name == ".git" || name == ".terraform" {
		return true
	}
	return !e.IsDir() && (strings.HasSuffix(name, ".tfstate") || strings.Contains(name, ".tfstate.") || name == "crash.log")
}

func readEntry(at string, e fs.DirEntry) (File, bool, error) {
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(at)
		return File{Content: []byte(filepath.ToSlash(target)), Mode: ModeSymlink}, err == nil, err
	case !e.Type().IsRegular():
		return File{}, false, nil // directories come by their files; sockets and such have no form in git
	}
	info, err := e.Info()
	if err != nil {
		return File{}, false, err
	}
	content, err := os.ReadFile(at)
	mode := ModeFile
	if info.Mode()&0o111 != 0 {
		mode = ModeExec
	}
	return File{Content: content, Mode: mode}, err == nil, err
}

// Checkout writes the tree of a revision into dir, which is made when missing.
// Files that are there already are overwritten, others stay. Nothing is written
// outside of dir, whatever links the tree holds.
func (r *Repo) Checkout(rev, dir string) (err error) {
	files, err := r.Files(rev)
	if err != nil {
		return fmt.Errorf("check out %s@%s: %w", r.Slug(), rev, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("check out %s@%s: %w", r.Slug(), rev, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("check out %s@%s: %w", r.Slug(), rev, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if err := writeEntry(root, p, files[p]); err != nil {
			return fmt.Errorf("check out %s@%s: %w", r.Slug(), rev, err)
		}
	}
	return nil
}

func writeEntry(root *os.Root, p string, f File) error {
	if d := path.Dir(p); d != "." {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch f.Mode {
	case ModeSymlink:
		return root.Symlink(string(f.Content), p)
	case ModeExec:
		return root.WriteFile(p, f.Content, 0o755)
	}
	return root.WriteFile(p, f.Content, 0o644)
}

// Files are all files of a revision by their path.
func (r *Repo) Files(rev string) (map[string]File, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	c := r.resolve(rev)
	if c == nil {
		return nil, fmt.Errorf("%s has no commit %q", r.slug(), rev)
	}
	out := map[string]File{}
	for p, l := range r.git.Flatten(c.Tree) {
		out[p] = File{Content: slices.Clone(r.git.Blobs[l.SHA]), Mode: l.Mode}
	}
	return out, nil
}
