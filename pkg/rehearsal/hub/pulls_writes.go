package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

var pullWriteRoutes = []route{
	{"POST", inRepo + "/pulls", writes("pull_requests"), false, postPull},
	{"PATCH", inRepo + "/pulls/{pull_number}", writes("pull_requests"), false, patchPull},
}

// postPull is POST …/pulls, for a branch of the repository itself.
func postPull(c *call) reply {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	head := strings.TrimPrefix(in.Head, c.repo.owner+":")
	open := slices.ContainsFunc(c.repo.pullsInOrder(), func(p *pull) bool {
		return p.state == "open" && p.headRepo == c.repo && p.headBranch == head && p.baseBranch == in.Base
	})
	switch {
	case c.repo.refs["refs/heads/"+head] == "":
		return invalid(fieldError{Resource: "PullRequest", Field: "head", Code: "invalid"})
	case c.repo.refs["refs/heads/"+in.Base] == "":
		return invalid(fieldError{Resource: "PullRequest", Field: "base", Code: "invalid"})
	case open:
		return invalid(custom("PullRequest", "", fmt.Sprintf("A pull request already exists for %s:%s.", c.repo.owner, head)))
	case in.Title == "":
		return invalid(fieldError{Resource: "PullRequest", Field: "title", Code: "missing_field"})
	case len(c.repo.git.Between(c.repo.refs["refs/heads/"+in.Base], c.repo.refs["refs/heads/"+head])) == 0:
		return invalid(custom("PullRequest", "", fmt.Sprintf("No commits between %s and %s", in.Base, head)))
	case c.repo.archived:
		return problem(http.StatusForbidden, "Repository was archived so is read-only.")
	}
	p := c.repo.addPull(NewPull{Title: in.Title, Body: in.Body, Author: c.token.User, Head: head, HeadRepo: c.repo, Base: in.Base, Draft: in.Draft})
	return created(c.repo.viewPullFull(p), c.repo.api()+"/pulls")
}

// patchPull is PATCH …/pulls/{pull_number}: its title, its text, and whether it is open.
func patchPull(c *call) reply {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	var in struct {
		Title, Body, State *string
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if in.State != nil && *in.State == "open" && p.state != "open" && (p.merged || c.repo.refs["refs/heads/"+p.headBranch] == "") {
		return invalid(custom("PullRequest", "state", "state cannot be changed"))
	}
	if in.Title != nil {
		p.title = *in.Title
	}
	if in.Body != nil {
		p.body = *in.Body
	}
	switch {
	case in.State == nil || *in.State == p.state:
	case *in.State == "closed":
		c.repo.close(p)
	case *in.State == "open":
		p.state, p.closedAt = "open", time.Time{}
		c.repo.refreshPull(p)
	}
	p.updated = c.repo.s.clock()
	return ok(c.repo.viewPullFull(p))
}
