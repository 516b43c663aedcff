package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// query sends a query and returns the answer.
func (s *fixture) query(token, text string, variables map[string]any) answer {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	good(s.t, err)
	return s.send(token, "POST", "/graphql", string(body))
}

// TestQueries: fields are answered from the state and under the rules of the other paths.
func TestQueries(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"dns", "terraform"}},
		hub.PropertyDefinition{Name: "tier", Type: hub.TextProperty, Required: true, Default: "free"}, hub.PropertyDefinition{Name: "team", Type: hub.TextProperty}))
	s.customer.SetProperties(hub.Properties{"tools": []string{"dns"}})
	const fields = "{databaseId nameWithOwner isArchived isPrivate repositoryCustomPropertyValues(first:%s){totalCount nodes{propertyName value}pageInfo{hasNextPage endCursor}}}"
	shop := `query($o:String!,$n:String!){repository(owner:$o,name:$n)` + fmt.Sprintf(fields, "100") + `}`
	names := map[string]any{"o": "acme", "n": "shop"}
	seen := `{"data":{"repository":{"databaseId":4711,"isArchived":false,"isPrivate":true,"nameWithOwner":"acme/shop",` +
		`"repositoryCustomPropertyValues":{"nodes":[{"propertyName":"tier","value":"free"},{"propertyName":"tools","value":["dns"]}],"pageInfo":{"endCursor":"Y3Vyc29yOnYyOjI=","hasNextPage":false},"totalCount":2}}}}`
	absent := `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve to a Repository with the name 'acme/shop'.","path":["repository"]}]}`
	for _, c := range []struct {
		token, query string
		variables    map[string]any
		want         string
	}{
		{"admin", shop, names, seen},
		{"metapipe", shop, names, seen},
		{"thin", shop, names, seen},
		{"mallory", shop, names, absent},
		{"metapipe", "{viewer{login}}", nil, `{"data":{"viewer":{"login":"metapipe[bot]"}}}`},
		{"job", "{a:viewer{who:login ...on User{login}}}", nil, `{"data":{"a":{"login":"github-actions[bot]","who":"github-actions[bot]"}}}`},
		{"admin", `{repository(owner:"ops",name:"manager"){isPrivate repositoryCustomPropertyValues(first:1){totalCount}}}`, nil,
			`{"data":{"repository":{"isPrivate":false,"repositoryCustomPropertyValues":null}},"errors":[{"type":"NOT_ORG_OWNED_REPO","message":"All repositories must belong to an organization to view custom property values.","path":["repository","repositoryCustomPropertyValues"]}]}`},
	} {
		if got := s.query(c.token, c.query, c.variables); got.status != 200 || got.body != c.want {
			t.Errorf("%s %s: %d %s\nwant %s", c.token, c.query, got.status, got.body, c.want)
		}
	}
	if a := s.query("", shop, names); a.status != 401 {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	if a := s.send("admin", "POST", "/api/graphql", `{"query":"{viewer{login}}"}`); a.status != 200 || !strings.Contains(a.body, `"ops"`) {
		t.Errorf("the address of an Enterprise server: %d %s", a.status, a.body)
	}
	good(t, s.customer.Rename("store"))
	if a := s.query("admin", shop, names); !strings.Contains(a.body, `"nameWithOwner":"acme/store"`) {
		t.Errorf("the old name: %s", a.body)
	}
	if a := s.query("admin", strings.Replace(shop, "name:$n", "name:$n,followRenames:false", 1), names); a.body != absent {
		t.Errorf("the old name, without renames: %s", a.body)
	}
}

