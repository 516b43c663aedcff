package github_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// newOrganization is a fixture in which acme has n repositories of its own, r0000 and so on, that robin
// sees as its owner and in whose name the client asks. Those before are gone.
func newOrganization(t *testing.T, n int) *fixture {
	t.Helper()
	w := newFixture(t)
	w.customer.Remove()
	must(w.hub.Repo("acme/secret"))(t).Remove()
	must(w.hub.AddUser(hub.User{Login: "robin"}))(t)
	check(t, w.hub.AddOwner("acme", "robin"))
	check(t, w.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "dns"}}, hub.PropertyDefinition{Name: "tier", Type: hub.TextProperty}))
	for i := range n {
		w.pass(time.Second)
		repo := w.added(fmt.Sprintf("r%04d", i), hub.RepoOptions{Private: true, Properties: hub.Properties{"tools": []string{"terraform"}, "tier": fmt.Sprint("t", i)}})
		must(repo.Commit("main", hub.Change{Message: "Begin", Files: map[string]hub.File{"infra/variables.yml": {}, fmt.Sprint("f", i): {}}}))(t)
	}
	w.token = must(w.hub.AddToken(hub.Token{Name: "robin", Kind: hub.Classic, User: "robin", Scopes: []string{"repo", "read:org"}}))(t).Secret
	w.hub.ResetCalls()
	return w
}

// added is a new repository of acme that robin sees.
func (w *fixture) added(name string, o hub.RepoOptions) *hub.Repo {
	w.t.Helper()
	repo := must(w.hub.AddRepo("acme", name, o))(w.t)
	check(w.t, repo.Grant("robin", hub.Admin))
	return repo
}

// texts is what a test compares of repositories.
func texts(repos []compliance.Repository) []string {
	var list []string
	for _, r := range repos {
		if r.Err != nil {
			list = append(list, "error")
			continue
		}
		text := answerText(pipeline.RepositoryAnswer{Repository: r.Repository, Properties: r.Properties}) + " @" + r.DefaultBranch
		for _, e := range r.Root {
			text += fmt.Sprintf(" %q", e.Name)
			if e.Directory {
				text += "/"
			}
		}
		for word, is := range map[string]bool{" archived": r.Archived, " fork": r.Fork, " template": r.Template, " dark": !r.RootKnown} {
			if is {
				text += word
			}
		}
		list = append(list, text)
	}
	return list
}

func plain(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf(`acme/r%04d terraform t%d @main "f%d" "infra"/`, i, i, i))
	}
	return list
}

// editing changes the answers to queries before the client reads them.
type editing struct {
	mu sync.Mutex
	n  int
	// edit is called with the number of the query, its text and its variables. A status takes the
	// place of the answer.
	edit func(n int, query string, variables, answer map[string]any) (status int)
}

func edited(edit func(n int, query string, variables, answer map[string]any) int) func(*github.Options) {
	e := &editing{edit: edit}
	return func(o *github.Options) { o.Transport = e }
}

