package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/gitrepo"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// maxCheckout bounds what is taken from one checkout, in bytes.
const maxCheckout = 512 << 20

// checkout is one party's directory as it would be committed: with uncommitted
// edits, without what git ignores and without the data of git and the tool.
type checkout struct {
	dir   string
	files map[string]hub.File // by path with slashes
	root  *os.Root
	git   *gitrepo.Repository // nil where dir lies in no work tree
}

// readCheckout reads dir. Without git, or outside of a work tree, everything
// counts as committed.
func readCheckout(ctx context.Context, dir string, environ []string) (*checkout, error) {
	c := &checkout{dir: dir, files: map[string]hub.File{}}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, pipeline.Usagef("%s is not a directory", dir).Because(err).Nextf("name the checkout of a repository")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer root.Close()
	c.root = root
	if git, ok := gitrepo.Open(ctx, dir, environ); ok {
		c.git = git
	}
	paths, err := c.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", dir, err)
	}
	total := int64(0)
	for _, p := range paths {
		n, err := c.take(p)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", p, dir, err)
		}
		if total += n; total > maxCheckout {
			return nil, pipeline.Usagef("%s holds more than %d MB", dir, maxCheckout>>20).
				Nextf("name a smaller directory, or keep what does not belong into the repository in .gitignore")
		}
	}
	return c, nil
}

func (c *checkout) list(ctx context.Context) ([]string, error) {
	if c.git != nil {
		paths, err := c.git.Files(ctx)
		return slices.DeleteFunc(paths, leftOut), err
	}
	var paths []string
	err := filepath.WalkDir(c.dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.dir, at)
		if err != nil || rel == "." {
			return err
		}
		switch rel = filepath.ToSlash(rel); {
		case e.IsDir() && (leftOut(rel) || isMarked(at)):
			return filepath.SkipDir
		case !leftOut(rel) && !e.IsDir():
			paths = append(paths, rel)
		}
		return nil
	})
	return paths, err
}

// leftOut: git's and the tool's own data never belong into a repository. `.git`
// may also be a file, in work trees and submodules.
func leftOut(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".git" || part == ".terraform" {
			return true
		}
	}
	name := path.Base(p)
	return strings.HasSuffix(name, ".tfstate") || strings.Contains(name, ".tfstate.") || name == "crash.log"
}

// behindLink reports whether a directory of the path is a symbolic link by now.
// To git such a file is deleted.
func (c *checkout) behindLink(p string) bool {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if info, err := c.root.Lstat(filepath.FromSlash(dir)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// take reads one file. What was deleted from the work tree, or has no form in
// git, is skipped.
func (c *checkout) take(p string) (int64, error) {
	at := filepath.FromSlash(p)
	info, err := c.root.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) || c.behindLink(p) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	f := hub.File{Mode: hub.ModeFile}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := c.root.Readlink(at)
		if err != nil {
			return 0, err
		}
		f.Mode, f.Content = hub.ModeSymlink, []byte(filepath.ToSlash(target))
	case !info.Mode().IsRegular():
		return 0, nil
	default:
		if info.Size() > maxCheckout {
			return info.Size(), nil
		}
		if info.Mode()&0o111 != 0 {
			f.Mode = hub.ModeExec
		}
		if f.Content, err = c.root.ReadFile(at); err != nil {
			return 0, err
		}
	}
	c.files[p] = f
	return int64(len(f.Content)), nil
}

// committed is the content of a file at HEAD. known is false when there is no
// git, no commit, or no such file in it; an error means that git could not say.
func (c *checkout) committed(ctx context.Context, p string) (content []byte, known bool, err error) {
	if c.git == nil {
		return nil, false, nil
	}
	content, err = c.git.Committed(ctx, p)
	if errors.Is(err, gitrepo.ErrNotCommitted) {
		return nil, false, nil
	}
	return content, err == nil, err
}

// origin is the owner/name that the remote "origin" points to. A directory
// below the top of its work tree has none of its own.
func (c *checkout) origin(ctx context.Context) (pipeline.Slug, bool) {
	if c.git == nil {
		return pipeline.Slug{}, false
	}
	url, ok := c.git.Origin(ctx)
	if !ok {
		return pipeline.Slug{}, false
	}
	return pipeline.ParseRemote(url)
}
