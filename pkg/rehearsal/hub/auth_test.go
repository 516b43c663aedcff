package hub_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	user := func(extra ...string) int { return s.send("", "GET", "/user", "", extra...).status }
	equal(t, "anonymous", user(), 401)
	equal(t, "wrong", user("Authorization", "Bearer nonsense"), 401)
	equal(t, "bearer", user("Authorization", "Bearer "+s.secrets["admin"]), 200)
	equal(t, "token", user("Authorization", "token "+s.secrets["admin"]), 200)
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth("x", s.secrets["admin"])
	equal(t, "basic", user("Authorization", req.Header.Get("Authorization")), 200)
	equal(t, "basic, broken", user("Authorization", "Basic %%%"), 401)
	equal(t, "app", s.send("metapipe", "GET", "/user", "").status, 403)
	equal(t, "scopes", s.send("admin", "GET", "/user", "").header.Get("X-OAuth-Scopes"), "repo, user")
	equal(t, "fine-grained", s.send("thin", "GET", "/user", "").object(t)["login"], any("alice"))
	tok := got(s.hub.AddToken(hub.Token{Name: "brief", Kind: hub.Classic, User: "alice", Expires: s.clock.now().Add(time.Minute)}))(t)
	s.secrets["brief"] = tok.Secret
	equal(t, "before its end", s.send("brief", "GET", "/user", "").status, 200)
	s.clock.pass(2 * time.Minute)
	equal(t, "expired", s.send("brief", "GET", "/user", "").status, 401)
	s.hub.RevokeToken("admin")
	equal(t, "revoked", s.send("admin", "GET", "/user", "").status, 401)
	equal(t, "a bad token on a public repository", s.send("admin", "GET", "/repos/ops/manager", "").status, 401)
	for _, bad := range []hub.Token{
		{Name: "thin", Kind: hub.Classic, User: "alice"}, {Name: "n", Kind: hub.Classic, User: "nobody"},
		{Name: "n", Kind: "magic", User: "alice"}, {Name: "n", Kind: hub.App, User: "alice", Repositories: []string{"no/such"}},
	} {
		if _, err := s.hub.AddToken(bad); err == nil {
			t.Errorf("token %+v was accepted", bad)
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	add := func(tok hub.Token) {
		s.secrets[tok.Name] = got(s.hub.AddToken(tok))(t).Secret
	}
	add(hub.Token{Name: "reader", Kind: hub.App, User: "metapipe[bot]", Repositories: []string{"acme/shop"}, Permissions: map[string]string{"statuses": "read"}})
	add(hub.Token{Name: "unscoped", Kind: hub.Classic, User: "ops"})
	add(hub.Token{Name: "status scope", Kind: hub.Classic, User: "ops", Scopes: []string{"repo:status"}})
	add(hub.Token{Name: "ambitious", Kind: hub.FineGrained, User: "mallory", Repositories: []string{"acme/shop", "ops/manager"}, Permissions: map[string]string{"contents": "write"}})
	head := got(s.manager.Head("main"))(t)
	private, public := "/repos/acme/shop", "/repos/ops/manager"
	for _, c := range []struct {
		token, method, path, body string
		want                      int
	}{
		{"", "GET", public, "", 200},
		{"", "GET", private, "", 404},
		{"", "POST", public + "/issues", `{"title":"x"}`, 401},
		{"mallory", "GET", private, "", 404},
		{"mallory", "GET", public + "/contents/metapipe.yml", "", 200},
		{"mallory", "POST", public + "/statuses/" + head, `{"state":"success"}`, 404},
		{"mallory", "POST", public + "/dispatches", `{"event_type":"x"}`, 404},
		{"mallory", "POST", private + "/dispatches", `{"event_type":"x"}`, 404},
		{"unscoped", "GET", private, "", 404}, // the role is there, the scope is not
		{"unscoped", "GET", public, "", 200},
		{"unscoped", "POST", public + "/dispatches", `{"event_type":"x"}`, 404},
		{"status scope", "POST", public + "/statuses/" + head, `{"state":"success"}`, 201},
		{"status scope", "POST", public + "/dispatches", `{"event_type":"x"}`, 404},
		{"thin", "GET", private + "/contents/README.md", "", 200},
		{"thin", "GET", private + "/commits/main/status", "", 403},
		{"thin", "POST", private + "/statuses/" + s.first, `{"state":"success"}`, 403},
		{"thin", "GET", public + "/contents/metapipe.yml", "", 200}, // public, though not among its repositories
		{"thin", "POST", public + "/dispatches", `{"event_type":"x"}`, 403},
		{"reader", "GET", private, "", 200},
		{"reader", "GET", private + "/commits/main/status", "", 200},
		{"reader", "GET", private + "/contents/README.md", "", 403},
		{"reader", "POST", private + "/statuses/" + s.first, `{"state":"success"}`, 403},
		{"job", "POST", public + "/dispatches", `{"event_type":"x"}`, 403},
		{"ambitious", "GET", private, "", 404}, // a token has no more rights than its user
		{"ambitious", "POST", public + "/dispatches", `{"event_type":"x"}`, 403},
		{"admin", "GET", "/repos/acme/none", "", 404},
		{"admin", "GET", "/no/such/path", "", 404},
	} {
		a := s.send(c.token, c.method, c.path, c.body)
		if a.status != c.want {
			t.Errorf("%s: %s %s: got %d %s, want %d", c.token, c.method, c.path, a.status, a.body, c.want)
		}
		if a.object(t)["message"] == nil && a.status >= 400 {
			t.Errorf("%s: %s %s: no message: %s", c.token, c.method, c.path, a.body)
		}
	}
	a := s.send("thin", "POST", private+"/statuses/"+s.first, `{}`)
	equal(t, "message", fmt.Sprint(a.object(t)["message"]), "Resource not accessible by personal access token")
	equal(t, "needed", a.header.Get("X-Accepted-GitHub-Permissions"), "statuses=write")
	a = s.send("reader", "POST", private+"/issues/1/comments", `{"body":"x"}`)
	equal(t, "message", fmt.Sprint(a.object(t)["message"]), "Resource not accessible by integration")
	equal(t, "needed", a.header.Get("X-Accepted-GitHub-Permissions"), "issues=write; pull_requests=write")
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	c, ctx := s.client("admin"), t.Context()
	r, _, err := c.Repositories.Get(ctx, "ACME", "Shop")
	good(t, err)
	equal(t, "case", fmt.Sprint(r.GetID(), r.GetFullName(), r.GetPrivate(), r.GetDefaultBranch()), "4711acme/shoptruemain")
	good(t, s.customer.Rename("store"))
	a := s.send("admin", "GET", "/repos/acme/shop/contents/README.md?ref=main", "")
	equal(t, "old name", a.status, 301)
	equal(t, "redirect", a.header.Get("Location"), s.hub.URL()+"/repositories/4711/contents/README.md?ref=main")
	a = s.send("admin", "POST", "/repos/acme/shop/issues", `{"title": "x"}`)
	equal(t, "write to the old name", a.status, 307)
	equal(t, "redirect of a write", a.header.Get("Location"), s.hub.URL()+"/repositories/4711/issues")
	r, _, err = c.Repositories.Get(ctx, "acme", "shop") // followed
	good(t, err)
	equal(t, "new name", r.GetFullName(), "acme/store")
	enterprise := got(c.WithEnterpriseURLs(s.hub.URL(), s.hub.URL()))(t)
	r, _, err = enterprise.Repositories.Get(ctx, "acme", "shop")
	good(t, err)
	equal(t, "with the prefix of an enterprise server", r.GetID(), 4711)
	r, _, err = c.Repositories.GetByID(ctx, 4711)
	good(t, err)
	equal(t, "by id", r.GetFullName(), "acme/store")
	// The name can change hands, the id cannot.
	got(s.hub.AddRepo("acme", "shop", hub.RepoOptions{Properties: hub.Properties{}}))(t)
	r, _, err = c.Repositories.Get(ctx, "acme", "shop")
	good(t, err)
	if r.GetID() == 4711 {
		t.Error("the new repository has the old id")
	}
	for _, bad := range []func() error{
		func() error { _, err := s.hub.AddRepo("acme", "shop", hub.RepoOptions{}); return err },
		func() error { _, err := s.hub.AddRepo("acme", "x", hub.RepoOptions{ID: 4711}); return err },
		func() error { _, err := s.hub.AddRepo("nobody", "x", hub.RepoOptions{}); return err },
		func() error { _, err := s.hub.AddRepo("acme", "a/b", hub.RepoOptions{}); return err },
		func() error { return s.customer.Rename("shop") },
		func() error { return s.customer.Grant("nobody", hub.Read) },
		func() error { _, err := s.hub.AddUser(hub.User{Login: "Alice"}); return err },
	} {
		if bad() == nil {
			t.Error("a mistake was accepted")
		}
	}
}