func (e *editing) RoundTrip(req *http.Request) (*http.Response, error) {
	var asked struct {
		Query     string
		Variables map[string]any
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || asked.Query == "" || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	var answer map[string]any
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber()
	if err := errors.Join(decoder.Decode(&answer), resp.Body.Close()); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	if status := e.edit(e.n, asked.Query, asked.Variables, answer); status != 0 {
		resp.StatusCode = status
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Length")
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}

// listIn is the list of an answer at the names.
func listIn(answer map[string]any, names ...string) map[string]any {
	at := answer
	for _, name := range names {
		at, _ = at[name].(map[string]any)
	}
	return at
}

func repositoriesIn(answer map[string]any) map[string]any {
	return listIn(answer, "data", "organization", "repositories")
}

// TestOrganizationRepositories: a thousand repositories with their properties and root trees are ten
// calls, whatever their state.
func TestOrganizationRepositories(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 992)
	want := plain(0, 992)
	none := hub.Properties{}
	w.added("archived", hub.RepoOptions{Properties: none}).Archive(true)
	w.added("template", hub.RepoOptions{Properties: none, Template: true})
	check(t, w.added("old", hub.RepoOptions{Properties: none}).Rename("new"))
	w.added("empty", hub.RepoOptions{Properties: none, DefaultBranch: "trunk"})
	side := w.added("side", hub.RepoOptions{Properties: none})
	must(side.Commit("other", hub.Change{Message: "Aside", Files: map[string]hub.File{"x": {}}}))(t)
	must(w.hub.AddUser(hub.User{Login: "beta", Type: hub.Organization}))(t)
	fork := must(must(w.hub.AddRepo("beta", "source", hub.RepoOptions{}))(t).Fork("acme", "fork"))(t)
	fork.SetProperties(none)
	hostile := w.added("hostile", hub.RepoOptions{Properties: none})
	must(hostile.Commit("main", hub.Change{Message: "Names", Files: map[string]hub.File{
		"\x1b[2J<b>": {}, "a\nb": {}, "::error::x/y": {}, "infra": {Content: []byte("/etc"), Mode: hub.ModeSymlink}, "tree": {}, strings.Repeat("long", 60): {},
	}}))(t)
	last := w.added("r0992", hub.RepoOptions{Properties: hub.Properties{"tools": []string{}}})
	must(w.hub.AddRepo("acme", "unseen", hub.RepoOptions{Private: true}))(t)
	want = append(want, "acme/archived  @ archived", "acme/template  @ template", "acme/new  @", "acme/empty  @", "acme/side  @", "acme/fork  @ fork",
		`acme/hostile  @main "\x1b[2J<b>" "::error::x"/ "a\nb" "infra" "`+strings.Repeat("long", 60)+`" "tree"`, "acme/r0992  @")
	c := w.client()
	repos, err := c.OrganizationRepositories(t.Context(), "Acme")
	check(t, err)
	if diff := cmp.Diff(want, texts(repos)); diff != "" {
		t.Error(diff)
	}
	if b := c.Budget(); len(repos) != 1000 || w.asked() != 10 || b.Reads != 10 || b.Writes != 0 || b.Waited != 0 {
		t.Errorf("%d repositories, %d queries, %+v", len(repos), w.asked(), b)
	}
	if end := repos[999]; end.ID != last.ID() || end.Properties.Get("tools").Form != pipeline.PropertyList || !end.RootKnown || end.Root != nil {
		t.Errorf("%+v", end)
	}
}

// TestOrganizationOrder: in which order and on which pages GitHub answers changes nothing.
func TestOrganizationOrder(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 150)
	odd := must(w.hub.Repo("acme/r0042"))(t)
	odd.FailQueries("", hub.QueryFault{Type: "FORBIDDEN", Message: "no"})
	want := append(append(plain(0, 42), plain(43, 150)...), "error")
	for seed := range uint64(3) {
		shuffle := rand.New(rand.NewPCG(seed, 0)).Shuffle
		c := w.client(edited(func(_ int, _ string, _, answer map[string]any) int {
			delete(answer, "errors") // they name places
			nodes, _ := repositoriesIn(answer)["nodes"].([]any)
			shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
			for _, n := range nodes {
				node, _ := n.(map[string]any)
				entries, _ := listIn(node, "object")["entries"].([]any)
				shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
				values, _ := listIn(node, "values")["nodes"].([]any)
				shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
			}
			return 0
		}))
		repos, err := c.OrganizationRepositories(t.Context(), "acme")
		check(t, err)
		if diff := cmp.Diff(want, texts(repos)); diff != "" {
			t.Error(diff)
		}
	}
	for _, size := range []int{1, 7, 50} {
		w.hub.ClearFaults()
		w.hub.Fail(hubtest.Matcher{Route: "/graphql", Request: firstAbove(size)}, hubtest.Fault{Status: 502, Message: "Something went wrong"}, -1)
		repos, err := w.client().OrganizationRepositories(t.Context(), "acme")
		check(t, err)
		if diff := cmp.Diff(want, texts(repos)); diff != "" {
			t.Error(diff)
		}
	}
}

// firstAbove finds queries for larger pages.
func firstAbove(size int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		var in struct {
			Variables struct{ First, Teams, Repositories int }
		}
		return json.NewDecoder(r.Body).Decode(&in) == nil && max(in.Variables.First, in.Variables.Teams) > size
	}
}

