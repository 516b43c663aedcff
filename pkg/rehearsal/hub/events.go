package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ZeroSHA stands for "nothing" in push events.
const ZeroSHA = "0000000000000000000000000000000000000000"

// maxPushCommits is how many commits a push event carries at most.
const maxPushCommits = 2048

// PushEvent is the event file of a push that moved a branch from before to
// after. Empty or ZeroSHA as before means a new branch, as after a deleted one.
func (r *Repo) PushEvent(branch, before, after, actor string) (json.RawMessage, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	u, err := r.s.user(actor)
	if err != nil {
		return nil, fmt.Errorf("make a push event of %s: %w", r.slug(), err)
	}
	if before == "" {
		before = ZeroSHA
	}
	if after == "" {
		after = ZeroSHA
	}
	created, deleted := before == ZeroSHA, after == ZeroSHA
	for _, sha := range []string{before, after} {
		if sha != ZeroSHA && r.git.Commits[sha] == nil {
			return nil, fmt.Errorf("make a push event of %s: commit %q does not exist", r.slug(), sha)
		}
	}
	from := before
	if created {
		// GitHub lists the commits that no other branch has.
		if from = r.refs["refs/heads/"+r.defaultBranch]; from == after {
			from = ""
		}
	}
	commits := []object{}
	var head any
	if !deleted {
		for _, c := range r.git.Between(from, after) {
			commits = append(commits, r.viewPushCommit(c))
		}
		head = r.viewPushCommit(r.git.Commits[after])
	}
	v := r.eventBase(u)
	for k, x := range (object{
		"ref": "refs/heads/" + branch, "before": before, "after": after, "base_ref": nil, "created": created, "deleted": deleted,
		"forced":  !created && !deleted && !r.git.Ancestors(after)[before],
		"compare": fmt.Sprintf("%s/compare/%.12s...%.12s", r.html(), before, after), "commits": commits[max(0, len(commits)-maxPushCommits):],
		"head_commit": head, "pusher": object{"name": u.Login, "email": r.email(u)},
	}) {
		v[k] = x
	}
	return json.Marshal(v)
}

func (r *Repo) email(u *User) any { return orNull(u.Email) }

func (r *Repo) viewPushCommit(c *Commit) object {
	person := func(sig Signature) object {
		v := object{"name": sig.Name, "email": sig.Email}
		if u := r.s.accountOf(sig); u != nil {
			v["username"] = u.Login
		}
		return v
	}
	var from string
	if len(c.Parents) > 0 {
		from = r.git.Commits[c.Parents[0]].Tree
	}
	added, removed, modified := []string{}, []string{}, []string{}
	for _, ch := range r.git.Diff(from, c.Tree) {
		switch ch.Status {
		case "added":
			added = append(added, ch.Path)
		case "removed":
			removed = append(removed, ch.Path)
		case "renamed":
			added, removed = append(added, ch.Path), append(removed, ch.Previous)
		default:
			modified = append(modified, ch.Path)
		}
	}
	return object{
		"id": c.SHA, "tree_id": c.Tree, "distinct": true, "message": c.Message, "timestamp": stamp(c.Committer.When),
		"url": r.html() + "/commit/" + c.SHA, "author": person(c.Author), "committer": person(c.Committer),
		"added": added, "removed": removed, "modified": modified,
	}
}

// eventBase is what every event file has: the repository, the sender, and the
// organization where one owns the repository.
func (r *Repo) eventBase(sender *User) object {
	v := object{"repository": r.view(), "sender": r.s.viewUser(sender)}
	if owner := r.s.users[strings.ToLower(r.owner)]; owner.Type == Organization {
		api := r.s.url + "/orgs/" + owner.Login
		v["organization"] = object{
			"login": owner.Login, "id": owner.ID, "node_id": nodeID("O", owner.ID), "url": api, "repos_url": api + "/repos",
			"events_url": api + "/events", "hooks_url": api + "/hooks", "issues_url": api + "/issues",
			"members_url": api + "/members{/member}", "public_members_url": api + "/public_members{/member}",
			"avatar_url": fmt.Sprintf("%s/avatars/u/%d", r.s.url, owner.ID), "description": nil,
		}
	}
	return v
}

// PullEvent is the event file of a pull request: action is opened, reopened,
// synchronize or closed.
func (r *Repo) PullEvent(number int, action, actor string) (json.RawMessage, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := fmt.Sprintf("make a pull_request event of %s#%d", r.slug(), number)
	u, err := r.s.user(actor)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	p := r.pulls[number]
	if p == nil {
		return nil, fmt.Errorf("%s: there is none", where)
	}
	v := r.eventBase(u)
	v["action"], v["number"] = action, number
	full := r.viewPullFull(p)
	// Events carry the merge settings of the repository as well.
	full["allow_auto_merge"], full["delete_branch_on_merge"], full["allow_update_branch"] = false, false, false
	v["pull_request"] = full
	switch action {
	case "opened", "reopened":
		err = closedMismatch(p, false)
	case "closed":
		err = closedMismatch(p, true)
	case "synchronize":
		if p.previousHead == "" {
			err = errors.New("its head has not moved")
		}
		v["before"], v["after"] = p.previousHead, p.head
	default:
		err = fmt.Errorf("action %q is not supported", action)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return json.Marshal(v)
}

func closedMismatch(p *pull, closed bool) error {
	if (p.state == "closed") != closed {
		return fmt.Errorf("its state is %s", p.state)
	}
	return nil
}

// DispatchEvent is the event file of a repository_dispatch sent with the named
// token.
func (r *Repo) DispatchEvent(eventType string, payload json.RawMessage, tokenName string) (json.RawMessage, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, t := range r.s.tokens {
		if t.Name == tokenName {
			return json.Marshal(r.dispatchEvent(eventType, payload, t))
		}
	}
	return nil, fmt.Errorf("make a repository_dispatch event of %s: token %q is not known", r.slug(), tokenName)
}

func (r *Repo) dispatchEvent(eventType string, payload json.RawMessage, t *Token) object {
	if len(payload) == 0 {
		payload = json.RawMessage("null")
	}
	v := r.eventBase(r.s.users[strings.ToLower(t.User)])
	v["action"], v["branch"], v["client_payload"] = eventType, r.defaultBranch, payload
	if t.Kind == App {
		v["installation"] = object{"id": 42, "node_id": nodeID("MDI", 42)}
	}
	return v
}

// ManualEvent is the event file of a workflow_dispatch on a branch.
func (r *Repo) ManualEvent(path, branch string, inputs map[string]string, actor string) (json.RawMessage, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := "make a workflow_dispatch event of " + r.slug()
	if _, err := r.s.user(actor); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if r.refs["refs/heads/"+branch] == "" {
		return nil, fmt.Errorf("%s: there is no branch %q", where, branch)
	}
	return json.Marshal(r.manualEvent(r.workflow(path), "refs/heads/"+branch, inputs, actor))
}

func (r *Repo) manualEvent(w *workflow, ref string, inputs map[string]string, actor string) object {
	v := r.eventBase(r.s.users[strings.ToLower(actor)])
	v["ref"], v["workflow"], v["inputs"] = ref, w.Path, nil
	if len(inputs) > 0 {
		v["inputs"] = inputs
	}
	return v
}
