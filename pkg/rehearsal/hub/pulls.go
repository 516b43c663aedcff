package hub

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

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
	case len(r.git.Between(base, head)) == 0:
		return 0, fmt.Errorf("%s: no commits between %s and %s", where, n.Base, n.Head)
	}
	return r.addPull(n).number, nil
}

func (r *Repo) addPull(n NewPull) *pull {
	r.number++
	now := r.s.clock()
	p := &pull{
		id: r.s.id("pull"), number: r.number, title: n.Title, body: n.Body, author: n.Author, state: "open", draft: n.Draft,
		headRepo: n.HeadRepo, headBranch: n.Head, baseBranch: n.Base, created: now, updated: now,
	}
	r.pulls[p.number] = p
	r.refreshPull(p)
	return p
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
	tree, err := r.git.MergeCommits(p.base, p.head)
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
		sha = r.git.PutCommit(Commit{
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
