package hub

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBodyChars is the longest body of an issue or comment, in characters.
const maxBodyChars = 65536

func (r *Repo) thread(number int) *thread {
	if p := r.pulls[number]; p != nil {
		return &thread{pull: p, number: number, comments: &p.comments, labels: &p.labels, updated: &p.updated}
	}
	if i := r.issues[number]; i != nil {
		return &thread{issue: i, number: number, comments: &i.comments, labels: &i.labels, updated: &i.updated}
	}
	return nil
}

// thread finds the issue or pull request of the path. Where issues are
// disabled, pull requests still have their comments.
func (c *call) thread() (*thread, reply) {
	n, err := strconv.Atoi(c.params["issue_number"])
	if err != nil {
		return nil, notFound()
	}
	t := c.repo.thread(n)
	switch {
	case c.repo.noIssues && (t == nil || t.pull == nil):
		return nil, goneIssues()
	case t == nil:
		if gone, ok := c.repo.goneIssue(n); ok {
			return nil, gone
		}
		return nil, notFound()
	}
	return t, reply{}
}

func (r *Repo) viewIssue(t *thread) object {
	i := t.issue
	if p := t.pull; p != nil {
		i = &issue{
			id: p.id, number: p.number, title: p.title, body: p.body, author: p.author, state: p.state, created: p.created,
			updated: p.updated, closedAt: p.closedAt, comments: p.comments, labels: p.labels,
		}
	}
	number := strconv.Itoa(i.number)
	self, html := r.api()+"/issues/"+number, r.html()+"/issues/"+number
	v := object{
		"id": i.id, "node_id": nodeID("I", i.id), "number": i.number, "title": i.title, "body": orNull(i.body), "state": i.state,
		"state_reason": orNull(i.reason), "url": self, "repository_url": r.api(), "labels_url": self + "/labels{/name}",
		"comments_url": self + "/comments", "events_url": self + "/events", "timeline_url": self + "/timeline", "html_url": html,
		"user": r.s.viewUser(r.s.users[strings.ToLower(i.author)]), "labels": r.viewLabels(i.labels), "assignee": nil,
		"assignees": []object{}, "milestone": nil, "locked": r.locked[i.number], "active_lock_reason": nil, "comments": len(i.comments),
		"closed_at": when(i.closedAt), "created_at": stamp(i.created), "updated_at": stamp(i.updated),
		"author_association": r.association(i.author), "closed_by": r.s.viewUser(r.s.users[strings.ToLower(i.closedBy)]),
	}
	if p := t.pull; p != nil {
		pr := r.html() + "/pull/" + number
		v["html_url"] = pr
		v["pull_request"] = object{"url": r.api() + "/pulls/" + number, "html_url": pr, "diff_url": pr + ".diff", "patch_url": pr + ".patch", "merged_at": when(p.mergedAt)}
	}
	return v
}

// getIssue is GET …/issues/{issue_number}.
func getIssue(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	return ok(c.repo.viewIssue(t))
}

// listIssues is GET …/issues, pull requests included, with state, labels,
// creator, since, sort and direction.
func listIssues(c *call) reply {
	q := c.r.URL.Query()
	numbers := slices.Concat(slices.Collect(maps.Keys(c.repo.issues)), slices.Collect(maps.Keys(c.repo.pulls)))
	slices.Sort(numbers)
	slices.Reverse(numbers)
	var list []*thread
	for _, n := range numbers {
		if t := c.repo.thread(n); c.wanted(t) && (t.pull != nil || !c.repo.noIssues) {
			list = append(list, t)
		}
	}
	switch q.Get("sort") {
	case "updated":
		slices.SortStableFunc(list, func(a, b *thread) int { return b.updated.Compare(*a.updated) })
	case "comments":
		slices.SortStableFunc(list, func(a, b *thread) int { return len(*b.comments) - len(*a.comments) })
	}
	if q.Get("direction") == "asc" {
		slices.Reverse(list)
	}
	out := []object{}
	for _, t := range page(c, list) {
		out = append(out, c.repo.viewIssue(t))
	}
	return ok(out)
}

