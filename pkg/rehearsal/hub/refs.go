package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// Change is one commit to be made.
type Change struct {
	Files   map[string]File // by path with slashes
	Remove  []string        // paths; directories with everything below
	Replace bool            // the tree holds Files only
	Message string
	Author  string    // login; "" is the owner of the repository
	Time    time.Time // zero: now
}

// Commit adds a commit to a branch, which is made from the default branch when
// it does not exist. Open pull requests from or to the branch follow.
func (r *Repo) Commit(branch string, ch Change) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	sha, err := r.commit(branch, ch)
	if err != nil {
		return "", fmt.Errorf("commit to %s@%s: %w", r.slug(), branch, err)
	}
	return sha, nil
}

func (r *Repo) commit(branch string, ch Change) (string, error) {
	if err := gitstore.CheckPath(branch); err != nil || strings.ContainsAny(branch, " ~^:?*[\\\n") {
		return "", fmt.Errorf("%q is not a branch name", branch)
	}
	ref := "refs/heads/" + branch
	parent := r.refs[ref]
	if parent == "" {
		parent = r.refs["refs/heads/"+r.defaultBranch]
	}
	c := Commit{Message: ch.Message}
	files := map[string]gitstore.Leaf{}
	if parent != "" {
		c.Parents = []string{parent}
		if !ch.Replace {
			files = r.git.Flatten(r.git.Commits[parent].Tree)
		}
	}
	if err := r.overlay(files, ch); err != nil {
		return "", err
	}
	var err error
	if c.Tree, err = r.git.Build(files); err != nil {
		return "", err
	}
	if c.Author, err = r.signature(ch.Author, ch.Time); err != nil {
		return "", err
	}
	c.Committer = c.Author
	sha := r.git.PutCommit(c)
	r.setRef(ref, sha)
	return sha, nil
}

func (r *Repo) overlay(files map[string]gitstore.Leaf, ch Change) error {
	for _, gone := range ch.Remove {
		for p := range files {
			if p == gone || strings.HasPrefix(p, gone+"/") {
				delete(files, p)
			}
		}
	}
	for p, f := range ch.Files {
		if err := gitstore.CheckPath(p); err != nil {
			return err
		}
		mode := f.Mode
		switch mode {
		case "":
			mode = ModeFile
		case ModeFile, ModeExec, ModeSymlink:
		default:
			return fmt.Errorf("%s: mode %q is not supported", p, mode)
		}
		files[p] = gitstore.Leaf{Mode: mode, SHA: r.git.PutBlob(f.Content)}
	}
	return nil
}

// SetBranch moves a branch to a commit of the network, or deletes it when sha
// is empty. It is what a forced push does.
func (r *Repo) SetBranch(branch, sha string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if sha != "" && r.git.Commits[sha] == nil {
		return fmt.Errorf("move %s@%s: commit %q does not exist", r.slug(), branch, sha)
	}
	r.setRef("refs/heads/"+branch, sha)
	return nil
}

// Head is the commit of a branch.
func (r *Repo) Head(branch string) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if sha := r.refs["refs/heads/"+branch]; sha != "" {
		return sha, nil
	}
	return "", fmt.Errorf("%s has no branch %q", r.slug(), branch)
}

// CommitOf returns the commit that a branch, tag or object id names.
func (r *Repo) CommitOf(rev string) (Commit, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if c := r.resolve(rev); c != nil {
		return *c, nil
	}
	return Commit{}, fmt.Errorf("%s has no commit %q", r.slug(), rev)
}

// MergeBase is the best common ancestor of two revisions, empty when unrelated.
func (r *Repo) MergeBase(a, b string) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x, y := r.resolve(a), r.resolve(b)
	if x == nil || y == nil {
		return "", errors.New("merge base: a revision does not exist")
	}
	return r.git.MergeBase(x.SHA, y.SHA), nil
}

func (r *Repo) setRef(ref, sha string) {
	if sha == "" {
		delete(r.refs, ref)
	} else {
		r.refs[ref] = sha
	}
	r.pushed = r.s.clock()
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !isBranch {
		return
	}
	for _, other := range r.s.repos {
		for _, p := range other.pulls {
			if p.state == "open" && (p.headRepo == r && p.headBranch == branch || other == r && p.baseBranch == branch) {
				other.follow(p, sha)
			}
		}
	}
}

// resolve finds the commit that a branch, tag, full ref or object id names; ids
// may be shortened to seven digits when that is unambiguous.
func (r *Repo) resolve(rev string) *Commit {
	if c := r.git.Commits[rev]; c != nil {
		return c
	}
	for _, ref := range []string{rev, "refs/heads/" + rev, "refs/tags/" + rev, "refs/" + rev} {
		if sha := r.refs[ref]; sha != "" {
			return r.git.Commits[sha]
		}
	}
	if len(rev) < 7 || strings.Trim(rev, "0123456789abcdef") != "" {
		return nil
	}
	var hit *Commit
	for sha, c := range r.git.Commits {
		if strings.HasPrefix(sha, rev) {
			if hit != nil {
				return nil
			}
			hit = c
		}
	}
	return hit
}

// branches are the names of the branches in order.
func (r *Repo) branches() []string {
	var out []string
	for _, ref := range slices.Sorted(maps.Keys(r.refs)) {
		if b, isBranch := strings.CutPrefix(ref, "refs/heads/"); isBranch {
			out = append(out, b)
		}
	}
	return out
}