// TestLargeOrganizationPages: what GitHub does not manage is asked for in smaller pages, and larger
// ones are tried again.
func TestLargeOrganizationPages(t *testing.T) {
	t.Parallel()
	gaveUp := hubtest.Fault{Status: 502, Message: "Something went wrong"}
	for name, c := range map[string]struct {
		matches func(*http.Request) bool
		fault   hubtest.Fault
		times   int
		queries int
	}{
		"more than 25 time out": {firstAbove(25), gaveUp, -1, 2 + 5 + 1 + 5 + 1 + 2}, // 50 is tried again after five good pages
		"a page times out once": {firstAbove(1), gaveUp, 1, 1 + 5 + 1},
		"a lost answer":         {firstAbove(1), hubtest.Fault{Reset: true}, 1, 1 + 5 + 1},
		"half an answer":        {firstAbove(1), hubtest.Fault{HalfBody: true}, 1, 1 + 5 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOrganization(t, 300)
			w.hub.Fail(hubtest.Matcher{Route: "/graphql", Request: c.matches}, c.fault, c.times)
			repos, err := w.client().OrganizationRepositories(t.Context(), "acme")
			check(t, err)
			if diff := cmp.Diff(plain(0, 300), texts(repos)); diff != "" || w.asked() != c.queries {
				t.Errorf("%d queries, want %d; %s", w.asked(), c.queries, diff)
			}
		})
	}
}

// TestUnmanageableRepositories: a repository that GitHub does not manage alone has an unknown root and
// unknown properties. Many of them, or one about which it says nothing at all, end the reading.
func TestUnmanageableRepositories(t *testing.T) {
	t.Parallel()
	limits := func(answer map[string]any) int {
		answer["errors"] = []any{map[string]any{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "This query is too much", "path": []any{"organization", "repositories", "nodes", 0, "object"}}}
		return 0
	}
	for name, c := range map[string]struct {
		large   []string
		light   bool // also without its root
		fault   func(answer map[string]any) int
		queries int
		want    string
	}{
		"one":             {[]string{"r0042"}, false, limits, 20, ""},
		"three in a row":  {[]string{"r0041", "r0042", "r0043"}, false, limits, 23, ""},
		"with a 504":      {[]string{"r0042"}, false, func(map[string]any) int { return 504 }, 20 + 5, ""},
		"without a root":  {[]string{"r0042"}, true, limits, 13, "This query is too much"},
		"all of them":     {nil, false, limits, 6 + 21 + 20, "This query is too much"},
		"nothing is said": {nil, true, limits, 6 + 1 + 1, "This query is too much"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOrganization(t, 120)
			client := w.client(edited(func(_ int, query string, _, answer map[string]any) int {
				text := fmt.Sprint(answer)
				hit := c.large == nil || slices.ContainsFunc(c.large, func(name string) bool { return strings.Contains(text, name) })
				if hit && (c.light || strings.Contains(query, "object(")) {
					return c.fault(answer)
				}
				return 0
			}))
			repos, err := client.OrganizationRepositories(t.Context(), "acme")
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || repos != nil {
					t.Errorf("%v, %d repositories", err, len(repos))
				}
			} else {
				check(t, err)
				want := plain(0, 120)
				for _, name := range c.large {
					i := slices.IndexFunc(want, func(text string) bool { return strings.Contains(text, name) })
					want[i] = "acme/" + name + " unknown @main dark"
				}
				if diff := cmp.Diff(want, texts(repos)); diff != "" {
					t.Error(diff)
				}
			}
			if w.asked() != c.queries {
				t.Errorf("%d queries, want %d", w.asked(), c.queries)
			}
		})
	}
}

// TestPartsOfOrganizations: what GitHub does not say of one repository is unknown there, and hides no
// other one.
func TestPartsOfOrganizations(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 8)
	for i, f := range []struct {
		field string
		fault hub.QueryFault
	}{
		{"object", hub.QueryFault{Message: "Timeout on validation"}}, {"object", hub.QueryFault{}}, {"defaultBranchRef", hub.QueryFault{Message: "odd"}}, {"defaultBranchRef", hub.QueryFault{}},
		{"repositoryCustomPropertyValues", hub.QueryFault{Type: "FORBIDDEN", Message: "no"}}, {"repositoryCustomPropertyValues", hub.QueryFault{}}, {"isFork", hub.QueryFault{Message: "The fork is broken " + w.token}},
	} {
		must(w.hub.Repo(fmt.Sprintf("acme/r%04d", i)))(t).FailQueries(f.field, f.fault)
	}
	c := w.client()
	repos, err := c.OrganizationRepositories(t.Context(), "acme")
	check(t, err)
	want := []string{"acme/r0000 terraform t0 @ dark", "acme/r0001 terraform t1 @main dark", "acme/r0002 terraform t2 @ dark", "acme/r0003 terraform t3 @ dark",
		`acme/r0004 unknown @main "f4" "infra"/`, `acme/r0005 unknown @main "f5" "infra"/`, plain(7, 8)[0], "error"}
	if diff := cmp.Diff(want, texts(repos)); diff != "" || w.asked() != 1 || c.Budget().Reads != 1 {
		t.Errorf("%d queries; %s", w.asked(), diff)
	}
	if last := repos[7]; !strings.Contains(last.Err.Error(), "read the repositories of acme on GitHub: The fork is broken ***") || last.ID != 0 || last.Properties.Known() || last.RootKnown {
		t.Errorf("%+v", last)
	}
	many := map[string]string{}
	for i := range 250 {
		many[fmt.Sprintf("p%03d", i)] = fmt.Sprint(i)
	}
	must(w.hub.Repo("acme/r0007"))(t).SetProperties(json.RawMessage(must(json.Marshal(many))(t)))
	w.hub.ResetCalls()
	repos, err = w.client().OrganizationRepositories(t.Context(), "acme")
	check(t, err)
	for name, want := range many {
		if p := repos[6].Properties.Get(name); p.Text != want {
			t.Fatalf("%s: %+v", name, p)
		}
	}
	if w.asked() != 3 {
		t.Errorf("%d queries for 250 properties", w.asked())
	}
}

