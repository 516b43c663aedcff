package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Archive makes a repository read-only, or writable again: every write answers 403
// (https://docs.github.com/repositories/archiving-a-github-repository/archiving-repositories).
func (r *Repo) Archive(archived bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.archived = archived
}

// Remove deletes a repository: it answers 404 from now on, as one that a token may
// not see.
func (r *Repo) Remove() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	delete(r.s.repos, r.id)
	for _, t := range r.s.teams {
		delete(t.permissions, r.id)
	}
	for name, id := range r.s.names {
		if id == r.id {
			delete(r.s.names, name)
		}
	}
}

// LockConversation stops comments on an issue or a pull request by all who may not
// push, and by Apps
// (https://docs.github.com/communities/moderating-comments-and-conversations/locking-conversations).
func (r *Repo) LockConversation(number int, locked bool) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.thread(number) == nil {
		return fmt.Errorf("lock #%d of %s: there is none", number, r.slug())
	}
	if locked {
		r.locked[number] = true
	} else {
		delete(r.locked, number)
	}
	return nil
}

// DeleteRun removes a completed workflow run.
func (r *Repo) DeleteRun(id int64) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(id)
	if x == nil || x.Status != "completed" {
		return fmt.Errorf("delete run %d of %s: there is no such completed run", id, r.slug())
	}
	r.runs = slices.DeleteFunc(r.runs, func(other *run) bool { return other.ID == id })
	return nil
}

// frozen refuses what changes an archived repository.
func (c *call) frozen() (reply, bool) {
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if c.repo.archived && !reads {
		return problem(http.StatusForbidden, "Repository was archived so is read-only."), false
	}
	return reply{}, true
}

// mayComment refuses a comment on a locked conversation.
func (c *call) mayComment(t *thread) (reply, bool) {
	if c.repo.locked[t.number] && (c.token.app() || c.repo.role(strings.ToLower(c.token.User)) < Write) {
		return problem(http.StatusForbidden, "Unable to create comment because issue is locked."), false
	}
	return reply{}, true
}
