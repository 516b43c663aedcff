package rehearsal

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func paths(c *checkout) []string { return slices.Sorted(maps.Keys(c.files)) }

// git runs git in dir, apart from the configuration of whoever tests.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
}

func TestReadCheckoutWithoutGit(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		"main.tf": "x", "sub/a.sh": "#!/bin/sh", ".terraform/providers/p": "big", "terraform.tfstate": "{}", "sub/terraform.tfstate.backup": "{}",
		".git": "gitdir: elsewhere", "crash.log": "x", ".terraform.lock.hcl": "lock",
	})
	must(t, os.Chmod(filepath.Join(dir, "sub", "a.sh"), 0o755))
	must(t, os.Symlink("main.tf", filepath.Join(dir, "link")))
	c, err := readCheckout(t.Context(), dir, os.Environ())
	must(t, err)
	if d := cmp.Diff([]string{".terraform.lock.hcl", "link", "main.tf", "sub/a.sh"}, paths(c)); d != "" {
		t.Error(d)
	}
	if c.files["link"].Mode != hub.ModeSymlink || c.files["sub/a.sh"].Mode != hub.ModeExec {
		t.Errorf("modes: %+v", c.files)
	}
}

// The results of earlier rehearsals are no part of the checkout they stand in.
func TestReadCheckoutLeavesResultsOut(t *testing.T) {
	t.Parallel()
	for _, withGit := range []bool{false, true} {
		dir := tree(t, map[string]string{"main.tf": "x", "mine/.gitignore": "*.log\n", "rehearsal/own.go": "x"})
		if withGit {
			needGit(t)
			git(t, dir, "init", "-q")
		}
		for range 2 {
			f, err := freshFolder(filepath.Join(dir, "rehearsal"), clock()())
			must(t, err)
			must(t, f.write([]byte("x"), "manager", "logs", "plan.log"))
		}
		_, err := newFolder(filepath.Join(dir, "named"), clock()())
		must(t, err)
		c, err := readCheckout(t.Context(), dir, os.Environ())
		must(t, err)
		if d := cmp.Diff([]string{"main.tf", "mine/.gitignore", "rehearsal/own.go"}, paths(c)); d != "" {
			t.Errorf("git %v: %s", withGit, d)
		}
	}
}

func TestReadCheckoutOfGit(t *testing.T) {
	t.Parallel()
	needGit(t)
	top := tree(t, map[string]string{"manager/kept": "1", "manager/gone": "1", "manager/edited": "1", "other": "1", ".gitignore": "ignored\n"})
	git(t, top, "init", "-q")
	git(t, top, "add", "-A")
	git(t, top, "commit", "-qm", "x")
	git(t, top, "remote", "add", "origin", "git@github.com:acme/all.git")
	dir := filepath.Join(top, "manager")
	must(t, os.Remove(filepath.Join(dir, "gone")))
	for name, content := range map[string]string{"edited": "2", "new": "1", "ignored": "1"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	c, err := readCheckout(t.Context(), dir, os.Environ())
	must(t, err)
	if d := cmp.Diff([]string{"edited", "kept", "new"}, paths(c)); d != "" {
		t.Error(d)
	}
	if got := string(c.files["edited"].Content); got != "2" {
		t.Errorf("the edit is lost: %q", got)
	}
	if was, known, err := c.committed(t.Context(), "edited"); err != nil || !known || string(was) != "1" {
		t.Errorf("committed: %q, %v", was, known)
	}
	if _, known, err := c.committed(t.Context(), "new"); err != nil || known {
		t.Error("a new file counts as committed")
	}
	if slug, ok := c.origin(t.Context()); ok {
		t.Errorf("a directory below the top has the remote %s", slug)
	}
	whole, err := readCheckout(t.Context(), top, os.Environ())
	must(t, err)
	if slug, ok := whole.origin(t.Context()); !ok || slug.String() != "acme/all" {
		t.Errorf("origin: %s, %v", slug, ok)
	}
}

func TestReadCheckoutRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	_, err := readCheckout(t.Context(), filepath.Join(t.TempDir(), "missing"), nil)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
}

func TestSlugOfURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://github.com/acme/shop.git": "acme/shop", "git@github.com:acme/shop.git": "acme/shop", "ssh://git@host:22/acme/shop": "acme/shop",
		"https://github.com/acme/shop/": "acme/shop", "/srv/git": "", "": "", "../other": "", "https://host/": "",
	} {
		slug, ok := pipeline.ParseRemote(url)
		if ok != (want != "") || ok && slug.String() != want {
			t.Errorf("%q: got %s, %v; want %q", url, slug, ok, want)
		}
	}
}

// propose: what is today, and what is proposed?
func TestPropose(t *testing.T) {
	t.Parallel()
	const file = "infra/variables.yml"
	proposed := filepath.Join(tree(t, map[string]string{"p.yml": "new"}), "p.yml")
	same := filepath.Join(tree(t, map[string]string{"p.yml": "now"}), "p.yml")
	for name, c := range map[string]struct {
		now, committed, proposal string
		base, head               string
		fails                    bool
	}{
		"no git, no proposal":          {now: "now", head: "now"},
		"a proposal":                   {now: "now", proposal: proposed, base: "now", head: "new"},
		"a proposal of the first file": {proposal: proposed, head: "new"},
		"a proposal of nothing":        {now: "now", proposal: same, fails: true},
		"a proposal that is missing":   {now: "now", proposal: "/does/not/exist", fails: true},
		"no file at all":               {fails: true},
		"uncommitted edits":            {now: "now", committed: "before", base: "before", head: "now"},
		"all is committed":             {now: "now", committed: "now", head: "now"},
		"edits and a proposal":         {now: "now", committed: "before", proposal: proposed, base: "now", head: "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"README.md": "x"}
			if c.committed != "" {
				files[file] = c.committed
			}
			dir := tree(t, files)
			if c.committed != "" {
				needGit(t)
				git(t, dir, "init", "-q")
				git(t, dir, "add", "-A")
				git(t, dir, "commit", "-qm", "x")
			}
			if c.now != "" {
				must(t, os.MkdirAll(filepath.Join(dir, "infra"), 0o700))
				must(t, os.WriteFile(filepath.Join(dir, file), []byte(c.now), 0o600))
			}
			checkout, err := readCheckout(t.Context(), dir, os.Environ())
			must(t, err)
			got, err := propose(t.Context(), checkout, file, c.proposal)
			var usage *pipeline.UsageError
			if c.fails != errors.As(err, &usage) {
				t.Fatalf("got error %v", err)
			}
			if string(got.base) != c.base || string(got.head) != c.head {
				t.Errorf("base %q, head %q", got.base, got.head)
			}
		})
	}
}

func TestBrokenAndCommented(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"a: 1\nb: 2":            "a: 1\nb: 2\na: again\n",
		"# top\n\"b c\": 2\n":   "# top\n\"b c\": 2\nb c: again\n",
		"environments:\n  x: 1": "environments:\n  x: 1\nenvironments: again\n",
		"":                      "project_name: again\n",
		"- list\n":              "- list\nproject_name: again\n",
		"\t: {":                 "\t: {\nproject_name: again\n",
	} {
		if got, _ := broken([]byte(file)); string(got) != want {
			t.Errorf("%q became %q, want %q", file, got, want)
		}
	}
	if got := string(commented([]byte("a: 1"))); got != "a: 1\n# a comment changes nothing\n" {
		t.Errorf("got %q", got)
	}
}

// Git lists the path of a file whose directory has become a symbolic link: what
// the link leads to is not part of the checkout.
func TestReadCheckoutFollowsNoLinkOut(t *testing.T) {
	t.Parallel()
	needGit(t)
	outside := tree(t, map[string]string{"credentials": "of the operator"})
	dir := tree(t, map[string]string{"notes/credentials": "x", "README.md": "x"})
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	must(t, os.RemoveAll(filepath.Join(dir, "notes")))
	must(t, os.Symlink(outside, filepath.Join(dir, "notes")))
	c, err := readCheckout(t.Context(), dir, os.Environ())
	must(t, err)
	if d := cmp.Diff([]string{"README.md", "notes"}, paths(c)); d != "" {
		t.Error(d)
	}
}
