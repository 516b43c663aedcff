package hub_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// company is a fixture in which acme has more repositories, teams and people: "owner" (classic, of
// an owner), "member" (classic, of alice, who is in a secret team), "outsider" (classic, with the
// scope but of no member), "scopeless" (classic, of the owner without read:org), "staff" (an App
// that may read the members of acme), and "watcher" (fine-grained, of alice).
type company struct {
	*fixture
	teams map[string]*hub.Team
}

func newCompany(t *testing.T) company {
	t.Helper()
	s := newFixture(t, hub.Options{})
	good(t, s.hub.AddOwner("acme", "ops"))
	for name, o := range map[string]hub.RepoOptions{"docs": {}, "starter": {Template: true, Private: true}, "empty": {Private: true, DefaultBranch: "trunk"}} {
		o.Properties = hub.Properties{}
		r := got(s.hub.AddRepo("acme", name, o))(t)
		good(t, r.Grant("ops", hub.Admin))
	}
	c := company{s, map[string]*hub.Team{}}
	for _, n := range []hub.NewTeam{{Name: "Platform Crew", Members: []string{"alice"}}, {Name: "Vault", Secret: true, Members: []string{"alice"}}, {Name: "Board", Secret: true}} {
		c.teams[n.Name] = got(s.hub.AddTeam("acme", n))(t)
	}
	for name, tok := range map[string]hub.Token{
		"owner": {Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "read:org"}}, "member": {Kind: hub.Classic, User: "alice", Scopes: []string{"repo", "read:org"}},
		"outsider": {Kind: hub.Classic, User: "mallory", Scopes: []string{"repo", "read:org"}}, "scopeless": {Kind: hub.Classic, User: "ops", Scopes: []string{"repo"}},
		"staff":   {Kind: hub.App, User: "metapipe[bot]", Repositories: []string{"acme/shop"}, Permissions: map[string]string{"members": "read"}},
		"watcher": {Kind: hub.FineGrained, User: "alice", Repositories: []string{"acme/shop"}, Permissions: map[string]string{"members": "read", "contents": "read"}},
	} {
		tok.Name = name
		s.secrets[name] = got(s.hub.AddToken(tok))(t).Secret
	}
	return c
}

func (c company) repo(slug string) *hub.Repo {
	c.t.Helper()
	return got(c.hub.Repo(slug))(c.t)
}

// queryCase is a query with its answer.
type queryCase struct{ token, query, want string }

func (c company) check(cases map[string]queryCase) {
	c.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		if got := c.query(cases[name].token, cases[name].query, nil); got.status != 200 || got.body != cases[name].want {
			c.t.Errorf("%s: %d %s\nwant %s", name, got.status, got.body, cases[name].want)
		}
	}
}

func organization(fields string) string { return `{organization(login:"ACME"){` + fields + `}}` }

const inNameOrder = `first:100,orderBy:{field:NAME,direction:ASC}`

