package hub_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestObjectIDs compares with what git itself says.
func TestObjectIDs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git-binary: no git to compare with")
	}
	s := newFixture(t, hub.Options{})
	dir := t.TempDir()
	write := func(p, content string, mode os.FileMode) {
		p = filepath.Join(dir, p)
		good(t, os.MkdirAll(filepath.Dir(p), 0o755))
		good(t, os.WriteFile(p, []byte(content), mode))
	}
	write("infra/variables.yml", "a: 1\n", 0o644)
	write("infra.d/x", "", 0o644) // sorts before infra/ by bytes, behind it by name
	write("run.sh", "#!/bin/sh\n", 0o755)
	good(t, os.Symlink("infra/variables.yml", filepath.Join(dir, "link")))
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "core.fileMode=true", "-c", "core.autocrlf=false"}, args...)...)
		when := "1772600767 +0000"
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=ops", "GIT_AUTHOR_EMAIL=ops@example.com", "GIT_AUTHOR_DATE="+when,
			"GIT_COMMITTER_NAME=ops", "GIT_COMMITTER_EMAIL=ops@example.com", "GIT_COMMITTER_DATE="+when)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	repo := got(s.hub.AddRepo("ops", "copy", hub.RepoOptions{}))(t)
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "First", "--no-gpg-sign")
	have := got(repo.Import("main", dir, hub.Change{Message: "First\n", Author: "ops", Time: parse(t, "2026-03-04T05:06:07Z")}))(t)
	equal(t, "commit", have, git("rev-parse", "HEAD"))

	// And back: the checkout is the same tree, without git's and Terraform's own data.
	write(".terraform/providers/x", "big", 0o644)
	write("terraform.tfstate", "{}", 0o644)
	write("terraform.tfstate.backup", "{}", 0o644)
	again := got(repo.Import("other", dir, hub.Change{Message: "Again", Author: "ops"}))(t)
	equal(t, "tree", got(repo.CommitOf(again))(t).Tree, got(repo.CommitOf(have))(t).Tree)
	to := filepath.Join(t.TempDir(), "new", "dir")
	good(t, repo.Checkout(again, to))
	good(t, repo.Checkout(again, to)) // over itself
	back := got(repo.Import("third", to, hub.Change{Message: "Back", Author: "ops"}))(t)
	equal(t, "tree after checkout", got(repo.CommitOf(back))(t).Tree, got(repo.CommitOf(have))(t).Tree)
}