// TestBadQueries: what GitHub would not answer has errors and no data, or no data at their place.
func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	values := func(arguments string) string {
		return `{repository(owner:"acme",name:"shop"){repositoryCustomPropertyValues` + arguments + `{totalCount}}}`
	}
	many := "{"
	for i := range 5001 {
		many += fmt.Sprintf(`r%d:repository(owner:"acme",name:"shop"){repositoryCustomPropertyValues(first:100){totalCount}}`, i)
	}
	for query, want := range map[string]string{
		"{":                           `"errors":[{"message":"Expected Name`,
		"":                            `{"errors":[`,
		"{viewer}":                    `{"errors":[`,
		"{viewer{login}}{viewer{id}}": `{"errors":[`,
		"mutation{deleteRef}":         `{"errors":[`,
		"query($o:String!){repository(owner:$o,name:\"x\"){databaseId}}": `"code":"variableMismatch"`,
		`{repository(owner:"acme",name:"shop"){customProperties}}`:       `"extensions":{"code":"undefinedField"}`,
		values(""):                    `"type":"MISSING_PAGINATION_BOUNDARIES"`,
		values("(first:101)"):         `"type":"EXCESSIVE_PAGINATION"`,
		values(`(first:1,after:"x")`): `"type":"INVALID_CURSOR_ARGUMENTS"`,
		many + "}":                    `"type":"MAX_NODE_LIMIT_EXCEEDED"`,
	} {
		a := s.query("admin", query, nil)
		if a.status != 200 || !strings.Contains(a.body, want) || strings.Contains(a.body, `"totalCount":`) {
			t.Errorf("%.200s: %d %.300s, want %s", query, a.status, a.body, want)
		}
	}
	for _, body := range []string{"", "x", `{"query":7}`, `[]`} {
		if a := s.send("admin", "POST", "/graphql", body); a.status != 400 && a.status != 422 {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
}

// TestPages: a cursor leads to the entries behind it.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	all := map[string]any{}
	for i := range 5 {
		all[fmt.Sprint("p", i)] = fmt.Sprint(i)
	}
	raw, err := json.Marshal(all)
	good(t, err)
	s.customer.SetProperties(json.RawMessage(raw))
	var names []string
	var after any
	for page := 0; page < 5; page++ {
		a := s.query("admin", `query($c:String){repository(owner:"acme",name:"shop"){repositoryCustomPropertyValues(first:2,after:$c){nodes{propertyName}pageInfo{hasNextPage endCursor}}}}`, map[string]any{"c": after})
		var got struct {
			Data struct {
				Repository struct {
					RepositoryCustomPropertyValues struct {
						Nodes    []struct{ PropertyName string }
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
					}
				}
			}
		}
		good(t, json.Unmarshal([]byte(a.body), &got))
		list := got.Data.Repository.RepositoryCustomPropertyValues
		for _, n := range list.Nodes {
			names = append(names, n.PropertyName)
		}
		if after = list.PageInfo.EndCursor; !list.PageInfo.HasNextPage {
			break
		}
	}
	equal(t, "names", strings.Join(names, " "), "p0 p1 p2 p3 p4")
}

// TestQueryAllowance: points of queries and requests of the other paths are counted apart.
func TestQueryAllowance(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{Secondary: hub.Secondary{PointsPerMinute: 3}})
	const rate = "{rateLimit{cost remaining used limit nodeCount resetAt}}"
	a := s.query("metapipe", rate, nil)
	equal(t, "answer", a.body, `{"data":{"rateLimit":{"cost":1,"limit":5000,"nodeCount":0,"remaining":4999,"resetAt":"2026-03-04T06:08:07Z","used":1}}}`)
	equal(t, "resource", a.header.Get("X-RateLimit-Resource"), "graphql")
	equal(t, "remaining", a.header.Get("X-RateLimit-Remaining"), "4999")
	equal(t, "of the other paths", s.send("metapipe", "GET", "/repos/ops/manager", "").header.Get("X-RateLimit-Remaining"), "4999")
	good(t, s.hub.SetRemainingPoints("metapipe", 0))
	a = s.query("metapipe", rate, nil)
	equal(t, "exhausted", a.status, 200)
	if !strings.HasPrefix(a.body, `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded`) || a.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("%s %v", a.body, a.header)
	}
	good(t, s.hub.SetRemainingPoints("metapipe", 100))
	s.query("metapipe", rate, nil)
	a = s.query("metapipe", rate, nil)
	if a.status != 200 || !strings.Contains(a.body, "secondary rate limit") || a.header.Get("Retry-After") == "" {
		t.Errorf("too many in a minute: %d %s", a.status, a.body)
	}
	s.clock.pass(2 * time.Minute)
	if a = s.query("metapipe", rate, nil); !strings.Contains(a.body, `"cost":1`) {
		t.Errorf("the next minute: %s", a.body)
	}
	for _, c := range s.hub.Calls() {
		if c.Route == "/graphql" && c.Write() {
			t.Errorf("a query counts as a write: %+v", c)
		}
	}
}
