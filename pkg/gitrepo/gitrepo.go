// Package gitrepo reads a local git work tree without obeying it. A repository's
// own configuration can name programs that git starts (core.fsmonitor, hooks, a
// remote's transport), and a checkout that someone else made may hold any
// configuration. So no command here runs a program that the repository names,
// reaches a network, or sees more of the caller's environment than git needs.
package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Repository is the work tree that a directory lies in.
type Repository struct {
	dir string
	git string
	env []string
}

// obeyNothing switches off what a repository's configuration could start. What
// stands on the command line wins over every file, and counts as protected
// configuration: https://git-scm.com/docs/git-config#SCOPES
var obeyNothing = []string{
	"-c", "core.fsmonitor=false",
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.sshCommand=false",
	"-c", "core.gitProxy=",
	"-c", "core.askPass=false",
	"-c", "credential.helper=",
	"-c", "core.pager=cat",
	// A repository that lies among the files of another one is no work tree.
	"-c", "safe.bareRepository=explicit",
	"-c", "protocol.allow=never",
	"-c", "gc.auto=0",
	"-c", "maintenance.auto=false",
}

// ownEnvironment is set for every process, whatever the caller's environment
// says. GIT_ALLOW_PROTOCOL also wins over protocol.<name>.allow, which a
// repository may set and which protocol.allow gives way to.
var ownEnvironment = []string{
	"GIT_ALLOW_PROTOCOL=none",
	"GIT_NO_LAZY_FETCH=1", // since git 2.45; before, the protocols above have to do
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_TERMINAL_PROMPT=0",
}

// passed are the variables that git needs to run at all and to find the user's
// own configuration, where safe.directory stands.
var passed = []string{
	"PATH", "HOME", "XDG_CONFIG_HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP",
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES",
}

// Open finds the work tree that dir lies in. ok is false when git is not
// installed, dir lies in no work tree, or git refuses to read it, for example
// since another user owns it.
func Open(ctx context.Context, dir string, environ []string) (r *Repository, ok bool) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, false
	}
	r = &Repository{dir: dir, git: git, env: environment(environ, runtime.GOOS)}
	out, err := r.run(ctx, "rev-parse", "--is-inside-work-tree")
	return r, err == nil && strings.TrimSpace(string(out)) == "true"
}

// environment picks the passed variables by name and adds our own.
func environment(environ []string, system string) []string {
	var out []string
	for _, pair := range environ {
		name, _, ok := strings.Cut(pair, "=")
		if system == "windows" {
			name = strings.ToUpper(name) // it knows no case, and calls them Path and SystemRoot
		}
		if ok && slices.Contains(passed, name) {
			out = append(out, pair)
		}
	}
	return append(out, ownEnvironment...)
}

// Files lists what would be committed below the directory: paths with slashes,
// relative to it, tracked ones and new ones that git does not ignore. A tracked
// file may be missing from the work tree.
func (r *Repository) Files(ctx context.Context) ([]string, error) {
	out, err := r.run(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	var paths []string
	for p := range strings.SplitSeq(string(out), "\x00") {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

// ErrNotCommitted says that a path is not part of the last commit, or that there
// is no commit yet.
var ErrNotCommitted = errors.New("not part of the last commit")

// Committed is the content of a file, relative to the directory, at HEAD. Other
// errors than ErrNotCommitted mean that the commit could not be read, as in a
// partial clone that has not fetched the file.
func (r *Repository) Committed(ctx context.Context, path string) ([]byte, error) {
	if _, err := r.Head(ctx); err != nil {
		return nil, ErrNotCommitted
	}
	// Lists the entry without reading the object behind it.
	entry, err := r.run(ctx, "ls-tree", "-z", "HEAD", "--", ":(literal)"+path)
	if err != nil {
		return nil, err
	}
	if len(entry) == 0 {
		return nil, ErrNotCommitted
	}
	return r.run(ctx, "cat-file", "blob", "HEAD:./"+path)
}

// Head is the commit that is checked out, as 40 or 64 hexadecimal digits.
func (r *Repository) Head(ctx context.Context) (string, error) {
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	return strings.TrimSpace(string(out)), err
}

// Origin is the URL of the remote "origin". A directory below the top of its
// work tree has none of its own.
func (r *Repository) Origin(ctx context.Context) (url string, ok bool) {
	if prefix, err := r.run(ctx, "rev-parse", "--show-prefix"); err != nil || strings.TrimSpace(string(prefix)) != "" {
		return "", false
	}
	out, err := r.run(ctx, "config", "--local", "--no-includes", "--get", "remote.origin.url")
	return strings.TrimSpace(string(out)), err == nil
}

func (r *Repository) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.git, append(slices.Clone(obeyNothing), args...)...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s in %s: %w: %s", args[0], filepath.Base(r.dir), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// DefaultBranch is the branch that origin/HEAD names, else the only local one, main
// or master. ok is false when that is not clear, and for a directory below the top
// of its work tree.
func (r *Repository) DefaultBranch(ctx context.Context) (branch string, ok bool) {
	if prefix, err := r.run(ctx, "rev-parse", "--show-prefix"); err != nil || strings.TrimSpace(string(prefix)) != "" {
		return "", false
	}
	if out, err := r.run(ctx, "symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD"); err == nil {
		branch, ok = strings.CutPrefix(strings.TrimSpace(string(out)), "origin/")
		return branch, ok
	}
	out, err := r.run(ctx, "for-each-ref", "--format=%(refname:short)", "refs/heads")
	if err != nil {
		return "", false
	}
	names := strings.Fields(string(out))
	switch {
	case len(names) == 0: // nothing is committed yet
		out, err = r.run(ctx, "symbolic-ref", "--short", "--quiet", "HEAD")
		return strings.TrimSpace(string(out)), err == nil
	case len(names) == 1:
		return names[0], true
	case slices.Contains(names, "main"):
		return "main", true
	case slices.Contains(names, "master"):
		return "master", true
	}
	return "", false
}
