package onboarding

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Proposal is a pull request with files, from a branch of the repository itself.
type Proposal struct {
	Branch, Title, Body string
	// Mark is the last line of the commit and of the pull request. By it they are known to be ours.
	Mark  string
	Files map[string][]byte
}

// value is what a row says about a proposal; null: neither its branch nor a pull request is there.
type value struct {
	Open bool `json:"open"`
	// Files are git's ids of the files on the branch.
	Files map[string]string `json:"files"`
}

func (v value) encode() (json.RawMessage, error) { return json.Marshal(v) }

// sight is what there is of a proposal.
type sight struct {
	head   pipeline.SHA // of the branch; empty: it does not exist
	tree   pipeline.SHA
	mark   string // of the newest commit, if it is one of ours
	number int    // of the open pull request, else 0
	files  map[string]string
}

// ours reports whether nothing is on the branch but what this proposal has put there.
func (s sight) ours(p Proposal) bool { return s.head != "" && s.mark == p.Mark }

func (s sight) value() (json.RawMessage, error) {
	if s.head == "" && s.number == 0 {
		return change.None, nil
	}
	return value{Open: s.number != 0, Files: s.files}.encode()
}

// markPrefix begins every mark.
const markPrefix = "Metapipe-Onboard: "

// marked is the mark of a text; empty: it has none.
func marked(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); strings.HasPrefix(last, markPrefix) {
		return last
	}
	return ""
}

// side is one of the two repositories.
type side struct {
	github     GitHub
	repository Repository
}

func (s side) slug() pipeline.Slug { return s.repository.Slug }

// see looks at the branch and the pull request of a proposal.
func (s side) see(ctx context.Context, p Proposal) (sight, error) {
	v := sight{files: map[string]string{}}
	head, err := s.github.BranchHead(ctx, s.slug(), p.Branch)
	switch {
	case pipeline.Gone(err):
		return v, nil
	case err != nil:
		return v, err
	}
	v.head = head
	commit, err := s.github.Commit(ctx, s.slug(), head)
	if err != nil {
		return v, err
	}
	v.tree, v.mark = commit.Tree, marked(commit.Message)
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		file, there, err := s.file(ctx, head, name)
		if err != nil {
			return v, err
		}
		if there {
			v.files[name] = string(file.Blob)
		}
	}
	v.number, err = s.github.OpenPullRequest(ctx, s.slug(), s.repository.ID, p.Branch)
	return v, err
}

// file reads a file of a commit. Where something else is in the way it is a *pipeline.UsageError.
func (s side) file(ctx context.Context, at pipeline.SHA, name string) (file pipeline.File, there bool, err error) {
	file, err = s.github.File(ctx, s.slug(), string(at), name)
	if err == nil {
		return file, true, nil
	}
	if !pipeline.Gone(err) {
		return file, false, s.inTheWay(name, err)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		_, err := s.github.File(ctx, s.slug(), string(at), dir)
		var directory interface{ IsDirectory() bool }
		switch {
		case err == nil:
			return file, false, pipeline.Usagef("%s: %s is a file, and has to be a directory for %s", s.slug(), dir, name).Nextf("rename it in the repository, and run this again")
		case errors.As(err, &directory) && directory.IsDirectory():
			return file, false, nil
		case !pipeline.Gone(err):
			return file, false, s.inTheWay(dir, err)
		}
	}
	return file, false, nil
}

// inTheWay is the error for what is at a path and is no regular file; other errors stay.
func (s side) inTheWay(name string, err error) error {
	var problems pipeline.Problems
	if errors.As(err, &problems) {
		return pipeline.Usagef("%s: %s cannot be used", s.slug(), name).Because(err).Nextf("change it in the repository, and run this again")
	}
	return err
}

// missing are the files that a commit does not have.
func (s side) missing(ctx context.Context, at pipeline.SHA, files map[string][]byte) (map[string][]byte, []string, error) {
	left := map[string][]byte{}
	var other []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file, there, err := s.file(ctx, at, name)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case !there:
			left[name] = files[name]
		case string(file.Blob) != blobID(files[name]):
			other = append(other, name)
		}
	}
	return left, other, nil
}

// blobID is the id that git gives to content.
func blobID(content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// wanted is the value of a proposal that is there as it should be.
func (p Proposal) wanted() value {
	v := value{Open: true, Files: map[string]string{}}
	for name, content := range p.Files {
		v.Files[name] = blobID(content)
	}
	return v
}

// open makes the branch, or brings it up to date, and opens the pull request. It can be done again.
func (s side) open(ctx context.Context, p Proposal) error {
	v, err := s.see(ctx, p)
	if err != nil {
		return err
	}
	if v.head == "" || !maps.Equal(v.files, p.wanted().Files) {
		if v.head != "" && !v.ours(p) {
			return s.foreign(p)
		}
		if err := s.push(ctx, p, v); err != nil {
			return err
		}
	}
	if v.number != 0 {
		return nil
	}
	return s.github.OpenPull(ctx, s.slug(), s.repository.ID, Pull{Branch: p.Branch, Base: s.repository.DefaultBranch, Title: p.Title, Body: p.Body + "\n\n" + p.Mark})
}

// push makes one commit with the files and lets the branch point to it.
func (s side) push(ctx context.Context, p Proposal, v sight) error {
	parent, tree := v.head, v.tree
	if parent == "" {
		head, err := s.github.BranchHead(ctx, s.slug(), s.repository.DefaultBranch)
		if err != nil {
			return err
		}
		commit, err := s.github.Commit(ctx, s.slug(), head)
		if err != nil {
			return err
		}
		parent, tree = head, commit.Tree
	}
	made, err := s.github.MakeCommit(ctx, s.slug(), NewCommit{Parent: parent, Tree: tree, Files: p.Files, Message: p.Title + "\n\n" + p.Mark})
	if err != nil {
		return err
	}
	if v.head == "" {
		return s.github.MakeBranch(ctx, s.slug(), p.Branch, made)
	}
	return s.github.MoveBranch(ctx, s.slug(), p.Branch, made)
}

// withdraw closes the pull request, and removes the branch if nothing is on it but what is ours.
func (s side) withdraw(ctx context.Context, p Proposal) error {
	v, err := s.see(ctx, p)
	if err != nil {
		return err
	}
	if v.number != 0 {
		if err := s.github.ClosePull(ctx, s.slug(), v.number); err != nil {
			return err
		}
	}
	if !v.ours(p) {
		return nil
	}
	return s.github.RemoveBranch(ctx, s.slug(), p.Branch)
}

// foreign is the error for a branch that is not ours.
func (s side) foreign(p Proposal) error {
	return pipeline.Usagef("%s has a branch %s that was not made for this: its last commit does not end with %q", s.slug(), p.Branch, p.Mark).
		Nextf("look at the branch; merge or delete it, and run this again")
}