// TestOldServers: an Enterprise server that does not know the field of the custom properties has them
// in its REST API.
func TestOldServers(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 250)
	old := edited(func(_ int, query string, _, answer map[string]any) int {
		if strings.Contains(query, "repositoryCustomPropertyValues") {
			delete(answer, "data")
			answer["errors"] = []any{map[string]any{"message": "Field 'repositoryCustomPropertyValues' doesn't exist on type 'Repository'", "extensions": map[string]any{"code": "undefinedField"}}}
		}
		return 0
	})
	c := w.client(old)
	repos, err := c.OrganizationRepositories(t.Context(), "acme")
	check(t, err)
	if diff := cmp.Diff(plain(0, 250), texts(repos)); diff != "" || w.asked() != 1+3 || c.Budget().Reads != 1+3+3 {
		t.Errorf("%d queries, %+v; %s", w.asked(), c.Budget(), diff)
	}
	w.hub.Fail(hubtest.Matcher{Route: "/orgs/{org}/properties/values"}, hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1)
	if repos, err := w.client(old).OrganizationRepositories(t.Context(), "acme"); err == nil || repos != nil || !strings.Contains(err.Error(), "give the token the permission to read the custom properties") {
		t.Errorf("%v, %d repositories", err, len(repos))
	}
	nothing := edited(func(_ int, _ string, _, answer map[string]any) int {
		delete(answer, "data")
		answer["errors"] = []any{map[string]any{"message": "Field 'isTemplate' doesn't exist on type 'Repository'", "extensions": map[string]any{"code": "undefinedField"}}}
		return 0
	})
	w.hub.ResetCalls()
	if _, err := w.client(nothing).OrganizationRepositories(t.Context(), "acme"); !errors.Is(err, errors.ErrUnsupported) || w.asked() != 2 {
		t.Errorf("%v, %d queries", err, w.asked())
	}
}