// TestOrganizationRepositories: what the token does not see is left out and not counted.
func TestOrganizationRepositories(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	fork := got(c.manager.Fork("acme", "manager"))(t)
	fork.SetProperties(hub.Properties{})
	c.repo("acme/docs").Archive(true)
	names := organization(`repositories(` + inNameOrder + `){totalCount nodes{nameWithOwner}}`)
	list := func(slugs ...string) string {
		nodes := []map[string]string{}
		for _, slug := range slugs {
			nodes = append(nodes, map[string]string{"nameWithOwner": slug})
		}
		return fmt.Sprintf(`{"data":{"organization":{"repositories":{"nodes":%s,"totalCount":%d}}}}`, got(json.Marshal(nodes))(t), len(slugs))
	}
	all := []string{"acme/docs", "acme/empty", "acme/manager", "acme/shop", "acme/starter"}
	c.check(map[string]queryCase{
		"owner":    {"owner", names, list(all...)},
		"member":   {"member", names, list("acme/docs", "acme/manager", "acme/shop")},
		"outsider": {"outsider", names, list("acme/docs", "acme/manager")},
		"App":      {"staff", names, list("acme/docs", "acme/manager", "acme/shop")},
		"person": {"owner", `{organization(login:"ops"){login}}`,
			`{"data":{"organization":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve to an Organization with the login of 'ops'.","path":["organization"]}]}`},
		"facts": {"owner", organization(`login viewerIsAMember repositories(` + inNameOrder + `){nodes{isArchived isFork isTemplate defaultBranchRef{name}}}`),
			`{"data":{"organization":{"login":"acme","repositories":{"nodes":[{"defaultBranchRef":null,"isArchived":true,"isFork":false,"isTemplate":false},` +
				`{"defaultBranchRef":null,"isArchived":false,"isFork":false,"isTemplate":false},{"defaultBranchRef":{"name":"main"},"isArchived":false,"isFork":true,"isTemplate":false},` +
				`{"defaultBranchRef":{"name":"main"},"isArchived":false,"isFork":false,"isTemplate":false},{"defaultBranchRef":null,"isArchived":false,"isFork":false,"isTemplate":true}]},"viewerIsAMember":true}}}`},
		"of others": {"owner", organization(`repositories(first:1,ownerAffiliations:[COLLABORATOR]){totalCount}`), `{"data":{"organization":{"repositories":{"totalCount":0}}}}`},
		"stranger":  {"outsider", organization(`viewerIsAMember`), `{"data":{"organization":{"viewerIsAMember":false}}}`},
	})
	if a := c.send("owner", "GET", "/repos/acme/starter", "").object(t); a["is_template"] != true {
		t.Errorf("the other API does not know the template: %v", a["is_template"])
	}
	good(t, c.customer.Rename("anew"))
	c.check(map[string]queryCase{"renamed": {"member", names, list("acme/anew", "acme/docs", "acme/manager")}})
	good(t, c.hub.RenameUser("acme", "ajax"))
	if a := c.query("owner", names, nil); !strings.Contains(a.body, "NOT_FOUND") {
		t.Errorf("the former login of the organization: %s", a.body)
	}
}

// TestRootTrees: an expression names a commit, a tree, a file or nothing.
func TestRootTrees(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.commit(c.customer, "side", map[string]string{"aside": "x"})
	head := c.commit(c.customer, "main", map[string]string{"<b>\"x\n": "1", "zoo/a": "1"})
	got(c.customer.Commit("main", hub.Change{Message: "Link", Files: map[string]hub.File{"link": {Content: []byte("zoo"), Mode: hub.ModeSymlink}}}))(t)
	ask := func(slug, expression string) string {
		owner, name, _ := strings.Cut(slug, "/")
		return fmt.Sprintf(`{repository(owner:%q,name:%q){object(expression:%q){__typename ...on Tree{entries{name type}}}}}`, owner, name, expression)
	}
	answer := func(text string) string { return `{"data":{"repository":{"object":` + text + `}}}` }
	root := answer(`{"__typename":"Tree","entries":[{"name":"<b>\"x\n","type":"blob"},{"name":"README.md","type":"blob"},{"name":"infra","type":"tree"},{"name":"link","type":"blob"},{"name":"zoo","type":"tree"}]}`)
	c.check(map[string]queryCase{
		"root":       {"owner", ask("acme/shop", "HEAD:"), root},
		"watcher":    {"watcher", ask("acme/shop", "HEAD:"), root},
		"directory":  {"owner", ask("acme/shop", "HEAD:infra"), answer(`{"__typename":"Tree","entries":[{"name":"variables.yml","type":"blob"}]}`)},
		"branch":     {"owner", ask("acme/shop", "side:"), answer(`{"__typename":"Tree","entries":[{"name":"README.md","type":"blob"},{"name":"aside","type":"blob"},{"name":"infra","type":"tree"}]}`)},
		"file":       {"owner", ask("acme/shop", "HEAD:README.md"), answer(`{"__typename":"Blob"}`)},
		"commit":     {"owner", ask("acme/shop", head), answer(`{"__typename":"Commit"}`)},
		"no path":    {"owner", ask("acme/shop", "HEAD:nothing"), answer("null")},
		"no branch":  {"owner", ask("acme/shop", "nothing:"), answer("null")},
		"no commit":  {"owner", ask("acme/empty", "HEAD:"), answer("null")},
		"expression": {"owner", ask("acme/shop", ""), answer("null")},
		"no contents": {"staff", ask("acme/shop", "HEAD:"),
			`{"data":{"repository":{"object":null}},"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration","path":["repository","object"]}]}`},
		"no contents, branch": {"staff", `{repository(owner:"acme",name:"shop"){defaultBranchRef{name}}}`,
			`{"data":{"repository":{"defaultBranchRef":null}},"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration","path":["repository","defaultBranchRef"]}]}`},
		"public": {"staff", `{repository(owner:"ops",name:"manager"){object(expression:"HEAD:"){...entries}}}fragment entries on Tree{entries{name}}`, answer(`{"entries":[{"name":"metapipe.yml"}]}`)},
	})
}

