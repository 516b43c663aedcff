package hub

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func (r *Repo) viewComment(t *thread, m *comment) object {
	self := fmt.Sprintf("%s/issues/comments/%d", r.api(), m.id)
	kind := "issues"
	if t.pull != nil {
		kind = "pull"
	}
	return object{
		"id": m.id, "node_id": nodeID("IC", m.id), "url": self, "body": m.body,
		"html_url":  fmt.Sprintf("%s/%s/%d#issuecomment-%d", r.html(), kind, t.number, m.id),
		"issue_url": r.api() + "/issues/" + strconv.Itoa(t.number), "user": r.s.viewUser(r.s.users[strings.ToLower(m.author)]),
		"created_at": stamp(m.created), "updated_at": stamp(m.updated), "author_association": r.association(m.author),
		"performed_via_github_app": nil,
	}
}

// comment finds the comment of the path and the thread it stands in.
func (c *call) comment() (*thread, int) {
	id, err := strconv.ParseInt(c.params["comment_id"], 10, 64)
	if err != nil {
		return nil, -1
	}
	for n := 1; n <= c.repo.number; n++ {
		t := c.repo.thread(n)
		if t == nil {
			continue
		}
		for i, m := range *t.comments {
			if m.id == id {
				return t, i
			}
		}
	}
	return nil, -1
}

// listComments is GET …/issues/{issue_number}/comments, the oldest first.
func listComments(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	since, err := time.Parse(time.RFC3339, c.r.URL.Query().Get("since"))
	out := []object{}
	for _, m := range *t.comments {
		if err != nil || !m.updated.Before(since) {
			out = append(out, c.repo.viewComment(t, m))
		}
	}
	return ok(page(c, out))
}

// commentBody reads and checks the one field of a comment.
func (c *call) commentBody() (string, reply, bool) {
	var in struct {
		Body *string `json:"body"`
	}
	if refusal, good := c.decode(&in); !good {
		return "", refusal, false
	}
	body := text(in.Body)
	switch {
	case strings.TrimSpace(body) == "":
		return "", invalid(fieldError{Resource: "IssueComment", Code: "unprocessable", Field: "data", Message: "Body cannot be blank"}), false
	case utf8.RuneCountInString(body) > maxBodyChars:
		return "", invalid(fieldError{Resource: "IssueComment", Code: "unprocessable", Field: "data", Message: "Body is too long (maximum is 65536 characters)"}), false
	}
	return body, reply{}, true
}

// postComment is POST …/issues/{issue_number}/comments.
func postComment(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	if refusal, good := c.mayComment(t); !good {
		return refusal
	}
	body, refusal, good := c.commentBody()
	if !good {
		return refusal
	}
	now := c.s.clock()
	m := &comment{id: c.s.id("comment"), author: c.token.User, body: body, created: now, updated: now}
	*t.comments = append(*t.comments, m)
	*t.updated = now
	v := c.repo.viewComment(t, m)
	return created(v, fmt.Sprint(v["url"]))
}

// getComment is GET …/issues/comments/{comment_id}.
func getComment(c *call) reply {
	t, i := c.comment()
	if t == nil {
		return notFound()
	}
	return ok(c.repo.viewComment(t, (*t.comments)[i]))
}

// mayEdit: the own comments, or all of them for apps and for who may push.
func (c *call) mayEdit(m *comment) bool {
	return strings.EqualFold(m.author, c.token.User) || c.token.app() || c.repo.role(c.token.User) >= Write
}

// patchComment is PATCH …/issues/comments/{comment_id}.
func patchComment(c *call) reply {
	t, i := c.comment()
	if t == nil {
		return notFound()
	}
	m := (*t.comments)[i]
	if !c.mayEdit(m) {
		return problem(403, "Must have admin rights to Repository.")
	}
	body, refusal, good := c.commentBody()
	if !good {
		return refusal
	}
	m.body, m.updated = body, c.s.clock()
	m.edits++
	*t.updated = m.updated
	return ok(c.repo.viewComment(t, m))
}

// deleteComment is DELETE …/issues/comments/{comment_id}.
func deleteComment(c *call) reply {
	t, i := c.comment()
	if t == nil {
		return notFound()
	}
	if !c.mayEdit((*t.comments)[i]) {
		return problem(403, "Must have admin rights to Repository.")
	}
	*t.comments = append((*t.comments)[:i:i], (*t.comments)[i+1:]...)
	return noContent()
}