func TestTreesAreChecked(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	for _, p := range []string{"", "/a", "a//b", "../a", "a/../b", ".git/config", "a/.GIT/x", "a/"} {
		if _, err := s.manager.Commit("main", hub.Change{Files: map[string]hub.File{p: {}}}); err == nil {
			t.Errorf("path %q was accepted", p)
		}
	}
	if _, err := s.manager.Commit("main", hub.Change{Files: map[string]hub.File{"metapipe.yml/x": {}}}); err == nil {
		t.Error("a file became a directory")
	}
	if _, err := s.manager.Commit("a..b/../c", hub.Change{}); err == nil {
		t.Error("a bad branch name was accepted")
	}
	// A link out of the tree does not lead a checkout outside.
	out, dir := t.TempDir(), t.TempDir()
	sha := got(s.manager.Commit("evil", hub.Change{Files: map[string]hub.File{"x": {Content: []byte(out), Mode: hub.ModeSymlink}}}))(t)
	good(t, s.manager.Checkout(sha, dir))
	sha = got(s.manager.Commit("evil", hub.Change{Remove: []string{"x"}, Files: map[string]hub.File{"x/y": {Content: []byte("!")}}}))(t)
	if err := s.manager.Checkout(sha, dir); err == nil {
		t.Error("wrote through a link")
	}
	if _, err := os.Stat(filepath.Join(out, "y")); err == nil {
		t.Error("a file appeared outside")
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	big := strings.Repeat("0123456789abcdef", 70000) // over 1 MB
	files := map[string]hub.File{
		"infra/link.yml": {Content: []byte("variables.yml"), Mode: hub.ModeSymlink},
		"infra/out.yml":  {Content: []byte("../../etc/passwd"), Mode: hub.ModeSymlink},
		"alias":          {Content: []byte("infra"), Mode: hub.ModeSymlink},
		"loop":           {Content: []byte("loop"), Mode: hub.ModeSymlink},
		"a b/ü#?.txt":    {Content: []byte("odd")},
		"big.bin":        {Content: []byte(big)},
	}
	got(s.customer.Commit("main", hub.Change{Files: files, Message: "links"}))(t)
	api, ctx := s.client("metapipe").Repositories, t.Context()
	file := func(p, ref string) (*github.RepositoryContent, []*github.RepositoryContent, error) {
		f, dir, _, err := api.GetContents(ctx, "acme", "shop", p, &github.RepositoryContentGetOptions{Ref: ref})
		return f, dir, err
	}
	for p, want := range map[string]string{
		"infra/variables.yml": "environments: {}\n", "infra/link.yml": "environments: {}\n", "alias/variables.yml": "environments: {}\n",
	} {
		f, _, err := file(p, "")
		good(t, err)
		equal(t, p, got(f.GetContent())(t), want)
		equal(t, p+" type", f.GetType(), "file")
		equal(t, p+" blob", f.GetSHA(), hub.BlobSHA([]byte(want)))
	}
	for _, p := range []string{"infra/out.yml", "loop", "alias"} {
		f, _, err := file(p, "")
		good(t, err)
		equal(t, p, f.GetType(), "symlink")
	}
	_, dir, err := file("infra", "refs/heads/main")
	good(t, err)
	var names []string
	for _, e := range dir {
		names = append(names, e.GetType()+" "+e.GetName())
	}
	if d := cmp.Diff([]string{"symlink link.yml", "symlink out.yml", "file variables.yml"}, names); d != "" {
		t.Error(d)
	}
	f, _, err := file("big.bin", "")
	good(t, err)
	equal(t, "size of a big file", f.GetSize(), len(big))
	equal(t, "encoding of a big file", f.GetEncoding(), "none")
	_, _, err = file("infra/nothing.yml", "")
	equal(t, "missing file", status(err), 404)
	_, _, err = file("README.md", "no-such-ref")
	equal(t, "missing ref", status(err), 404)

	raw := "/repos/acme/shop/contents/"
	a := s.send("metapipe", "GET", raw+"big.bin", "", "Accept", "application/vnd.github.raw+json")
	equal(t, "raw", a.body, big)
	a = s.send("metapipe", "GET", raw+"a%20b/%C3%BC%23%3F.txt", "")
	equal(t, "escaped path", a.object(t)["path"].(string), "a b/ü#?.txt")
	down := strings.TrimPrefix(a.object(t)["download_url"].(string), s.hub.URL())
	equal(t, "download", s.send("metapipe", "GET", down, "").body, "odd")
	equal(t, "download without rights", s.send("", "GET", down, "").status, 404)
	equal(t, "root", s.send("metapipe", "GET", "/repos/acme/shop/contents", "").status, 200)
}

func TestGitDataAndRefs(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.commit(s.customer, "release/1", map[string]string{"x/y/z": "1"})
	c, ctx := s.client("job"), t.Context()
	ref, _, err := c.Git.GetRef(ctx, "acme", "shop", "heads/release/1")
	good(t, err)
	equal(t, "ref", ref.GetObject().GetSHA(), got(s.customer.Head("release/1"))(t))
	_, _, err = c.Git.GetRef(ctx, "acme", "shop", "heads/release")
	equal(t, "prefix of a ref", status(err), 404)
	refs, _, err := c.Git.ListMatchingRefs(ctx, "acme", "shop", &github.ReferenceListOptions{Ref: "heads/rel"})
	good(t, err)
	equal(t, "matching refs", len(refs), 1)
	tree, _, err := c.Git.GetTree(ctx, "acme", "shop", "release/1", true)
	good(t, err)
	var paths []string
	for _, e := range tree.Entries {
		paths = append(paths, e.GetPath())
	}
	if d := cmp.Diff([]string{"README.md", "infra", "infra/variables.yml", "x", "x/y", "x/y/z"}, paths); d != "" {
		t.Error(d)
	}
	blob, _, err := c.Git.GetBlob(ctx, "acme", "shop", hub.BlobSHA([]byte("1")))
	good(t, err)
	equal(t, "blob", strings.TrimSpace(blob.GetContent()), "MQ==")
	_, _, err = c.Git.GetBlob(ctx, "acme", "shop", strings.Repeat("0", 40))
	equal(t, "unknown blob", status(err), 404)
	commit, _, err := c.Git.GetCommit(ctx, "acme", "shop", s.first)
	good(t, err)
	equal(t, "author", commit.GetAuthor().GetEmail(), "ops@example.com")
	branch, _, err := c.Repositories.GetBranch(ctx, "acme", "shop", "release/1", 0)
	good(t, err)
	equal(t, "branch", branch.GetName(), "release/1")
	branches, _, err := c.Repositories.ListBranches(ctx, "acme", "shop", nil)
	good(t, err)
	equal(t, "branches", len(branches), 2)
	sha, _, err := c.Repositories.GetCommitSHA1(ctx, "acme", "shop", "release/1", "")
	good(t, err)
	equal(t, "sha of a branch", sha, ref.GetObject().GetSHA())
	full, _, err := c.Repositories.GetCommit(ctx, "acme", "shop", sha, nil)
	good(t, err)
	equal(t, "files of a commit", full.Files[0].GetFilename(), "x/y/z")
	equal(t, "account of the author", full.GetAuthor().GetLogin(), "ops")
	_, _, err = c.Repositories.GetCommit(ctx, "acme", "shop", strings.Repeat("1", 40), nil)
	equal(t, "unknown commit", status(err), 422)
	list, _, err := c.Repositories.ListCommits(ctx, "acme", "shop", &github.CommitsListOptions{SHA: "release/1", Path: "x"})
	good(t, err)
	equal(t, "commits of a path", len(list), 1)
}

func TestCompare(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.commit(s.customer, "topic", map[string]string{"infra/variables.yml": "a\nb\n", "new.txt": "n"})
	s.commit(s.customer, "topic", map[string]string{"README.md": "shop!\n"})
	s.commit(s.customer, "main", map[string]string{"other": "o"})
	fork := got(s.customer.Fork("mallory", "shop"))(t)
	imposter := s.commit(fork, "main", map[string]string{"infra/variables.yml": "evil\n"})
	orphan := got(s.customer.Commit("main", hub.Change{}))(t)
	good(t, s.customer.SetBranch("main", orphan))
	api, ctx := s.client("metapipe").Repositories, t.Context()
	compare := func(base, head string) *github.CommitsComparison {
		cc, _, err := api.CompareCommits(ctx, "acme", "shop", base, head, nil)
		good(t, err)
		return cc
	}
	cc := compare(s.first, "topic")
	equal(t, "ahead", fmt.Sprintln(cc.GetStatus(), cc.GetAheadBy(), cc.GetBehindBy(), len(cc.Files)), "ahead 2 0 3\n")
	cc = compare("main", "topic")
	equal(t, "diverged", fmt.Sprintln(cc.GetStatus(), cc.GetAheadBy(), cc.GetBehindBy()), "diverged 2 2\n")
	equal(t, "merge base", cc.GetMergeBaseCommit().GetSHA(), s.first)
	equal(t, "behind", compare("topic", s.first).GetStatus(), "behind")
	equal(t, "identical", compare("topic", "topic").GetStatus(), "identical")
	for _, f := range compare(s.first, "topic").Files {
		if f.GetFilename() == "infra/variables.yml" {
			equal(t, "patch", f.GetPatch(), "@@ -1,1 +1,2 @@\n-environments: {}\n+a\n+b")
		}
	}
	// The commit of a fork is readable through the parent, and not on its main.
	_, _, err := api.GetCommit(ctx, "acme", "shop", imposter, nil)
	good(t, err)
	equal(t, "imposter", compare("main", imposter).GetStatus(), "diverged")
	equal(t, "across the network", compare("main", "mallory:main").Commits[0].GetSHA(), imposter)
	_, _, err = api.CompareCommits(ctx, "acme", "shop", "main", "nothing", nil)
	equal(t, "unknown head", status(err), 404)
}

func TestUnrelatedHistories(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	lone := got(s.hub.AddRepo("acme", "lone", hub.RepoOptions{}))(t)
	a := s.commit(lone, "main", map[string]string{"a": "1"})
	good(t, lone.SetBranch("main", "")) // the next commit has no parent
	b := s.commit(lone, "other", map[string]string{"b": "1"})
	equal(t, "merge base", got(lone.MergeBase(a, b))(t), "")
	got := s.send("", "GET", "/repos/acme/lone/compare/"+a+"..."+b, "")
	equal(t, "compare", got.status, 404)
	if !strings.Contains(got.body, "No common ancestor") {
		t.Error(got.body)
	}
}

func TestRenamesInDiffs(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	head := got(s.customer.Commit("main", hub.Change{
		Remove: []string{"infra"}, Files: map[string]hub.File{"old/variables.yml": {Content: []byte("environments: {}\n")}},
	}))(t)
	c, _, err := s.client("job").Repositories.GetCommit(t.Context(), "acme", "shop", head, nil)
	good(t, err)
	equal(t, "files", len(c.Files), 1)
	equal(t, "rename", c.Files[0].GetStatus()+" "+c.Files[0].GetPreviousFilename(), "renamed infra/variables.yml")
}

func parse(t testing.TB, s string) (at time.Time) {
	t.Helper()
	return got(time.Parse(time.RFC3339, s))(t)
}
