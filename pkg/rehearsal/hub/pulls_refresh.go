package hub

import (
	"fmt"
	"strconv"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

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
	tree, err := r.git.MergeCommits(p.base, p.head)
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
	p.additions, p.deletions = gitstore.Totals(files)
	p.changedFiles, p.ncommits = len(files), len(r.git.Between(p.base, p.head))
}

func (r *Repo) pullFiles(p *pull) []gitstore.FileChange {
	var from string
	if root := r.git.Commits[r.git.MergeBase(p.base, p.head)]; root != nil {
		from = root.Tree
	}
	return r.git.Diff(from, r.git.Commits[p.head].Tree)
}

func (r *Repo) mergeCommit(p *pull, tree, message, author string) string {
	// The author was checked when the pull request was opened or merged.
	by, _ := r.signature(author, time.Time{})
	web, _ := r.signature("web-flow", time.Time{})
	return r.git.PutCommit(Commit{Tree: tree, Parents: []string{p.base, p.head}, Author: by, Committer: web, Message: message})
}

func (r *Repo) close(p *pull) {
	now := r.s.clock()
	p.state, p.closedAt, p.updated = "closed", now, now
	delete(r.refs, pullRef(p.number, "merge"))
}