// TestOrganizationRights: what the token may not read is unknown or an error, and never empty.
func TestOrganizationRights(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 2)
	token := func(o hub.Token) func(*github.Options) {
		secret := must(w.hub.AddToken(o))(t).Secret
		return func(o *github.Options) { o.Token = secret }
	}
	both := []string{"acme/r0000", "acme/r0001"}
	thin := token(hub.Token{Name: "thin", Kind: hub.FineGrained, User: "robin", Repositories: both})
	repos, err := w.client(thin).OrganizationRepositories(t.Context(), "acme")
	check(t, err)
	if diff := cmp.Diff([]string{"acme/r0000 terraform t0 @ dark", "acme/r0001 terraform t1 @ dark"}, texts(repos)); diff != "" {
		t.Error(diff)
	}
	stranger := token(hub.Token{Name: "stranger", Kind: hub.Classic, User: "kim", Scopes: []string{"repo"}})
	for name, c := range map[string]struct {
		client       *github.Client
		organization string
		want         string
		invisible    bool
	}{
		"nothing is seen": {w.client(stranger), "acme", "GitHub shows none to this token\n→ give the token access to the repositories of acme", false},
		"a person":        {w.client(), "kim", "make sure that kim is an organization and no person", true},
		"nobody":          {w.client(), "nobody", "Could not resolve to an Organization", true},
		"no text":         {w.client(), "", "Could not resolve to an Organization", true},
		"a hostile name":  {w.client(), "a\"){viewer{login}}", "Could not resolve to an Organization", true},
		"a wrong token":   {w.client(func(o *github.Options) { o.Token = "ghp_wrong" }), "acme", "the token is invalid", false},
	} {
		repos, err := c.client.OrganizationRepositories(t.Context(), c.organization)
		if err == nil || repos != nil || !strings.Contains(err.Error(), c.want) || pipeline.NotVisible(err) != c.invisible {
			t.Errorf("%s: %v, %d repositories", name, err, len(repos))
		}
	}
	for _, one := range both {
		must(w.hub.Repo(one))(t).FailQueries("repositoryCustomPropertyValues", hub.QueryFault{Type: "FORBIDDEN", Message: "no"})
	}
	repos, err = w.client().OrganizationRepositories(t.Context(), "acme")
	check(t, err)
	if diff := cmp.Diff(plain(0, 2), texts(repos)); diff != "" {
		t.Errorf("the other API answers what this one does not: %s", diff)
	}
	if _, err := w.client(thin).OrganizationRepositories(t.Context(), "acme"); err == nil || !strings.Contains(err.Error(), "permission to read the custom properties of organization acme") {
		t.Errorf("no properties at all: %v", err)
	}
	shop := newFixture(t)
	app, _ := shop.appOf()
	if _, err := app.OrganizationRepositories(t.Context(), "acme"); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "use a token") || len(shop.hub.Calls()) != 0 {
		t.Errorf("an App: %v", err)
	}
	if _, err := app.OrganizationTeams(t.Context(), "acme"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the teams of an App: %v", err)
	}
}

// TestOrganizationsMove: a list that changes while it is read is complete, or an error.
func TestOrganizationsMove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *fixture)
		want   string
	}{
		"a new one":     {func(w *fixture) { w.pass(time.Second); w.added("late", hub.RepoOptions{Properties: hub.Properties{}}) }, ""},
		"a new name":    {func(w *fixture) { check(w.t, must(w.hub.Repo("acme/r0120"))(w.t).Rename("aaa")) }, ""},
		"one is gone":   {func(w *fixture) { must(w.hub.Repo("acme/r0003"))(w.t).Remove() }, "run this again: something may have changed while it was read"},
		"another login": {func(w *fixture) { check(w.t, w.hub.RenameUser("acme", "ajax")) }, "present name"},
	} {
		w := newOrganization(t, 130)
		repos, err := w.client(edited(func(n int, _ string, _, _ map[string]any) int {
			if n == 1 {
				c.change(w)
			}
			return 0
		})).OrganizationRepositories(t.Context(), "acme")
		if c.want == "" && (err != nil || len(repos) < 130) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d repositories, %v", name, len(repos), err)
		}
	}
}

// organizationAnswer is an answer with a list of repositories.
func organizationAnswer(total, more, nodes string) string {
	return `{"data":{"organization":{"login":"acme","repositories":{"totalCount":` + total + `,"nodes":[` + nodes + `],"pageInfo":{"hasNextPage":` + more + `}}}}}`
}

func repoNode(id int, more string) string {
	return fmt.Sprintf(`{"databaseId":%d,"nameWithOwner":"acme/r%d","isArchived":false,"isFork":false,"isTemplate":false,"values":{"nodes":[],"pageInfo":{"hasNextPage":false}}%s}`, id, id, more)
}

