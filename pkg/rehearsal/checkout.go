package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

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
	// git is the git binary when dir is inside a work tree, else empty.
	git     string
	environ []string
}

// readCheckout reads dir. Without git, or outside of a work tree, everything
// counts as committed.
func readCheckout(ctx context.Context, dir string, environ []string) (*checkout, error) {
	c := &checkout{dir: dir, files: map[string]hub.File{}, environ: withoutGit(environ)}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &pipeline.UsageError{Message: fmt.Sprintf("%s is not a directory", dir), Next: "name the checkout of a repository", Err: err}
	}
	if git, err := exec.LookPath("git"); err == nil {
		c.git = git
		if out, err := c.run(ctx, "rev-parse", "--is-inside-work-tree"); err != nil || strings.TrimSpace(string(out)) != "true" {
			c.git = ""
		}
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
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("%s holds more than %d MB", dir, maxCheckout>>20), Next: "name a smaller directory, or keep what does not belong into the repository in .gitignore"}
		}
	}
	return c, nil
}

func (c *checkout) list(ctx context.Context) ([]string, error) {
	if c.git != "" {
		out, err := c.run(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
		if err != nil {
			return nil, err
		}
		var paths []string
		for p := range strings.SplitSeq(string(out), "\x00") {
			if p != "" && !leftOut(p) {
				paths = append(paths, p)
			}
		}
		return paths, nil
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

// take reads one file. What was deleted from the work tree, or has no form in
// git, is skipped.
func (c *checkout) take(p string) (int64, error) {
	at := filepath.Join(c.dir, filepath.FromSlash(p))
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	f := hub.File{Mode: hub.ModeFile}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(at)
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
		if f.Content, err = os.ReadFile(at); err != nil {
			return 0, err
		}
	}
	c.files[p] = f
	return int64(len(f.Content)), nil
}

// committed is the content of a file at HEAD. known is false when there is no
// git, no commit, or no such file in it.
func (c *checkout) committed(ctx context.Context, p string) (content []byte, known bool) {
	if c.git == "" {
		return nil, false
	}
	out, err := c.run(ctx, "cat-file", "blob", "HEAD:./"+p)
	return out, err == nil
}

// origin is the owner/name that the remote "origin" points to. A directory
// below the top of its work tree has none of its own.
func (c *checkout) origin(ctx context.Context) (pipeline.Slug, bool) {
	if c.git == "" {
		return pipeline.Slug{}, false
	}
	if prefix, err := c.run(ctx, "rev-parse", "--show-prefix"); err != nil || strings.TrimSpace(string(prefix)) != "" {
		return pipeline.Slug{}, false
	}
	out, err := c.run(ctx, "config", "--get", "remote.origin.url")
	if err != nil {
		return pipeline.Slug{}, false
	}
	return slugOfURL(strings.TrimSpace(string(out)))
}

// slugOfURL reads owner/name from the end of https://host/owner/name.git and of
// git@host:owner/name.git.
func slugOfURL(url string) (pipeline.Slug, bool) {
	url = strings.TrimSuffix(strings.TrimRight(url, "/"), ".git")
	parts := strings.FieldsFunc(url, func(r rune) bool { return r == '/' || r == ':' })
	if len(parts) < 3 {
		return pipeline.Slug{}, false
	}
	slug, err := pipeline.ParseSlug(parts[len(parts)-2] + "/" + parts[len(parts)-1])
	return slug, err == nil
}

func (c *checkout) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.git, args...)
	cmd.Dir, cmd.Env = c.dir, c.environ
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// withoutGit keeps variables away that point git at another repository, as they
// are set in a git hook.
func withoutGit(environ []string) []string {
	var out []string
	for _, pair := range environ {
		if !strings.HasPrefix(pair, "GIT_") {
			out = append(out, pair)
		}
	}
	return append(out, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
}
