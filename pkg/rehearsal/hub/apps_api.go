package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var appRoutes = []route{
	{"GET", "/app", nil, false, getApp},
	{"POST", "/app/installations/{installation_id}/access_tokens", nil, false, postAccessToken},
	{"GET", inRepo + "/installation", nil, false, getInstallation},
}

// getApp is GET /app.
func getApp(c *call) reply {
	a := c.app
	owner, err := c.s.user(a.Owner)
	if err != nil {
		return notFound()
	}
	return ok(object{
		"id": a.id, "slug": a.Slug, "node_id": nodeID("A", a.id), "client_id": fmt.Sprintf("Iv23li%014d", a.id), "owner": c.s.viewUser(owner),
		"name": a.Slug, "description": "", "external_url": c.s.url, "html_url": c.s.url + "/apps/" + a.Slug,
		"created_at": stamp(a.made), "updated_at": stamp(a.made), "permissions": a.allowed(), "events": []string{},
		"installations_count": len(a.installations),
	})
}

func (a *app) allowed() map[string]string {
	all := map[string]string{"metadata": "read"}
	for name, level := range a.Permissions {
		all[name] = level
	}
	return all
}

// getInstallation is GET /repos/{owner}/{repo}/installation.
func getInstallation(c *call) reply {
	r := c.s.repos[c.s.names[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]]
	if r == nil {
		return notFound()
	}
	in := c.app.at(r)
	if in == nil || !in.repos[r.id] {
		return notFound()
	}
	owner, err := c.s.user(r.owner)
	if err != nil {
		return notFound()
	}
	self := fmt.Sprintf("%s/app/installations/%d", c.s.url, in.id)
	v := object{
		"id": in.id, "account": c.s.viewUser(owner), "repository_selection": "selected", "access_tokens_url": self + "/access_tokens",
		"repositories_url": c.s.url + "/installation/repositories", "html_url": fmt.Sprintf("%s/settings/installations/%d", c.s.url, in.id),
		"app_id": c.app.id, "app_slug": c.app.Slug, "target_id": owner.ID, "target_type": string(owner.Type), "permissions": c.app.allowed(),
		"events": []string{}, "created_at": stamp(in.made), "updated_at": stamp(in.made), "single_file_name": nil,
		"suspended_by": nil, "suspended_at": nil,
	}
	if in.suspended {
		v["suspended_at"] = stamp(c.s.clock())
	}
	return ok(v)
}

// postAccessToken is POST /app/installations/{installation_id}/access_tokens. The
// token can be cut down to some repositories and permissions, and not widened.
func postAccessToken(c *call) reply {
	i := slices.IndexFunc(c.app.installations, func(in *installation) bool {
		return strconv.FormatInt(in.id, 10) == c.params["installation_id"]
	})
	if i < 0 {
		return notFound()
	}
	in := c.app.installations[i]
	if in.suspended {
		return problem(http.StatusForbidden, "This installation has been suspended")
	}
	var asked struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if len(c.body) > 0 {
		if refusal, good := c.decode(&asked); !good {
			return refusal
		}
	}
	t := &Token{
		Kind: App, User: c.app.Slug + "[bot]", Secret: "ghs_" + randomHex(18), Permissions: c.app.allowed(),
		Expires: c.s.clock().Add(installationTokenLife), repos: in.repos, installation: in,
	}
	t.Name = fmt.Sprintf("%s %d", c.app.Slug, c.s.id("token"))
	if asked.Permissions != nil {
		if err := narrow(c.app.allowed(), asked.Permissions); err != nil {
			return problem(http.StatusUnprocessableEntity, err.Error())
		}
		t.Permissions = asked.Permissions
	}
	selection := "all"
	if asked.Repositories != nil || asked.RepositoryIDs != nil {
		selection = "selected"
		t.repos = c.s.chosen(in, asked.Repositories, asked.RepositoryIDs)
		if t.repos == nil {
			return problem(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
	}
	c.s.tokens[t.Secret] = t
	return reply{status: http.StatusCreated, body: object{
		"token": t.Secret, "expires_at": stamp(t.Expires), "permissions": t.Permissions, "repository_selection": selection,
	}}
}

// chosen are the asked repositories of an installation; nil when one of them is
// not among its own.
func (s *Server) chosen(in *installation, names []string, ids []int64) map[int64]bool {
	out := map[int64]bool{}
	for _, name := range names {
		r := s.repos[s.names[in.owner+"/"+strings.ToLower(name)]]
		if r == nil || !r.named(r.owner, name) {
			return nil
		}
		ids = append(ids, r.id)
	}
	for _, id := range ids {
		if !in.repos[id] {
			return nil
		}
		out[id] = true
	}
	return out
}