// TestTeams: who sees which teams with which repositories.
func TestTeams(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	crew, vault := c.teams["Platform Crew"], c.teams["Vault"]
	good(t, crew.Grant(c.customer, hub.PermissionMaintain))
	good(t, crew.Grant(c.repo("acme/docs"), hub.PermissionTriage))
	good(t, vault.Grant(c.repo("acme/empty"), hub.PermissionAdmin))
	slugs := organization(`teams(first:100){totalCount nodes{slug}}`)
	list := func(slugs ...string) string {
		nodes := []map[string]string{}
		for _, slug := range slugs {
			nodes = append(nodes, map[string]string{"slug": slug})
		}
		return fmt.Sprintf(`{"data":{"organization":{"teams":{"nodes":%s,"totalCount":%d}}}}`, got(json.Marshal(nodes))(t), len(slugs))
	}
	one := func(slug string) string {
		return organization(`team(slug:"` + slug + `"){databaseId name repositories(first:100){totalCount edges{permission node{nameWithOwner}}pageInfo{hasNextPage}}}`)
	}
	forbidden := `{"data":{"organization":null},"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration","path":["organization","teams"]}]}`
	seen := func(team *hub.Team, name, edges string, n int) string {
		return fmt.Sprintf(`{"data":{"organization":{"team":{"databaseId":%d,"name":%q,"repositories":{"edges":[%s],"pageInfo":{"hasNextPage":false},"totalCount":%d}}}}}`, team.ID(), name, edges, n)
	}
	shop, docs := `{"node":{"nameWithOwner":"acme/shop"},"permission":"MAINTAIN"}`, `{"node":{"nameWithOwner":"acme/docs"},"permission":"TRIAGE"}`
	both := docs + "," + shop
	if c.repo("acme/docs").ID() > c.customer.ID() {
		both = shop + "," + docs
	}
	c.check(map[string]queryCase{
		"owner":            {"owner", slugs, list("board", "platform-crew", "vault")},
		"member":           {"member", slugs, list("platform-crew", "vault")},
		"watcher":          {"watcher", slugs, list("platform-crew", "vault")},
		"App":              {"staff", slugs, list("board", "platform-crew", "vault")},
		"outsider":         {"outsider", slugs, list()},
		"no permission":    {"metapipe", slugs, forbidden},
		"of a job":         {"job", slugs, forbidden},
		"not even by name": {"metapipe", one("vault"), strings.NewReplacer(`"organization":null`, `"organization":{"team":null}`, `"teams"]`, `"team"]`).Replace(forbidden)},
		"no scope": {"scopeless", slugs, `{"errors":[{"type":"INSUFFICIENT_SCOPES","message":"Your token has not been granted the required scopes to execute this query. The 'teams' field requires one of the following scopes: ['read:org'], ` +
			`but your token has only been granted the: ['repo'] scopes. Please modify your token's scopes at: https://github.com/settings/tokens."}]}`},
		"repositories":      {"owner", one("platform-crew"), seen(crew, "Platform Crew", both, 2)},
		"by name":           {"owner", one("Platform Crew"), seen(crew, "Platform Crew", both, 2)},
		"by a role of hers": {"member", one("vault"), seen(vault, "Vault", `{"node":{"nameWithOwner":"acme/empty"},"permission":"ADMIN"}`, 1)},
		"unseen repository": {"staff", one("vault"), seen(vault, "Vault", "", 0)},
		"unseen team":       {"member", one("board"), `{"data":{"organization":{"team":null}}}`},
		"no team":           {"owner", one("nothing"), `{"data":{"organization":{"team":null}}}`},
	})
	good(t, crew.Rename("Base"))
	good(t, c.customer.Transfer("mallory"))
	good(t, c.hub.RenameUser("alice", "alicia"))
	c.check(map[string]queryCase{
		"renamed":     {"owner", one("base"), seen(crew, "Base", docs, 1)},
		"former slug": {"owner", one("platform-crew"), `{"data":{"organization":{"team":null}}}`},
		"her login":   {"member", slugs, list("base", "vault")},
	})
	good(t, crew.Grant(c.repo("acme/docs"), ""))
	c.repo("acme/empty").Remove()
	vault.Remove()
	good(t, c.hub.DeleteUser("alicia"))
	c.check(map[string]queryCase{"nothing left": {"owner", one("base"), seen(crew, "Base", "", 0)}, "removed": {"owner", slugs, list("base", "board")}})
}

