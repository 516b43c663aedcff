package gitrepo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// owner runs git as someone who prepares a repository.
func owner(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, []byte(content), mode))
}

// committed makes a repository that holds infra/variables.yml.
func committed(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	owner(t, dir, "init", "-q")
	write(t, filepath.Join(dir, "infra", "variables.yml"), "a: 1\n", 0o600)
	owner(t, dir, "add", "-A")
	owner(t, dir, "commit", "-qm", "x")
	return dir
}

// TestForeignConfigurationStartsNothing lets the configuration of a repository
// name programs in every way that git knows, and asks for all there is.
func TestForeignConfigurationStartsNothing(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir, program string) string{
		"fsmonitor": func(t *testing.T, dir, program string) string {
			owner(t, dir, "config", "core.fsmonitor", program)
			return dir
		},
		"fsmonitor in an included file": func(t *testing.T, dir, program string) string {
			write(t, filepath.Join(dir, ".git", "more"), "[core]\n\tfsmonitor = "+program+"\n", 0o600)
			owner(t, dir, "config", "include.path", "more")
			return dir
		},
		"hooks": func(t *testing.T, dir, program string) string {
			for _, hook := range []string{"post-index-change", "fsmonitor-watchman", "reference-transaction", "post-checkout"} {
				write(t, filepath.Join(dir, ".git", "hooks", hook), "#!/bin/sh\nexec "+program+"\n", 0o700)
			}
			owner(t, dir, "config", "core.hooksPath", filepath.Join(dir, ".git", "hooks"))
			return dir
		},
		"filters": func(t *testing.T, dir, program string) string {
			write(t, filepath.Join(dir, ".gitattributes"), "* filter=x diff=x\n", 0o600)
			for _, key := range []string{"filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.external", "core.pager", "core.editor"} {
				owner(t, dir, "config", key, program)
			}
			return dir
		},
		"promised objects by ssh": func(t *testing.T, dir, program string) string {
			owner(t, dir, "config", "core.sshCommand", program)
			return promise(t, dir, "ssh://git@127.0.0.1/x")
		},
		"promised objects by a helper that the repository allows": func(t *testing.T, dir, program string) string {
			owner(t, dir, "config", "protocol.ext.allow", "always")
			return promise(t, dir, "ext::"+program)
		},
		"promised objects by a path that the repository allows": func(t *testing.T, dir, program string) string {
			owner(t, dir, "config", "protocol.file.allow", "always")
			owner(t, dir, "config", "remote.origin.uploadpack", program)
			return promise(t, dir, committed(t))
		},
		"promised objects through a proxy": func(t *testing.T, dir, program string) string {
			owner(t, dir, "config", "core.gitProxy", program)
			owner(t, dir, "config", "protocol.git.allow", "always")
			return promise(t, dir, "git://127.0.0.1:9/x")
		},
		"a repository among the files": func(t *testing.T, dir, program string) string {
			inner := filepath.Join(dir, "shop")
			check(t, os.Mkdir(inner, 0o700))
			owner(t, inner, "init", "-q", "--bare", ".")
			owner(t, inner, "config", "core.bare", "false")
			owner(t, inner, "config", "core.worktree", inner)
			owner(t, inner, "config", "core.fsmonitor", program)
			return inner
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := committed(t)
			mark := filepath.Join(t.TempDir(), "ran")
			program := filepath.Join(t.TempDir(), "program")
			write(t, program, "#!/bin/sh\nenv >"+mark+"\n", 0o700)
			at := prepare(t, dir, program)
			run(t, at)
			if environ, err := os.ReadFile(mark); err == nil {
				t.Errorf("the program ran:\n%s", environ)
			}
		})
	}
}

// promise makes the repository miss the objects of its commit and names where
// they are to be had.
func promise(t *testing.T, dir, url string) string {
	t.Helper()
	blob := owner(t, dir, "rev-parse", "HEAD:infra/variables.yml")
	check(t, os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])))
	owner(t, dir, "config", "core.repositoryFormatVersion", "1")
	owner(t, dir, "config", "extensions.partialClone", "origin")
	owner(t, dir, "config", "remote.origin.url", url)
	owner(t, dir, "config", "remote.origin.promisor", "true")
	return dir
}

