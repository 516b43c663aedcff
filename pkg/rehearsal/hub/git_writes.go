package hub

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

var gitWriteRoutes = []route{
	{"POST", inRepo + "/git/trees", writes("contents"), false, postTree},
	{"POST", inRepo + "/git/commits", writes("contents"), false, postGitCommit},
	{"POST", inRepo + "/git/refs", writes("contents"), false, postRef},
	{"PATCH", inRepo + "/git/refs/{ref...}", writes("contents"), false, patchRef},
	{"DELETE", inRepo + "/git/refs/{ref...}", writes("contents"), false, deleteRef},
}

// emptyRepository is the answer to writes of git objects before the first commit.
func (c *call) emptyRepository() (reply, bool) {
	if len(c.repo.refs) == 0 {
		return problem(http.StatusConflict, "Git Repository is empty."), true
	}
	if c.repo.archived {
		return problem(http.StatusForbidden, "Repository was archived so is read-only."), true
	}
	return reply{}, false
}

// mayWriteWorkflows: a workflow needs a right of its own.
func (c *call) mayWriteWorkflows() (reply, bool) {
	if c.token.Kind == Classic {
		if !c.token.hasScope("workflow") {
			return notFound(), false
		}
		return reply{}, true
	}
	if !c.token.grants(c.repo, need{"workflows", "write"}) {
		c.header.Set("X-Accepted-GitHub-Permissions", "contents=write,workflows=write")
		return problem(http.StatusForbidden, c.token.notAccessible()), false
	}
	return reply{}, true
}

// postTree is POST …/git/trees.
func postTree(c *call) reply {
	var in struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path, Mode, Type string
			SHA              *string `json:"sha"`
			Content          *string `json:"content"`
		} `json:"tree"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if refusal, empty := c.emptyRepository(); empty {
		return refusal
	}
	files := map[string]gitstore.Leaf{}
	if in.Base != "" {
		if _, have := c.repo.git.Trees[in.Base]; !have {
			return problem(http.StatusUnprocessableEntity, "base_tree is not a valid tree oid")
		}
		files = c.repo.git.Flatten(in.Base)
	}
	for _, e := range in.Tree {
		if err := gitstore.CheckPath(e.Path); err != nil || e.Mode != ModeFile && e.Mode != ModeExec && e.Mode != ModeSymlink || e.Type != "blob" {
			return problem(http.StatusUnprocessableEntity, "tree contains an entry that is not valid")
		}
		if strings.HasPrefix(e.Path, ".github/workflows/") {
			if refusal, good := c.mayWriteWorkflows(); !good {
				return refusal
			}
		}
		switch {
		case e.Content != nil:
			files[e.Path] = gitstore.Leaf{Mode: e.Mode, SHA: c.repo.git.PutBlob([]byte(*e.Content))}
		case e.SHA != nil && c.repo.git.Blobs[*e.SHA] != nil:
			files[e.Path] = gitstore.Leaf{Mode: e.Mode, SHA: *e.SHA}
		default:
			return problem(http.StatusUnprocessableEntity, "tree.sha is not a valid blob")
		}
	}
	sha, err := c.repo.git.Build(files)
	if err != nil {
		return problem(http.StatusUnprocessableEntity, "tree contains a file and a directory of one name")
	}
	c.params["tree_sha"] = sha
	made := getTree(c)
	made.status = http.StatusCreated
	return made
}

// postGitCommit is POST …/git/commits: in the name of the caller.
func postGitCommit(c *call) reply {
	var in struct {
		Message, Tree string
		Parents       []string
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if refusal, empty := c.emptyRepository(); empty {
		return refusal
	}
	if _, have := c.repo.git.Trees[in.Tree]; !have {
		return problem(http.StatusUnprocessableEntity, "Tree SHA does not exist")
	}
	for _, p := range in.Parents {
		if c.repo.git.Commits[p] == nil {
			return problem(http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
		}
	}
	author, err := c.repo.signature(c.token.User, time.Time{})
	if err != nil {
		return notFound()
	}
	c.params["commit_sha"] = c.repo.git.PutCommit(Commit{Tree: in.Tree, Parents: in.Parents, Message: in.Message, Author: author, Committer: author})
	made := getGitCommit(c)
	made.status = http.StatusCreated
	return made
}

// postRef is POST …/git/refs.
func postRef(c *call) reply {
	var in struct{ Ref, SHA string }
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if refusal, empty := c.emptyRepository(); empty {
		return refusal
	}
	switch {
	case strings.Count(in.Ref, "/") < 2 || !strings.HasPrefix(in.Ref, "refs/") || gitstore.CheckPath(in.Ref) != nil:
		return problem(http.StatusUnprocessableEntity, fmt.Sprintf("%s is not a valid ref name.", in.Ref))
	case c.repo.git.Commits[in.SHA] == nil:
		return problem(http.StatusUnprocessableEntity, "Object does not exist")
	case c.repo.refs[in.Ref] != "":
		return problem(http.StatusUnprocessableEntity, "Reference already exists")
	}
	for ref := range c.repo.refs {
		if strings.HasPrefix(ref, in.Ref+"/") || strings.HasPrefix(in.Ref, ref+"/") {
			return problem(http.StatusUnprocessableEntity, "Reference cannot be created: it conflicts with "+ref)
		}
	}
	c.repo.setRef(in.Ref, in.SHA)
	return created(c.repo.viewRef(in.Ref), c.repo.api()+"/git/"+in.Ref)
}

// patchRef is PATCH …/git/refs/{ref}.
func patchRef(c *call) reply {
	var in struct {
		SHA   string
		Force bool
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	ref := "refs/" + c.params["ref"]
	switch {
	case c.repo.refs[ref] == "":
		return problem(http.StatusUnprocessableEntity, "Reference does not exist")
	case c.repo.git.Commits[in.SHA] == nil:
		return problem(http.StatusUnprocessableEntity, "Object does not exist")
	case !in.Force && !c.repo.git.Ancestors(in.SHA)[c.repo.refs[ref]]:
		return problem(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	c.repo.setRef(ref, in.SHA)
	return ok(c.repo.viewRef(ref))
}

// deleteRef is DELETE …/git/refs/{ref}. It closes the pull requests of a branch.
func deleteRef(c *call) reply {
	ref := "refs/" + c.params["ref"]
	if c.repo.refs[ref] == "" {
		return problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	c.repo.setRef(ref, "")
	return noContent()
}
