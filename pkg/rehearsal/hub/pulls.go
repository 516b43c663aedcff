package hub

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// MergeMethod is how a pull request is merged.
type MergeMethod string

// The merge methods.
const (
	MergeCommit MergeMethod = "merge"
	Squash      MergeMethod = "squash"
)

// NewPull describes a pull request to open.
type NewPull struct {
	Title, Body string
	Author      string // login
	Head        string // branch
	HeadRepo    *Repo  // nil: the same repository
	Base        string // branch; empty: the default branch
	Draft       bool
}

// PullRequest is a snapshot of one.
type PullRequest struct {
	Number     int       `json:"number"`
	Title      string    `json:"title"`
	Author     string    `json:"author"`
	State      string    `json:"state"`
	Merged     bool      `json:"merged"`
	HeadRepo   string    `json:"head_repo"`
	HeadBranch string    `json:"head_branch"`
	Head       string    `json:"head"`
	BaseBranch string    `json:"base_branch"`
	Base       string    `json:"base"`
	Merge      string    `json:"merge,omitempty"` // the test merge, or the commit that merged it
	CreatedAt  time.Time `json:"created_at"`
}

type pull struct {
	id                     int64
	number                 int
	title, body, author    string
	state                  string // open, closed
	merged, draft          bool
	mergedBy               string
	headRepo               *Repo
	headBranch, head       string
	baseBranch, base       string
	mergeSHA               string // the test merge while open; empty on conflict
	created, updated       time.Time
	closedAt, mergedAt     time.Time
	comments               []*comment
	labels                 []string
	previousHead           string // before the last push to it
	additions, deletions   int
	changedFiles, ncommits int
}

// OpenPull opens a pull request and returns its number.
func (r *Repo) OpenPull(n NewPull) (int, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if n.HeadRepo == nil {
		n.HeadRepo = r
	}
	if n.Base == "" {
		n.Base = r.defaultBranch
	}
	where := fmt.Sprintf("open a pull request in %s", r.slug())
	if _, err := r.s.user(n.Author); err != nil {
		return 0, fmt.Errorf("%s: %w", where, err)
	}
	head, base := n.HeadRepo.refs["refs/heads/"+n.Head], r.refs["refs/heads/"+n.Base]
	switch {
	case n.HeadRepo.git != r.git:
		return 0, fmt.Errorf("%s: %s is not in its network", where, n.HeadRepo.slug())
	case head == "" || base == "":
		return 0, fmt.Errorf("%s: branch %q or %q does not exist", where, n.Head, n.Base)
	case len(r.git.between(base, head)) == 0:
		return 0, fmt.Errorf("%s: no commits between %s and %s", where, n.Base, n.Head)
	}
	r.number++
	now := r.s.clock()
	p := &pull{
		id: r.s.id("pull"), number: r.number, title: n.Title, body: n.Body, author: n.Author, state: "open", draft: n.Draft,
		headRepo: n.HeadRepo, headBranch: n.Head, baseBranch: n.Base, created: now, updated: now,
	}
	r.pulls[p.number] = p
	r.refreshPull(p)
	return p.number, nil
}

// follow is what happens to an open pull request when one of its branches goes
// to sha. A branch that is deleted closes it.
func (r *Repo) follow(p *pull, sha string) {
	if sha == "" {
		r.close(p)
		return
	}
	r.refreshPull(p)
}

// refreshPull follows the branches of an open pull request: head, base, the
// test merge and the refs that GitHub keeps for them.
func (r *Repo) refreshPull(p *pull) {
	head := p.headRepo.refs["refs/heads/"+p.headBranch]
	if head != p.head {
		p.previousHead = p.head
	}
	p.head, p.base = head, r.refs["refs/heads/"+p.baseBranch]
	p.updated = r.s.clock()
	r.refs[pullRef(p.number, "head")] = p.head
	r.measure(p)
	tree, err := r.git.mergeCommits(p.base, p.head)
	if err != nil {
		p.mergeSHA = ""
		delete(r.refs, pullRef(p.number, "merge"))
		return
	}
	p.mergeSHA = r.mergeCommit(p, tree, fmt.Sprintf("Merge %s into %s", p.head, p.base), p.author)
	r.refs[pullRef(p.number, "merge")] = p.mergeSHA
}