// TestTeamRoles: a member of a team may do in a repository what the team may.
func TestTeamRoles(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	starter := c.repo("acme/starter")
	for _, step := range []struct {
		permission hub.Permission
		want       map[string]any
	}{
		{hub.PermissionRead, map[string]any{"pull": true, "push": false, "admin": false}}, {hub.PermissionWrite, map[string]any{"pull": true, "push": true, "admin": false}},
		{hub.PermissionAdmin, map[string]any{"pull": true, "push": true, "admin": true}}, {"", nil},
	} {
		good(t, c.teams["Vault"].Grant(starter, step.permission))
		have, _ := c.send("member", "GET", "/repos/acme/starter", "").object(t)["permissions"].(map[string]any)
		for name, want := range step.want {
			if have[name] != want {
				t.Errorf("%s: %s is %v", step.permission, name, have[name])
			}
		}
		if (have != nil) != (step.want != nil) {
			t.Errorf("%q: %v", step.permission, have)
		}
	}
	for name, err := range map[string]error{
		"a person's team":    second(c.hub.AddTeam("ops", hub.NewTeam{Name: "x"})),
		"nobody's team":      second(c.hub.AddTeam("nobody", hub.NewTeam{Name: "x"})),
		"an unknown member":  second(c.hub.AddTeam("acme", hub.NewTeam{Name: "x", Members: []string{"nobody"}})),
		"no name":            second(c.hub.AddTeam("acme", hub.NewTeam{Name: "?"})),
		"a taken slug":       second(c.hub.AddTeam("acme", hub.NewTeam{Name: "platform crew!"})),
		"a taken new name":   c.teams["Board"].Rename("vault"),
		"another account":    c.teams["Board"].Grant(c.manager, hub.PermissionRead),
		"unknown permission": c.teams["Board"].Grant(starter, "push"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	good(t, c.teams["Board"].Rename("BOARD"))
}

func second[T any](_ T, err error) error { return err }

// paged reads a list of acme's repositories page by page, and calls between after each page.
func (c company) paged(order string, between func(page int)) (names []string) {
	c.t.Helper()
	var after any
	for page := 0; ; page++ {
		a := c.query("owner", `query($c:String){organization(login:"acme"){repositories(first:3,after:$c,orderBy:`+order+`){nodes{nameWithOwner}pageInfo{hasNextPage endCursor}}}}`, map[string]any{"c": after})
		var got struct {
			Data struct {
				Organization struct {
					Repositories struct {
						Nodes    []struct{ NameWithOwner string }
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
					}
				}
			}
		}
		good(c.t, json.Unmarshal([]byte(a.body), &got))
		list := got.Data.Organization.Repositories
		for _, n := range list.Nodes {
			names = append(names, strings.TrimPrefix(n.NameWithOwner, "acme/"))
		}
		if after = list.PageInfo.EndCursor; !list.PageInfo.HasNextPage {
			return names
		}
		between(page)
	}
}

// TestOrganizationPages: a cursor holds its place when repositories come, go and change their names.
func TestOrganizationPages(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	for _, name := range []string{"docs", "starter", "empty"} {
		c.repo("acme/" + name).Remove()
	}
	for i := range 6 {
		got(c.hub.AddRepo("acme", fmt.Sprint("r", i), hub.RepoOptions{}))(t)
	}
	still := func(int) {}
	equal(t, "created", strings.Join(c.paged("{field:CREATED_AT,direction:ASC}", still), " "), "shop r0 r1 r2 r3 r4 r5")
	equal(t, "newest first", strings.Join(c.paged("{field:CREATED_AT,direction:DESC}", still), " "), "r5 r4 r3 r2 r1 r0 shop")
	equal(t, "by name", strings.Join(c.paged("{field:NAME,direction:ASC}", still), " "), "r0 r1 r2 r3 r4 r5 shop")
	have := c.paged("{field:CREATED_AT,direction:ASC}", func(page int) {
		if page == 0 {
			c.repo("acme/r0").Remove()
			good(t, c.repo("acme/r2").Rename("aaa"))
			got(c.hub.AddRepo("acme", "late", hub.RepoOptions{}))(t)
		}
	})
	equal(t, "meanwhile", strings.Join(have, " "), "shop r0 r1 aaa r3 r4 r5 late")
}

// TestNestedLimits: a list inside of another one counts once for each entry that the other one
// can have.
func TestNestedLimits(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	nested := func(outer, inner int) string {
		return fmt.Sprintf(`{rateLimit{cost nodeCount}organization(login:"acme"){repositories(first:%d){nodes{repositoryCustomPropertyValues(first:%d){totalCount}}}}}`, outer, inner)
	}
	for query, want := range map[string]string{
		nested(100, 100): `"rateLimit":{"cost":1,"nodeCount":10100}`,
		nested(10, 1):    `"rateLimit":{"cost":1,"nodeCount":20}`,
		nested(101, 1):   `"type":"EXCESSIVE_PAGINATION"`,
		`{rateLimit{cost nodeCount}organization(login:"acme"){a:repositories(first:100){nodes{repositoryCustomPropertyValues(first:1){totalCount}}}b:repositories(first:100){nodes{repositoryCustomPropertyValues(first:1){totalCount}}}}}`: `"cost":2,"nodeCount":400`,
		`{organization(login:"acme"){` + strings.Repeat(`repositories(first:100){nodes{repositoryCustomPropertyValues(first:100){totalCount}}}`, 50) + `}}`:                                                                                 `"type":"MAX_NODE_LIMIT_EXCEEDED"`,
		`{organization(login:"acme"){repositories{totalCount}}}`:                                        `"type":"MISSING_PAGINATION_BOUNDARIES"`,
		`{organization(login:"acme"){repositories(first:1,after:"Y3Vyc29y"){totalCount}}}`:              `"type":"INVALID_CURSOR_ARGUMENTS"`,
		`{organization(login:"acme"){repositories(first:1,orderBy:{field:SIZE,direction:ASC}){nodes}}}`: `"errors":[{"message":`,
	} {
		if a := c.query("owner", query, nil); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%.150s: %d %.300s, want %s", query, a.status, a.body, want)
		}
	}
}

// TestQueryFaults: what a test takes out of the answers is null, with an error or without, up to
// the next field that can be null.
func TestQueryFaults(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	docs := c.repo("acme/docs")
	good(t, c.teams["Vault"].Grant(docs, hub.PermissionRead))
	list := organization(`repositories(first:1,orderBy:{field:NAME,direction:ASC}){nodes{nameWithOwner object(expression:"HEAD:"){oid}}}`)
	team := organization(`team(slug:"vault"){repositories(first:1){edges{permission node{nameWithOwner}}}}`)
	docs.FailQueries("object", hub.QueryFault{Message: "Something is odd"})
	c.check(map[string]queryCase{"a field": {"owner", list, `{"data":{"organization":{"repositories":{"nodes":[{"nameWithOwner":"acme/docs","object":null}]}}},` +
		`"errors":[{"message":"Something is odd","path":["organization","repositories","nodes",0,"object"]}]}`}})
	docs.FailQueries("", hub.QueryFault{Type: "FORBIDDEN", Message: "Resource protected"})
	c.check(map[string]queryCase{
		"a repository": {"owner", list, `{"data":{"organization":{"repositories":{"nodes":[null]}}},"errors":[{"type":"FORBIDDEN","message":"Resource protected","path":["organization","repositories","nodes",0]}]}`},
		"of a team":    {"owner", team, `{"data":{"organization":{"team":{"repositories":{"edges":[null]}}}},"errors":[{"type":"FORBIDDEN","message":"Resource protected","path":["organization","team","repositories","edges",0,"node"]}]}`},
	})
	docs.FailQueries("", hub.QueryFault{})
	c.check(map[string]queryCase{"without a reason": {"owner", list, `{"data":{"organization":{"repositories":{"nodes":[null]}}}}`}})
	docs.HealQueries()
	c.check(map[string]queryCase{"healed": {"owner", team, `{"data":{"organization":{"team":{"repositories":{"edges":[{"node":{"nameWithOwner":"acme/docs"},"permission":"READ"}]}}}}}`}})
}