// TestOrganizationAnswers: an answer that is not whole, or contradicts itself, is an error; a part that is
// missing is unknown.
func TestOrganizationAnswers(t *testing.T) {
	t.Parallel()
	tree := func(entries string) string {
		return organizationAnswer("1", "false", repoNode(1, `,"defaultBranchRef":{"name":"main"},"object":{"entries":`+entries+`}`))
	}
	one := func(more string) string { return organizationAnswer("1", "false", repoNode(1, more)) }
	problem := func(answer, problem string) string {
		return strings.TrimSuffix(answer, "}") + `,"errors":[` + problem + `]}`
	}
	two := repoNode(1, "") + "," + repoNode(2, "")
	for name, c := range map[string]struct{ body, want string }{
		"a submodule":              {tree(`[{"name":"lib","type":"commit"},{"name":"infra","type":"tree"},{"name":"a","type":"blob"},{"name":"b","type":"new"}]`), `acme/r1  @main "a" "b" "infra"/ "lib"`},
		"no entry":                 {tree(`[]`), `acme/r1  @main`},
		"null entries":             {tree(`null`), `acme/r1  @main dark`},
		"a null entry":             {tree(`[null]`), `acme/r1  @main dark`},
		"an entry without a name":  {tree(`[{"type":"tree"}]`), `acme/r1  @main dark`},
		"an entry without a type":  {tree(`[{"name":"infra"}]`), `acme/r1  @main dark`},
		"an entry of a path":       {tree(`[{"name":"infra/x","type":"blob"}]`), `acme/r1  @main dark`},
		"entries that are none":    {tree(`7`), `acme/r1  @main dark`},
		"no commit":                {one(`,"defaultBranchRef":null,"object":null`), `acme/r1  @`},
		"no word of the branch":    {one(`,"object":null`), `acme/r1  @ dark`},
		"no word of the root":      {one(`,"defaultBranchRef":null`), `acme/r1  @ dark`},
		"no word of both":          {one(``), `acme/r1  @ dark`},
		"a branch without a root":  {one(`,"defaultBranchRef":{"name":"main"},"object":null`), `acme/r1  @main dark`},
		"a root without a branch":  {one(`,"defaultBranchRef":null,"object":{"entries":[]}`), `acme/r1  @ dark`},
		"a root that is no tree":   {one(`,"defaultBranchRef":{"name":"main"},"object":{}`), `acme/r1  @main dark`},
		"a branch without a name":  {one(`,"defaultBranchRef":{},"object":{"entries":[]}`), `acme/r1  @ dark`},
		"a null repository":        {organizationAnswer("2", "false", repoNode(1, "")+",null"), `acme/r1  @ dark,error`},
		"a repository without id":  {organizationAnswer("2", "false", repoNode(1, "")+`,{"nameWithOwner":"acme/x"}`), `acme/r1  @ dark,error`},
		"an odd repository":        {organizationAnswer("2", "false", repoNode(1, "")+`,[7]`), `acme/r1  @ dark,error`},
		"no word of a template":    {organizationAnswer("1", "false", strings.Replace(repoNode(1, ""), `,"isTemplate":false`, "", 1)), `error`},
		"an error beside it":       {problem(one(`,"defaultBranchRef":null,"object":null`), `{"message":"odd","path":["organization","repositories","nodes",0]}`), `error`},
		"an error elsewhere in it": {problem(one(`,"defaultBranchRef":null,"object":null`), `{"message":"odd","path":["organization","repositories","nodes",0,"isArchived"]}`), `error`},
		"an error of the limit":    {problem(one(`,"defaultBranchRef":null,"object":null`), `{"message":"odd","path":["rateLimit"]}`), `acme/r1  @`},
		"an error of no node":      {problem(one(``), `{"message":"odd","path":["organization","repositories","nodes",7]}`), "! odd"},
		"an error of no place":     {problem(one(``), `{"message":"odd"}`), "! odd"},
		"an error of the list":     {problem(one(``), `{"message":"odd","path":["organization","repositories","nodes"]}`), "! odd"},
		"an error of the length":   {problem(one(``), `{"message":"odd","path":["organization","repositories","totalCount"]}`), "! odd"},
		"an odd path":              {problem(one(``), `{"message":"odd","path":["organization","repositories","nodes",-1]}`), "! odd"},
		"an odd field":             {problem(one(``), `{"message":"odd","path":["organization","repositories","nodes",0,0]}`), "! odd"},
		"too few":                  {organizationAnswer("2", "false", repoNode(1, "")), "! GitHub counts 2 entries of a list, and 1 were read"},
		"too many":                 {organizationAnswer("1", "false", two), "! GitHub counts 1 entries of a list, and 2 were read"},
		"an id twice":              {organizationAnswer("2", "false", repoNode(1, "")+","+repoNode(1, "")), "! the id 1 is in a list twice"},
		"more without a cursor":    {organizationAnswer("2", "true", repoNode(1, "")), "! the answer does not say where the next page of a list begins"},
		"more than was asked for":  {organizationAnswer("101", "false", strings.TrimSuffix(strings.Repeat("null,", 101), ",")), "! the answer has 101 entries of a list, and 100 were asked for"},
		"no word about more":       {organizationAnswer("1", "null", repoNode(1, "")), "! the answer lacks a list, its length or its end"},
		"no length":                {organizationAnswer("null", "false", repoNode(1, "")), "! the answer lacks a list, its length or its end"},
		"nothing":                  {organizationAnswer("0", "false", ""), "! GitHub shows none to this token"},
		"no list":                  {`{"data":{"organization":{"login":"acme"}}}`, "! the answer lacks a list"},
		"another organization":     {strings.Replace(one(""), `"login":"acme"`, `"login":"beta"`, 1), "! the answer lacks the organization"},
		"another owner":            {strings.Replace(one(""), `"acme/r1"`, `"beta/r1"`, 1), "! the answer has a repository of beta"},
		"null":                     {`{"data":{"organization":null}}`, "! the answer lacks the organization, and says no reason"},
		"a text":                   {`{"data":{"organization":"acme"}}`, "! decode the answer"},
		"the token in a message":   {problem(`{"data":{"organization":null}}`, `{"message":"bad `+token+`\u001b[2J","path":["organization"]}`), "! bad ***"},
		"single sign-on":           {problem(`{"data":{"organization":null}}`, `{"type":"FORBIDDEN","message":"Resource protected by organization SAML enforcement","path":["organization"]}`), "! give the token the permission to read the repositories of acme"},
	} {
		s := serve(t, map[string]http.HandlerFunc{"POST /graphql": answer(200, c.body), "GET /orgs/acme/properties/values": answer(200, "[]")})
		repos, err := s.client(t).OrganizationRepositories(t.Context(), "acme")
		said := strings.Join(texts(repos), ",")
		if err != nil {
			said = "! " + strings.NewReplacer("read the repositories of acme on GitHub: ", "").Replace(err.Error())
			if _, advice, has := strings.Cut(c.want, "! give"); has {
				_, said, _ = strings.Cut(said, "→ give"+advice)
				said = c.want + said
			}
		}
		if want, isError := strings.CutPrefix(c.want, "! "); isError != (err != nil) || isError && !strings.HasPrefix(said, "! "+want) || !isError && said != want || strings.Contains(said, "\x1b") || len(s.seen) != 1 {
			t.Errorf("%s: %q, want %q; %d requests", name, said, c.want, len(s.seen))
		}
	}
}