func run(t *testing.T, dir string) {
	t.Helper()
	r, ok := Open(t.Context(), dir, append(os.Environ(), "GIT_ALLOW_PROTOCOL=ext:file:ssh", "AWS_SECRET_ACCESS_KEY=of-the-operator"))
	if !ok {
		return
	}
	if _, err := r.Files(t.Context()); err != nil {
		t.Log(err)
	}
	if _, err := r.Head(t.Context()); err != nil {
		t.Log(err)
	}
	if _, err := r.Committed(t.Context(), "infra/variables.yml"); err != nil {
		t.Log(err)
	}
	r.Origin(t.Context())
}

// A file that could not be read is not the same as one that was never committed.
func TestMissingObjectIsAnError(t *testing.T) {
	t.Parallel()
	dir := promise(t, committed(t), "https://127.0.0.1:9/x")
	r, ok := Open(t.Context(), dir, os.Environ())
	if !ok {
		t.Fatal("no work tree")
	}
	if _, err := r.Committed(t.Context(), "infra/variables.yml"); err == nil || errors.Is(err, ErrNotCommitted) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Committed(t.Context(), "infra/other.yml"); !errors.Is(err, ErrNotCommitted) {
		t.Errorf("got %v", err)
	}
}

// The environment of git holds names that git needs, and nothing else.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	foreign := []string{"AWS_SECRET_ACCESS_KEY=s", "GITHUB_TOKEN=t", "GIT_DIR=/elsewhere", "GIT_SSH_COMMAND=x", "LD_PRELOAD=x", "odd"}
	for _, c := range []struct {
		system string
		given  []string
		want   []string
	}{
		{"linux", []string{"PATH=/bin", "Path=/other", "HOME=/h"}, []string{"PATH=/bin", "HOME=/h"}},
		{"windows", []string{`Path=C:\bin`, `SystemRoot=C:\Windows`, `ProgramFiles=C:\Programs`}, []string{`Path=C:\bin`, `SystemRoot=C:\Windows`, `ProgramFiles=C:\Programs`}},
	} {
		if got, want := environment(append(foreign, c.given...), c.system), append(c.want, ownEnvironment...); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", c.system, got)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := committed(t)
	owner(t, dir, "remote", "add", "origin", "git@github.com:acme/all.git")
	write(t, filepath.Join(dir, "new"), "x", 0o600)
	write(t, filepath.Join(dir, "odd [name]"), "x", 0o600)
	r, ok := Open(t.Context(), dir, os.Environ())
	if !ok {
		t.Fatal("no work tree")
	}
	files, err := r.Files(t.Context())
	check(t, err)
	slices.Sort(files)
	if want := []string{"infra/variables.yml", "new", "odd [name]"}; !slices.Equal(files, want) {
		t.Errorf("got %q", files)
	}
	content, err := r.Committed(t.Context(), "infra/variables.yml")
	if err != nil || string(content) != "a: 1\n" {
		t.Errorf("got %q, %v", content, err)
	}
	for _, path := range []string{"new", "odd [name]", "infra/*"} {
		if _, err := r.Committed(t.Context(), path); !errors.Is(err, ErrNotCommitted) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if head, err := r.Head(t.Context()); err != nil || head != owner(t, dir, "rev-parse", "HEAD") {
		t.Errorf("got %q, %v", head, err)
	}
	if url, ok := r.Origin(t.Context()); !ok || url != "git@github.com:acme/all.git" {
		t.Errorf("got %q, %v", url, ok)
	}
	inner, ok := Open(t.Context(), filepath.Join(dir, "infra"), os.Environ())
	if !ok {
		t.Fatal("no work tree")
	}
	if url, ok := inner.Origin(t.Context()); ok {
		t.Errorf("a directory below the top has the remote %s", url)
	}
	if content, err := inner.Committed(t.Context(), "variables.yml"); err != nil || string(content) != "a: 1\n" {
		t.Errorf("got %q, %v", content, err)
	}
	if _, ok := Open(t.Context(), t.TempDir(), os.Environ()); ok {
		t.Error("a directory of its own lies in a work tree")
	}
}
