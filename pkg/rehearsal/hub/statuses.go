package hub

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of statuses: GitHub's page "Create a commit status".
const (
	maxStatusDescription = 140
	maxStatusContext     = 255
	maxStatusesOfContext = 1000
)

// postStatus is POST …/statuses/{sha}.
func postStatus(c *call) reply {
	in := struct {
		State       string  `json:"state"`
		TargetURL   *string `json:"target_url"`
		Description *string `json:"description"`
		Context     string  `json:"context"`
	}{}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	sha := c.params["sha"]
	if c.repo.git.Commits[sha] == nil {
		return problem(422, "No commit found for SHA: "+sha)
	}
	if in.Context == "" {
		in.Context = "default"
	}
	st := &status{state: in.State, context: in.Context, description: text(in.Description), link: text(in.TargetURL), at: c.s.clock()}
	if errs := c.repo.checkStatus(st, sha); len(errs) > 0 {
		return invalid(errs...)
	}
	st.id, st.creator = c.s.id("status"), c.token.User
	c.repo.statuses[sha] = append(c.repo.statuses[sha], st)
	return created(c.repo.viewStatus(st, sha), c.repo.api()+"/statuses/"+sha)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (r *Repo) checkStatus(st *status, sha string) []fieldError {
	var errs []fieldError
	refuse := func(field, message string) {
		errs = append(errs, custom("Status", field, message))
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, st.state) {
		refuse("state", "state is not included in the list")
	}
	if utf8.RuneCountInString(st.description) > maxStatusDescription {
		refuse("description", fmt.Sprintf("description is too long (maximum is %d characters)", maxStatusDescription))
	}
	if utf8.RuneCountInString(st.context) > maxStatusContext {
		refuse("context", fmt.Sprintf("context is too long (maximum is %d characters)", maxStatusContext))
	}
	if st.link != "" && !webURL(st.link) {
		refuse("target_url", "target_url must use http(s) scheme")
	}
	same := 0
	for _, other := range r.statuses[sha] {
		if strings.EqualFold(other.context, st.context) {
			same++
		}
	}
	if same >= maxStatusesOfContext {
		refuse("", "This SHA and context has reached the maximum number of statuses.")
	}
	return errs
}

func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (r *Repo) viewStatus(st *status, sha string) object {
	creator := r.s.users[strings.ToLower(st.creator)]
	return object{
		"id": st.id, "node_id": nodeID("SC", st.id), "url": r.api() + "/statuses/" + sha, "state": st.state,
		"context": st.context, "description": orNull(st.description), "target_url": orNull(st.link),
		"avatar_url": r.s.avatar(creator), "created_at": stamp(st.at), "updated_at": stamp(st.at), "creator": r.s.viewUser(creator),
	}
}

func (s *Server) avatar(u *User) any {
	if v, isObject := s.viewUser(u).(object); isObject {
		return v["avatar_url"]
	}
	return nil
}

// listStatuses is GET …/commits/{ref}/statuses, the newest first.
func listStatuses(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return notFound()
	}
	out := []object{}
	for _, st := range slices.Backward(c.repo.statuses[commit.SHA]) {
		out = append(out, c.repo.viewStatus(st, commit.SHA))
	}
	return ok(page(c, out))
}

// latestStatuses is the newest of each context; contexts compare without regard
// to case.
func (r *Repo) latestStatuses(sha string) []*status {
	var out []*status
	for _, st := range slices.Backward(r.statuses[sha]) {
		if !slices.ContainsFunc(out, func(o *status) bool { return strings.EqualFold(o.context, st.context) }) {
			out = append(out, st)
		}
	}
	return out
}

// getCombined is GET …/commits/{ref}/status.
func getCombined(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return notFound()
	}
	latest := c.repo.latestStatuses(commit.SHA)
	views := []object{}
	for _, st := range latest {
		v := c.repo.viewStatus(st, commit.SHA)
		delete(v, "creator")
		views = append(views, v)
	}
	return ok(object{
		"state": combinedState(latest), "statuses": page(c, views), "sha": commit.SHA, "total_count": len(latest),
		"repository": c.repo.view(), "commit_url": c.repo.api() + "/commits/" + commit.SHA,
		"url": c.repo.api() + "/commits/" + commit.SHA + "/status",
	})
}

// combinedState: failure when one is error or failure, pending when there is
// none or one is pending, else success.
func combinedState(latest []*status) string {
	state := "success"
	if len(latest) == 0 {
		state = "pending"
	}
	for _, st := range latest {
		switch st.state {
		case "error", "failure":
			return "failure"
		case "pending":
			state = "pending"
		}
	}
	return state
}