// TestOrganizationPagesRepeat: a list that does not go on, or goes back, is an error.
func TestOrganizationPagesRepeat(t *testing.T) {
	t.Parallel()
	page := func(total, id int, end string) string {
		return strings.Replace(organizationAnswer(fmt.Sprint(total), "true", repoNode(id, "")), `"hasNextPage":true`, `"hasNextPage":true,"endCursor":"`+end+`"`, 1)
	}
	for name, c := range map[string]struct {
		pages []string
		want  string
	}{
		"the same page":       {[]string{page(9, 1, "a"), page(9, 1, "a")}, "the id 1 is in a list twice"},
		"the same cursor":     {[]string{page(9, 1, "a"), page(9, 2, "a")}, "where the next page"},
		"a page of before":    {[]string{page(9, 1, "a"), page(9, 2, "b"), page(9, 1, "c")}, "the id 1 is in a list twice"},
		"an empty page":       {[]string{page(9, 1, "a"), strings.Replace(page(9, 2, "b"), repoNode(2, ""), "", 1)}, "where the next page"},
		"an end before time":  {[]string{page(9, 1, "a"), organizationAnswer("9", "false", repoNode(2, ""))}, "GitHub counts 9 entries of a list, and 2 were read"},
		"more than there are": {[]string{page(2, 1, "a"), page(2, 2, "b"), page(2, 3, "c")}, "GitHub counts 2 entries of a list, and 3 were read"},
	} {
		var handlers []http.HandlerFunc
		for _, body := range c.pages {
			handlers = append(handlers, answer(200, body))
		}
		s := serve(t, map[string]http.HandlerFunc{"POST /graphql": serialized(handlers...)})
		repos, err := s.client(t).OrganizationRepositories(t.Context(), "acme")
		if err == nil || repos != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "run this again") || len(s.seen) != len(c.pages) {
			t.Errorf("%s: %v; %d requests", name, err, len(s.seen))
		}
	}
}

