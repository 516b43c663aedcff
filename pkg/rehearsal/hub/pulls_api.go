package hub

import (
	"slices"
	"strconv"
	"strings"
)

// maxPullFiles is how many files of a pull request GitHub lists at most.
const maxPullFiles = 3000

func (r *Repo) viewPull(p *pull) object {
	number := strconv.Itoa(p.number)
	self, issue, html := r.api()+"/pulls/"+number, r.api()+"/issues/"+number, r.html()+"/pull/"+number
	author := r.s.users[strings.ToLower(p.author)]
	statuses := r.api() + "/statuses/" + p.head
	return object{
		"id": p.id, "node_id": nodeID("PR", p.id), "number": p.number, "state": p.state, "locked": r.locked[p.number], "title": p.title,
		"body": orNull(p.body), "user": r.s.viewUser(author), "draft": p.draft, "url": self, "html_url": html,
		"diff_url": html + ".diff", "patch_url": html + ".patch", "issue_url": issue, "commits_url": self + "/commits",
		"review_comments_url": self + "/comments", "review_comment_url": r.api() + "/pulls/comments{/number}",
		"comments_url": issue + "/comments", "statuses_url": statuses,
		"labels": r.viewLabels(p.labels), "milestone": nil, "assignee": nil, "assignees": []object{},
		"requested_reviewers": []object{}, "requested_teams": []object{}, "active_lock_reason": nil,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": when(p.closedAt), "merged_at": when(p.mergedAt),
		"merge_commit_sha": orNull(p.mergeSHA), "author_association": r.association(p.author), "auto_merge": nil,
		"head": p.headRepo.viewSide(p.headBranch, p.head), "base": r.viewSide(p.baseBranch, p.base),
		"_links": object{
			"self": href(self), "html": href(html), "issue": href(issue), "comments": href(issue + "/comments"),
			"review_comments": href(self + "/comments"), "review_comment": href(r.api() + "/pulls/comments{/number}"),
			"commits": href(self + "/commits"), "statuses": href(statuses),
		},
	}
}

// viewPullFull adds what only the single pull request and events have.
func (r *Repo) viewPullFull(p *pull) object {
	v := r.viewPull(p)
	var mergeable any
	state := "unknown"
	if p.state == "open" {
		mergeable, state = p.mergeSHA != "", "clean"
		if p.mergeSHA == "" {
			state = "dirty"
		}
	}
	for k, x := range (object{
		"merged": p.merged, "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
		"merged_by": r.s.viewUser(r.s.users[strings.ToLower(p.mergedBy)]), "comments": len(p.comments), "review_comments": 0,
		"maintainer_can_modify": false, "commits": p.ncommits, "additions": p.additions, "deletions": p.deletions,
		"changed_files": p.changedFiles,
	}) {
		v[k] = x
	}
	return v
}

func href(u string) object { return object{"href": u} }

func (r *Repo) viewSide(branch, sha string) object {
	return object{
		"label": r.owner + ":" + branch, "ref": branch, "sha": sha,
		"user": r.s.viewUser(r.s.users[strings.ToLower(r.owner)]), "repo": r.view(),
	}
}

func (r *Repo) association(login string) string {
	switch role := r.role(login); {
	case strings.EqualFold(login, r.owner):
		return "OWNER"
	case role >= Write:
		return "MEMBER"
	case role >= Read:
		return "COLLABORATOR"
	}
	return "NONE"
}

func (c *call) pull() *pull {
	n, err := strconv.Atoi(c.params["pull_number"])
	if err != nil {
		return nil
	}
	return c.repo.pulls[n]
}

// getPull is GET …/pulls/{pull_number}.
func getPull(c *call) reply {
	if p := c.pull(); p != nil {
		return ok(c.repo.viewPullFull(p))
	}
	return notFound()
}

// listPulls is GET …/pulls with state, head, base, sort and direction.
func listPulls(c *call) reply {
	q := c.r.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	list := c.repo.pullsInOrder()
	if q.Get("sort") == "updated" {
		slices.SortStableFunc(list, func(a, b *pull) int { return b.updated.Compare(a.updated) })
	}
	if q.Get("direction") == "asc" {
		slices.Reverse(list)
	}
	out := []object{}
	for _, p := range list {
		// "head" filters in the form owner:branch only; other values are ignored.
		head := q.Get("head")
		if state != "all" && p.state != state || q.Get("base") != "" && p.baseBranch != q.Get("base") ||
			strings.Contains(head, ":") && head != p.headRepo.owner+":"+p.headBranch {
			continue
		}
		out = append(out, c.repo.viewPull(p))
	}
	return ok(page(c, out))
}

// listPullFiles is GET …/pulls/{pull_number}/files.
func listPullFiles(c *call) reply {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	files := c.repo.pullFiles(p)
	return ok(page(c, c.repo.viewChanges(files[:min(len(files), maxPullFiles)], p.head)))
}

// listPullsOfCommit is GET …/commits/{commit_sha}/pulls: of a commit of the
// default branch the merged pull requests that brought it, of others those,
// open or merged, that hold it.
func listPullsOfCommit(c *call) reply {
	commit := c.repo.resolve(c.params["commit_sha"])
	if commit == nil {
		return problem(422, "No commit found for SHA: "+c.params["commit_sha"])
	}
	git := c.repo.git
	landed := git.Ancestors(c.repo.refs["refs/heads/"+c.repo.defaultBranch])[commit.SHA]
	out := []object{}
	for _, p := range c.repo.pullsInOrder() {
		holds := p.merged && p.mergeSHA == commit.SHA ||
			slices.ContainsFunc(git.Between(p.base, p.head), func(x *Commit) bool { return x.SHA == commit.SHA })
		if holds && (p.merged || !landed && p.state == "open") {
			out = append(out, c.repo.viewPull(p))
		}
	}
	return ok(page(c, out))
}