func (c *call) wanted(t *thread) bool {
	q := c.r.URL.Query()
	state, author := "", ""
	if t.pull != nil {
		state, author = t.pull.state, t.pull.author
	} else {
		state, author = t.issue.state, t.issue.author
	}
	want := q.Get("state")
	if want == "" {
		want = "open"
	}
	if want != "all" && want != state || q.Get("creator") != "" && !strings.EqualFold(q.Get("creator"), author) {
		return false
	}
	if since, err := time.Parse(time.RFC3339, q.Get("since")); err == nil && t.updated.Before(since) {
		return false
	}
	for l := range strings.SplitSeq(q.Get("labels"), ",") {
		if l != "" && !slices.ContainsFunc(*t.labels, func(have string) bool { return strings.EqualFold(have, l) }) {
			return false
		}
	}
	return true
}

// issueInput is the body of POST and PATCH; absent fields stay nil.
type issueInput struct {
	Title       *string   `json:"title"`
	Body        *string   `json:"body"`
	State       *string   `json:"state"`
	StateReason *string   `json:"state_reason"`
	Labels      *[]string `json:"labels"`
}

func (in issueInput) check() []fieldError {
	var errs []fieldError
	if in.Title != nil && strings.TrimSpace(*in.Title) == "" {
		errs = append(errs, fieldError{Resource: "Issue", Code: "missing_field", Field: "title"})
	}
	if in.Title != nil && utf8.RuneCountInString(*in.Title) > 256 {
		errs = append(errs, custom("Issue", "title", "title is too long (maximum is 256 characters)"))
	}
	if utf8.RuneCountInString(text(in.Body)) > maxBodyChars {
		errs = append(errs, custom("Issue", "body", "body is too long (maximum is 65536 characters)"))
	}
	if in.State != nil && *in.State != "open" && *in.State != "closed" {
		errs = append(errs, fieldError{Resource: "Issue", Code: "invalid", Field: "state"})
	}
	return errs
}

// postIssue is POST …/issues. Labels count only from who may push.
func postIssue(c *call) reply {
	if c.repo.noIssues {
		return goneIssues()
	}
	var in issueInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if in.Title == nil {
		in.Title = new(string)
	}
	if errs := in.check(); len(errs) > 0 {
		return invalid(errs...)
	}
	c.repo.number++
	now := c.s.clock()
	i := &issue{
		id: c.s.id("issue"), number: c.repo.number, title: *in.Title, body: text(in.Body), author: c.token.User,
		state: "open", created: now, updated: now,
	}
	if in.Labels != nil && c.mayTriage() {
		i.labels = c.repo.useLabels(*in.Labels)
	}
	c.repo.issues[i.number] = i
	return created(c.repo.viewIssue(c.repo.thread(i.number)), c.repo.api()+"/issues/"+strconv.Itoa(i.number))
}

// mayTriage: apps act within their permissions, people within their role.
func (c *call) mayTriage() bool { return c.token.app() || c.repo.role(c.token.User) >= Write }

// patchIssue is PATCH …/issues/{issue_number}, also for the title, body and
// labels of pull requests.
func patchIssue(c *call) reply {
	t, refusal := c.thread()
	if t == nil {
		return refusal
	}
	var in issueInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if errs := in.check(); len(errs) > 0 {
		return invalid(errs...)
	}
	author := ""
	if t.pull != nil {
		author = t.pull.author
	} else {
		author = t.issue.author
	}
	if !c.mayTriage() && !strings.EqualFold(author, c.token.User) {
		return problem(403, "Must have admin rights to Repository.")
	}
	c.edit(t, in)
	*t.updated = c.s.clock()
	return ok(c.repo.viewIssue(t))
}

func (c *call) edit(t *thread, in issueInput) {
	if in.Labels != nil {
		*t.labels = c.repo.useLabels(*in.Labels)
	}
	if p := t.pull; p != nil {
		set(&p.title, in.Title)
		set(&p.body, in.Body)
		return
	}
	i := t.issue
	set(&i.title, in.Title)
	set(&i.body, in.Body)
	if in.State == nil || *in.State == i.state {
		return
	}
	i.state = *in.State
	if i.state == "open" {
		i.reason, i.closedBy, i.closedAt = "reopened", "", time.Time{}
		return
	}
	i.reason, i.closedBy, i.closedAt = "completed", c.token.User, c.s.clock()
	set(&i.reason, in.StateReason)
}

func set(to *string, from *string) {
	if from != nil {
		*to = *from
	}
}