func pullRef(number int, kind string) string {
	return "refs/pull/" + strconv.Itoa(number) + "/" + kind
}

func (r *Repo) measure(p *pull) {
	files := r.pullFiles(p)
	p.additions, p.deletions = totals(files)
	p.changedFiles, p.ncommits = len(files), len(r.git.between(p.base, p.head))
}

func (r *Repo) pullFiles(p *pull) []change {
	var from string
	if root := r.git.commits[r.git.mergeBase(p.base, p.head)]; root != nil {
		from = root.Tree
	}
	return r.git.diff(from, r.git.commits[p.head].Tree)
}

func (r *Repo) mergeCommit(p *pull, tree, message, author string) string {
	// The author was checked when the pull request was opened or merged.
	by, _ := r.signature(author, time.Time{})
	web, _ := r.signature("web-flow", time.Time{})
	return r.git.putCommit(Commit{Tree: tree, Parents: []string{p.base, p.head}, Author: by, Committer: web, Message: message})
}

// MergePull merges an open pull request in the name of login and returns the
// new commit of the base branch.
func (r *Repo) MergePull(number int, method MergeMethod, login string) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := fmt.Sprintf("merge pull request #%d of %s", number, r.slug())
	p := r.pulls[number]
	if p == nil || p.state != "open" {
		return "", fmt.Errorf("%s: it is not open", where)
	}
	by, err := r.signature(login, time.Time{})
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	tree, err := r.git.mergeCommits(p.base, p.head)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	var sha string
	switch method {
	case MergeCommit:
		sha = r.mergeCommit(p, tree, fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", number, p.headRepo.owner, p.headBranch, p.title), login)
	case Squash:
		web, _ := r.signature("web-flow", time.Time{})
		author, _ := r.signature(p.author, by.When)
		sha = r.git.putCommit(Commit{
			Tree: tree, Parents: []string{p.base}, Author: author, Committer: web, Message: fmt.Sprintf("%s (#%d)", p.title, number),
		})
	default:
		return "", fmt.Errorf("%s: method %q is not supported", where, method)
	}
	now := r.s.clock()
	p.state, p.merged, p.mergedBy, p.mergedAt, p.closedAt, p.updated = "closed", true, login, now, now, now
	p.mergeSHA = sha
	delete(r.refs, pullRef(number, "merge"))
	r.setRef("refs/heads/"+p.baseBranch, sha)
	return sha, nil
}

// ClosePull closes a pull request without merging it.
func (r *Repo) ClosePull(number int) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.pulls[number]
	if p == nil || p.state != "open" {
		return fmt.Errorf("close pull request #%d of %s: it is not open", number, r.slug())
	}
	r.close(p)
	return nil
}

func (r *Repo) close(p *pull) {
	now := r.s.clock()
	p.state, p.closedAt, p.updated = "closed", now, now
	delete(r.refs, pullRef(p.number, "merge"))
}

// Pull returns one pull request.
func (r *Repo) Pull(number int) (PullRequest, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.pulls[number]
	if p == nil {
		return PullRequest{}, fmt.Errorf("%s has no pull request #%d", r.slug(), number)
	}
	return p.snapshot(), nil
}

func (p *pull) snapshot() PullRequest {
	return PullRequest{
		Number: p.number, Title: p.title, Author: p.author, State: p.state, Merged: p.merged,
		HeadRepo: p.headRepo.slug(), HeadBranch: p.headBranch, Head: p.head,
		BaseBranch: p.baseBranch, Base: p.base, Merge: p.mergeSHA, CreatedAt: p.created,
	}
}

// pullsInOrder are all pull requests, the newest first.
func (r *Repo) pullsInOrder() []*pull {
	numbers := slices.Sorted(maps.Keys(r.pulls))
	slices.Reverse(numbers)
	out := make([]*pull, 0, len(numbers))
	for _, n := range numbers {
		out = append(out, r.pulls[n])
	}
	return out
}
