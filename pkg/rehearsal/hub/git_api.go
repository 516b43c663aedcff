package hub

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// getBlob is GET …/git/blobs/{file_sha}.
func getBlob(c *call) reply {
	sha := c.params["file_sha"]
	blob, have := c.repo.git.Blobs[sha]
	switch {
	case !have && !isSHA(sha):
		return problem(422, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	case !have:
		return notFound()
	case len(blob) > maxRaw:
		return tooLarge()
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".raw") {
		return reply{status: 200, raw: append([]byte{}, blob...), ctype: "application/vnd.github.raw; charset=utf-8"}
	}
	return ok(object{
		"sha": sha, "node_id": "B_" + sha, "size": len(blob), "url": c.repo.api() + "/git/blobs/" + sha,
		"content": lines60(blob), "encoding": "base64",
	})
}

func isSHA(s string) bool { return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == "" }

// getTree is GET …/git/trees/{tree_sha}; it takes commits and refs as well.
func getTree(c *call) reply {
	rev := c.params["tree_sha"]
	if _, isTree := c.repo.git.Trees[rev]; !isTree {
		commit := c.repo.resolve(rev)
		if commit == nil {
			return notFound()
		}
		rev = commit.Tree
	}
	entries := []object{}
	recursive := c.r.URL.Query().Has("recursive") // any value counts, even "0"
	var walk func(sha, prefix string)
	walk = func(sha, prefix string) {
		for _, e := range c.repo.git.Trees[sha] {
			v := object{"path": path.Join(prefix, e.Name), "mode": e.Mode, "type": "blob", "sha": e.SHA}
			if e.Mode == gitstore.ModeTree {
				v["type"], v["url"] = "tree", c.repo.api()+"/git/trees/"+e.SHA
				entries = append(entries, v)
				if recursive {
					walk(e.SHA, path.Join(prefix, e.Name))
				}
				continue
			}
			v["size"], v["url"] = len(c.repo.git.Blobs[e.SHA]), c.repo.api()+"/git/blobs/"+e.SHA
			entries = append(entries, v)
		}
	}
	walk(rev, "")
	return ok(object{"sha": rev, "url": c.repo.api() + "/git/trees/" + rev, "tree": entries, "truncated": false})
}

// getGitCommit is GET …/git/commits/{commit_sha}: by full id only.
func getGitCommit(c *call) reply {
	commit := c.repo.git.Commits[c.params["commit_sha"]]
	if commit == nil {
		return notFound()
	}
	parents := []object{}
	for _, p := range commit.Parents {
		parents = append(parents, object{"sha": p, "url": c.repo.api() + "/git/commits/" + p, "html_url": c.repo.html() + "/commit/" + p})
	}
	return ok(object{
		"sha": commit.SHA, "node_id": "C_" + commit.SHA, "url": c.repo.api() + "/git/commits/" + commit.SHA,
		"html_url": c.repo.html() + "/commit/" + commit.SHA, "message": commit.Message,
		"author": viewSignature(commit.Author), "committer": viewSignature(commit.Committer), "parents": parents,
		"tree":         object{"sha": commit.Tree, "url": c.repo.api() + "/git/trees/" + commit.Tree},
		"verification": unsigned(),
	})
}

func (r *Repo) viewRef(ref string) object {
	sha := r.refs[ref]
	return object{
		"ref": ref, "node_id": "REF_" + ref, "url": r.api() + "/git/" + ref,
		"object": object{"type": "commit", "sha": sha, "url": r.api() + "/git/commits/" + sha},
	}
}

// getRef is GET …/git/ref/{ref}, with ref as "heads/main".
func getRef(c *call) reply {
	ref := "refs/" + strings.TrimPrefix(c.params["ref"], "refs/")
	if c.repo.refs[ref] == "" {
		return notFound()
	}
	return ok(c.repo.viewRef(ref))
}

// getMatchingRefs is GET …/git/matching-refs/{ref}, with a prefix.
func getMatchingRefs(c *call) reply {
	prefix := "refs/" + strings.TrimPrefix(c.params["ref"], "refs/")
	out := []object{}
	for _, ref := range slices.Sorted(maps.Keys(c.repo.refs)) {
		if strings.HasPrefix(ref, prefix) {
			out = append(out, c.repo.viewRef(ref))
		}
	}
	return ok(page(c, out))
}

// listBranches is GET …/branches.
func listBranches(c *call) reply {
	out := []object{}
	for _, b := range c.repo.branches() {
		sha := c.repo.refs["refs/heads/"+b]
		out = append(out, object{"name": b, "protected": false, "commit": object{"sha": sha, "url": c.repo.api() + "/commits/" + sha}})
	}
	return ok(page(c, out))
}

// getBranch is GET …/branches/{branch}.
func getBranch(c *call) reply {
	b := c.params["branch"]
	sha := c.repo.refs["refs/heads/"+b]
	if sha == "" {
		return problem(404, "Branch not found")
	}
	self := c.repo.api() + "/branches/" + escapePath(b)
	return ok(object{
		"name": b, "commit": c.repo.viewCommit(c.repo.git.Commits[sha]),
		"_links": object{"self": self, "html": c.repo.html() + "/tree/" + escapePath(b)}, "protected": false,
		"protection":     object{"enabled": false, "required_status_checks": object{"enforcement_level": "off", "contexts": []string{}, "checks": []object{}}},
		"protection_url": self + "/protection",
	})
}
