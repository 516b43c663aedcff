package hub

import (
	"net/url"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// maxCompareFiles is how many files compare and commits give at most.
const maxCompareFiles = 300

// viewCommit is a commit without its files.
func (r *Repo) viewCommit(c *Commit) object {
	api := r.api() + "/commits/" + c.SHA
	parents := []object{}
	for _, p := range c.Parents {
		parents = append(parents, object{"sha": p, "url": r.api() + "/commits/" + p, "html_url": r.html() + "/commit/" + p})
	}
	return object{
		"sha": c.SHA, "node_id": "C_" + c.SHA, "url": api, "html_url": r.html() + "/commit/" + c.SHA,
		"comments_url": api + "/comments", "parents": parents,
		"author": r.s.viewUser(r.s.accountOf(c.Author)), "committer": r.s.viewUser(r.s.accountOf(c.Committer)),
		"commit": object{
			"url": r.api() + "/git/commits/" + c.SHA, "author": viewSignature(c.Author), "committer": viewSignature(c.Committer),
			"message": c.Message, "comment_count": 0, "verification": unsigned(),
			"tree": object{"sha": c.Tree, "url": r.api() + "/git/trees/" + c.Tree},
		},
	}
}

func (r *Repo) viewChange(ch gitstore.FileChange, sha string) object {
	p := escapePath(ch.Path)
	v := object{
		"sha": ch.SHA, "filename": ch.Path, "status": ch.Status, "additions": ch.Additions, "deletions": ch.Deletions,
		"changes": ch.Additions + ch.Deletions, "blob_url": r.html() + "/blob/" + sha + "/" + p,
		"raw_url": r.html() + "/raw/" + sha + "/" + p, "contents_url": r.api() + "/contents/" + p + "?ref=" + sha,
	}
	if ch.Patch != "" {
		v["patch"] = ch.Patch
	}
	if ch.Previous != "" {
		v["previous_filename"] = ch.Previous
	}
	return v
}

func (r *Repo) viewChanges(chs []gitstore.FileChange, sha string) []object {
	out := make([]object, 0, len(chs))
	for _, ch := range chs {
		out = append(out, r.viewChange(ch, sha))
	}
	return out
}

// getCommit is GET …/commits/{ref}.
func getCommit(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return problem(422, "No commit found for SHA: "+c.params["ref"])
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".sha") {
		return reply{status: 200, raw: []byte(commit.SHA), ctype: "application/vnd.github.sha; charset=utf-8"}
	}
	var from string
	if len(commit.Parents) > 0 {
		from = c.repo.git.Commits[commit.Parents[0]].Tree
	}
	files := c.repo.git.Diff(from, commit.Tree)
	v := c.repo.viewCommit(commit)
	add, del := gitstore.Totals(files)
	v["stats"] = object{"additions": add, "deletions": del, "total": add + del}
	v["files"] = c.repo.viewChanges(files[:min(len(files), maxCompareFiles)], commit.SHA)
	return ok(v)
}

// listCommits is GET …/commits, newest first, with sha, path and author.
func listCommits(c *call) reply {
	q := c.r.URL.Query()
	rev := q.Get("sha")
	if rev == "" {
		rev = c.repo.defaultBranch
	}
	head := c.repo.resolve(rev)
	if head == nil {
		if q.Get("sha") == "" {
			return problem(409, "Git Repository is empty.")
		}
		return notFound()
	}
	all := c.repo.git.Between("", head.SHA)
	slices.Reverse(all)
	out := []object{}
	for _, commit := range all {
		author := c.s.accountOf(commit.Author)
		byOther := q.Get("author") != "" && !strings.EqualFold(commit.Author.Email, q.Get("author")) &&
			(author == nil || !strings.EqualFold(author.Login, q.Get("author")))
		if byOther || !c.repo.touches(commit, q.Get("path")) {
			continue
		}
		out = append(out, c.repo.viewCommit(commit))
	}
	return ok(page(c, out))
}

// touches reports whether a commit changes something at or below a path.
func (r *Repo) touches(c *Commit, p string) bool {
	if p == "" {
		return true
	}
	now, _ := r.git.Lookup(c.Tree, p)
	if len(c.Parents) == 0 {
		return now.SHA != ""
	}
	for _, parent := range c.Parents {
		if was, _ := r.git.Lookup(r.git.Commits[parent].Tree, p); was == now {
			return false
		}
	}
	return true
}

// getCompare is GET …/compare/{base}...{head}. Either side may be of another
// repository of the network: "owner:branch" or "owner:repo:branch".
func getCompare(c *call) reply {
	left, right, dots := strings.Cut(c.params["basehead"], "...")
	if !dots {
		return notFound()
	}
	base, head := c.repo.resolveAcross(left), c.repo.resolveAcross(right)
	if base == nil || head == nil {
		return notFound()
	}
	git := c.repo.git
	root := git.MergeBase(base.SHA, head.SHA)
	if root == "" {
		return problem(404, "No common ancestor between "+left+" and "+right+".")
	}
	ahead, behind := git.Between(base.SHA, head.SHA), len(git.Between(head.SHA, base.SHA))
	state := "identical"
	switch {
	case len(ahead) > 0 && behind > 0:
		state = "diverged"
	case len(ahead) > 0:
		state = "ahead"
	case behind > 0:
		state = "behind"
	}
	commits := []object{}
	for _, one := range pageOfCompare(c, ahead) {
		commits = append(commits, c.repo.viewCommit(one))
	}
	files := git.Diff(git.Commits[root].Tree, head.Tree)
	self := "/compare/" + url.PathEscape(left) + "..." + url.PathEscape(right)
	v := object{
		"url": c.repo.api() + self, "html_url": c.repo.html() + self, "permalink_url": c.repo.html() + self,
		"diff_url": c.repo.html() + self + ".diff", "patch_url": c.repo.html() + self + ".patch",
		"base_commit": c.repo.viewCommit(base), "merge_base_commit": c.repo.viewCommit(git.Commits[root]),
		"status": state, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead), "commits": commits,
		"files": []object{},
	}
	// Only the first page has the files.
	if p := c.r.URL.Query().Get("page"); p == "" || p == "1" {
		v["files"] = c.repo.viewChanges(files[:min(len(files), maxCompareFiles)], head.SHA)
	}
	return ok(v)
}

// pageOfCompare: without paging parameters GitHub gives the first 250 commits.
func pageOfCompare(c *call, all []*Commit) []*Commit {
	if q := c.r.URL.Query(); !q.Has("page") && !q.Has("per_page") {
		return all[:min(len(all), 250)]
	}
	return page(c, all)
}

func (r *Repo) resolveAcross(rev string) *Commit {
	parts := strings.Split(rev, ":")
	switch len(parts) {
	case 1:
		return r.resolve(rev)
	case 2, 3:
		for _, other := range r.s.repos {
			if other.git == r.git && strings.EqualFold(other.owner, parts[0]) &&
				(len(parts) == 2 || strings.EqualFold(other.name, parts[1])) {
				return other.resolve(parts[len(parts)-1])
			}
		}
	}
	return nil
}