// TestOrganizationEnds: who has given up is not answered in smaller pages, and a limit is waited for.
func TestOrganizationEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, map[string]http.HandlerFunc{"POST /graphql": func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusBadGateway)
	}})
	if _, err := s.client(t).OrganizationRepositories(ctx, "acme"); err == nil || len(s.seen) != 1 {
		t.Errorf("%v, %d requests", err, len(s.seen))
	}
	w := newOrganization(t, 150)
	check(t, w.hub.SetRemainingPoints("robin", 1))
	c := w.client(func(o *github.Options) { o.MaxWait = 2 * time.Hour })
	if repos, err := c.OrganizationRepositories(t.Context(), "acme"); err != nil || len(repos) != 150 || w.asked() != 2 || w.slept < 59*time.Minute {
		t.Errorf("%d repositories, %v, %d queries, slept %s", len(repos), err, w.asked(), w.slept)
	}
	check(t, w.hub.SetRemainingPoints("robin", 0))
	w.hub.ResetCalls()
	if repos, err := w.client().OrganizationRepositories(t.Context(), "acme"); err == nil || repos != nil || !strings.Contains(err.Error(), "run this again after") || w.asked() != 1 {
		t.Errorf("%v, %d queries", err, w.asked())
	}
}

// TestOrganizationGrows: answers with keys that no one knows are read as before.
func TestOrganizationGrows(t *testing.T) {
	t.Parallel()
	w := newOrganization(t, 3)
	team := must(w.hub.AddTeam("acme", hub.NewTeam{Name: "Crew"}))(t)
	check(t, team.Grant(must(w.hub.Repo("acme/r0001"))(t), hub.PermissionWrite))
	plainClient, grown := w.client(), w.client(func(o *github.Options) { o.Transport = growingBody{`{"a":["b"]}`} })
	if diff := cmp.Diff(texts(must(plainClient.OrganizationRepositories(t.Context(), "acme"))(t)), texts(must(grown.OrganizationRepositories(t.Context(), "acme"))(t))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(must(plainClient.OrganizationTeams(t.Context(), "acme"))(t), must(grown.OrganizationTeams(t.Context(), "acme"))(t)); diff != "" {
		t.Error(diff)
	}
}

// FuzzOrganizationAnswers reads anything as the repositories and the teams of an organization: it is an
// error, or what has an identity, once each, and never a panic.
func FuzzOrganizationAnswers(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"data":null}`, `{"data":{"organization":null}}`, organizationAnswer("0", "false", ""), organizationAnswer("1", "false", repoNode(1, "")), organizationAnswer("1", "true", repoNode(1, "")),
		organizationAnswer("1", "false", repoNode(1, `,"defaultBranchRef":{"name":"main"},"object":{"entries":[{"name":"infra","type":"tree"}]}`)), organizationAnswer("2", "false", "null,null"), organizationAnswer("2", "false", `7,{"databaseId":1e99}`),
		organizationAnswer("1", "false", strings.Replace(repoNode(1, ""), `"hasNextPage":false`, `"hasNextPage":true,"endCursor":"x"`, 1)),
		`{"data":{"organization":{"login":"acme","viewerIsAMember":true,"teams":{"totalCount":1,"nodes":[` + teamJSON("1", 1, "false", edgeJSON("READ", 7)) + `],"pageInfo":{"hasNextPage":false}}}}}`,
		`{"data":{"organization":{"login":"acme","teams":{"totalCount":1,"nodes":[` + teamJSON("1", 9, `true,"endCursor":"x"`, edgeJSON("ADMIN", 7)) + `],"pageInfo":{"hasNextPage":false}}}}}`,
		`{"data":{},"errors":[{"message":"x","path":["organization","repositories","nodes",0,"object"]},{"path":[0,{}]}]}`, `{"errors":[{"message":"x","extensions":{"code":"undefinedField"}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := github.New(github.Options{Transport: canned(raw), Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
		if err != nil {
			t.Fatal(err)
		}
		repos, err := c.OrganizationRepositories(t.Context(), "acme")
		if (err == nil) != (len(repos) > 0) {
			t.Errorf("%d repositories, %v", len(repos), err)
		}
		seen := map[int64]bool{}
		for _, r := range repos {
			if r.Err != nil && (r.ID != 0 || r.RootKnown || r.Properties.Known()) || r.Err == nil && (r.ID <= 0 || !strings.EqualFold(r.Owner, "acme") || seen[r.ID]) || !r.RootKnown && r.Root != nil {
				t.Errorf("%+v", r)
			}
			seen[r.ID] = true
		}
		teams, err := c.OrganizationTeams(t.Context(), "acme")
		if err != nil && teams != nil {
			t.Errorf("%d teams, %v", len(teams), err)
		}
		seen = map[int64]bool{}
		for _, one := range teams {
			if one.ID <= 0 || one.Slug == "" || one.Name == "" || one.Permissions == nil || seen[one.ID] {
				t.Errorf("%+v", one)
			}
			seen[one.ID] = true
		}
	})
}
