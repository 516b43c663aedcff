package hub

import (
	"encoding/json"
	"fmt"
)

// QueuePull is what the merge queue does with a pull request before it merges it: it
// makes a branch that holds what the base branch would be, and asks for its checks.
// It returns that branch and the event file of the merge_group event (GitHub's pages
// "Managing a merge queue" and "Webhook events and payloads").
func (r *Repo) QueuePull(number int, login string) (branch string, event json.RawMessage, err error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := fmt.Sprintf("queue pull request #%d of %s", number, r.slug())
	p := r.pulls[number]
	if p == nil || p.state != "open" {
		return "", nil, fmt.Errorf("%s: it is not open", where)
	}
	u, err := r.s.user(login)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", where, err)
	}
	tree, err := r.git.MergeCommits(p.base, p.head)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", where, err)
	}
	sha := r.mergeCommit(p, tree, fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", number, p.headRepo.owner, p.headBranch, p.title), login)
	branch = fmt.Sprintf("gh-readonly-queue/%s/pr-%d-%s", p.baseBranch, number, p.base)
	r.setRef("refs/heads/"+branch, sha)
	commit := r.git.Commits[sha]
	person := func(s Signature) object { return object{"name": s.Name, "email": s.Email} }
	v := r.eventBase(u)
	v["action"] = "checks_requested"
	v["merge_group"] = object{
		"head_sha": sha, "head_ref": "refs/heads/" + branch, "base_sha": p.base, "base_ref": "refs/heads/" + p.baseBranch,
		"head_commit": object{"id": sha, "tree_id": commit.Tree, "message": commit.Message, "timestamp": stamp(commit.Committer.When),
			"author": person(commit.Author), "committer": person(commit.Committer)},
	}
	event, err = json.Marshal(v)
	return branch, event, err
}
