package github_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// fleet adds n repositories of owners that take turns, and returns their names. Those of
// the person lou have no properties.
func (w *fixture) fleet(n int) []pipeline.Slug {
	w.t.Helper()
	for _, u := range []hub.User{{Login: "lou"}, {Login: "beta", Type: hub.Organization}} {
		must(w.hub.AddUser(u))(w.t)
	}
	for _, org := range []string{"acme", "beta"} {
		check(w.t, w.hub.DefineProperties(org, hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "dns"}}, hub.PropertyDefinition{Name: "tier", Type: hub.TextProperty}))
	}
	list := make([]pipeline.Slug, n)
	for i := range n {
		list[i] = pipeline.Slug{Owner: []string{"acme", "beta", "lou"}[i%3], Name: fmt.Sprintf("r%04d", i)}
		o := hub.RepoOptions{Private: true}
		if list[i].Owner != "lou" {
			o.Properties = hub.Properties{"tools": []string{"terraform"}, "tier": fmt.Sprint("t", i)}
		}
		repo := must(w.hub.AddRepo(list[i].Owner, list[i].Name, o))(w.t)
		check(w.t, repo.Grant("kim", hub.Read))
	}
	w.hub.ResetCalls()
	return list
}

// asked is how many queries the hub got.
func (w *fixture) asked() (n int) {
	for _, c := range w.hub.Calls() {
		if c.Route == "/graphql" {
			n++
		}
	}
	return n
}

// answerText is what a test compares of an answer.
func answerText(a pipeline.RepositoryAnswer) string {
	if a.Err != nil {
		return "error"
	}
	properties := "unknown"
	if a.Properties.Known() {
		tools := a.Properties.Get("tools")
		properties = strings.TrimSpace(strings.Join(tools.List, ",") + " " + a.Properties.Get("tier").Text)
	}
	return a.Slug.String() + " " + properties
}

// TestRepositoriesProperties: a thousand repositories of two organizations and a person
// are ten calls, none of which counts as a write.
func TestRepositoriesProperties(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	list := w.fleet(1000)
	c := w.client()
	all := c.RepositoriesProperties(t.Context(), list)
	for i, a := range all {
		want := list[i].String() + " "
		if list[i].Owner != "lou" {
			want += fmt.Sprint("terraform t", i)
		}
		if answerText(a) != want || a.ID <= 0 || a.Archived {
			t.Fatalf("%s: %q %+v, want %q", list[i], answerText(a), a, want)
		}
	}
	if b := c.Budget(); w.asked() != 10 || b.Reads != 10 || b.Writes != 0 || b.Waited != 0 {
		t.Errorf("%d queries, %+v", w.asked(), b)
	}
	if got := c.RepositoriesProperties(t.Context(), nil); len(got) != 0 || w.asked() != 10 {
		t.Errorf("nothing was asked for: %v, %d queries", got, w.asked())
	}
}

// TestRepositoriesApart: what is wrong with one repository hides no other one.
func TestRepositoriesApart(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	list := w.fleet(4)
	must(w.hub.AddRepo("beta", "hidden", hub.RepoOptions{Private: true}))(t)
	w.customer.Archive(true)
	renamed := must(w.hub.AddRepo("acme", "old", hub.RepoOptions{Properties: hub.Properties{"tier": "gold"}}))(t)
	check(t, renamed.Rename("new"))
	odd := must(w.hub.AddRepo("acme", "odd", hub.RepoOptions{}))(t)
	odd.SetProperties(json.RawMessage(`7`))
	twice := must(w.hub.AddRepo("acme", "twice", hub.RepoOptions{}))(t)
	twice.SetProperties(json.RawMessage(`{"tier": "a", "TIER": "b"}`))
	forms := must(w.hub.AddRepo("acme", "forms", hub.RepoOptions{}))(t)
	forms.SetProperties(json.RawMessage(`{"a": 7, "b": {"c": []}, "d": [1], "e": null, "f": [], "tier": "x"}`))
	asked := append(slices.Clone(list),
		pipeline.Slug{Owner: "beta", Name: "hidden"}, pipeline.Slug{Owner: "no\"one", Name: "}{nothing"}, acme,
		pipeline.Slug{Owner: "acme", Name: "old"}, pipeline.Slug{Owner: "acme", Name: "odd"}, pipeline.Slug{Owner: "acme", Name: "twice"}, pipeline.Slug{Owner: "acme", Name: "forms"}, list[0])
	got := w.client().RepositoriesProperties(t.Context(), asked)
	var texts []string
	for _, a := range got {
		texts = append(texts, answerText(a))
	}
	want := []string{"acme/r0000 terraform t0", "beta/r0001 terraform t1", "lou/r0002 ", "acme/r0003 terraform t3", "error", "error", "acme/shop ",
		"acme/new gold", "acme/odd unknown", "acme/twice unknown", "acme/forms x", "acme/r0000 terraform t0"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	if !got[6].Archived || got[7].ID != renamed.ID() || got[7].Archived || w.asked() != 1 {
		t.Errorf("%+v %+v, %d queries", got[6], got[7], w.asked())
	}
	for name, form := range map[string]pipeline.PropertyForm{"a": pipeline.PropertyOther, "b": pipeline.PropertyOther, "d": pipeline.PropertyOther, "e": "", "f": pipeline.PropertyList} {
		if p := got[10].Properties.Get(name); p.Form != form {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for _, a := range got[4:6] {
		if !pipeline.NotVisible(a.Err) || !strings.Contains(a.Err.Error(), "Could not resolve") || !strings.Contains(a.Err.Error(), "the token cannot see it") {
			t.Errorf("%v", a.Err)
		}
	}
}

// TestRepositoriesOfAnApp: each query has the token of its repository.
func TestRepositoriesOfAnApp(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	c, _ := w.appOf()
	got := c.RepositoriesProperties(t.Context(), []pipeline.Slug{{Owner: "acme", Name: "secret"}, acme})
	if answerText(got[1]) != "acme/shop " || got[1].ID != w.customer.ID() || got[0].Err == nil || w.asked() != 1 {
		t.Errorf("%+v, %d queries", got, w.asked())
	}
}

// TestManyProperties: a repository with more properties than a page is read to the end,
// and the others are not asked for again.
func TestManyProperties(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	list := w.fleet(2)
	many := map[string]string{}
	for i := range 250 {
		many[fmt.Sprintf("p%03d", i)] = fmt.Sprint(i)
	}
	w.customer.SetProperties(json.RawMessage(must(json.Marshal(many))(t)))
	got := w.client().RepositoriesProperties(t.Context(), []pipeline.Slug{list[0], acme, list[1]})
	if answerText(got[0]) != "acme/r0000 terraform t0" || answerText(got[2]) != "beta/r0001 terraform t1" || w.asked() != 3 {
		t.Errorf("%+v, %d queries", got, w.asked())
	}
	for name, want := range many {
		if p := got[1].Properties.Get(name); p.Text != want {
			t.Fatalf("%s: %+v", name, p)
		}
	}
}

// TestLargeQueries: what GitHub does not manage is asked again in halves, down to a single
// repository, which alone stays unknown.
func TestLargeQueries(t *testing.T) {
	t.Parallel()
	about := func(text string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			body, err := io.ReadAll(r.Body)
			return err == nil && strings.Contains(string(body), text)
		}
	}
	for name, c := range map[string]struct {
		asked   string // of the queries that fail
		fault   hubtest.Fault
		times   int
		unknown int
		queries int // those that failed among them
	}{
		"more than 25 time out":     {`"name25"`, hubtest.Fault{Status: 502, Message: "Something went wrong"}, -1, 0, 7},
		"a lost answer":             {`"name25"`, hubtest.Fault{Reset: true}, 1, 0, 3},
		"half an answer":            {`"name25"`, hubtest.Fault{HalfBody: true}, 1, 0, 3},
		"one repository is too big": {`r0042`, hubtest.Fault{Status: 504}, -1, 1, 7 + 7 + 6},
		"nothing is answered":       {`r0`, hubtest.Fault{Status: 503}, -1, 100, 6 + 1 + 3*6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			list := w.fleet(100)
			w.hub.Fail(hubtest.Matcher{Route: "/graphql", Request: about(c.asked)}, c.fault, c.times)
			unknown := 0
			for i, a := range w.client().RepositoriesProperties(t.Context(), list) {
				if a.Err != nil {
					unknown++
				} else if a.Slug != list[i] || !a.Properties.Known() {
					t.Errorf("%d: %+v", i, a)
				}
			}
			if unknown != c.unknown || w.asked() != c.queries {
				t.Errorf("%d unknown, want %d; %d queries, want %d", unknown, c.unknown, w.asked(), c.queries)
			}
		})
	}
}

// TestQueryLimits: the GraphQL API has an allowance of its own. A refusal has the status 200.
func TestQueryLimits(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	c := w.client(func(o *github.Options) { o.MaxWait = 2 * time.Hour })
	check(t, w.hub.SetRemainingPoints("person", 1))
	one := []pipeline.Slug{acme}
	if got := c.RepositoriesProperties(t.Context(), one); got[0].Err != nil || w.slept != 0 {
		t.Fatalf("the last point: %v, slept %s", got[0].Err, w.slept)
	}
	must(c.Repository(t.Context(), acme))(t)
	if w.slept != 0 {
		t.Errorf("the REST API waits for the GraphQL API: %s", w.slept)
	}
	if got := c.RepositoriesProperties(t.Context(), one); got[0].Err != nil || w.slept < 59*time.Minute || w.asked() != 2 {
		t.Errorf("the next hour: %v, slept %s, %d queries", got[0].Err, w.slept, w.asked())
	}
	check(t, w.hub.SetRemainingPoints("person", 0))
	if got := c.RepositoriesProperties(t.Context(), one); got[0].Err != nil || w.asked() != 4 {
		t.Errorf("a refusal and a wait: %v, %d queries", got[0].Err, w.asked())
	}
	check(t, w.hub.SetRemainingPoints("person", 0))
	got := w.client().RepositoriesProperties(t.Context(), w.fleet(150))
	for _, a := range got {
		if a.Err == nil || !strings.Contains(a.Err.Error(), "API rate limit exceeded") || !strings.Contains(a.Err.Error(), "run this again after") {
			t.Fatalf("%+v", a)
		}
	}
	if w.asked() != 1 {
		t.Errorf("%d queries against an exhausted limit", w.asked())
	}
}

const goodNode = `{"databaseId":7,"nameWithOwner":"acme/shop","isArchived":false,"values":{"nodes":[{"propertyName":"tier","value":"x"}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}`

// TestQueryAnswers: what is not there is unknown and never absent.
func TestQueryAnswers(t *testing.T) {
	t.Parallel()
	page := func(values string) string {
		return `{"data":{"r0":{"databaseId":7,"nameWithOwner":"acme/shop","isArchived":false,"values":` + values + `}}}`
	}
	problem := func(data, problem string) string { return `{"data":` + data + `,"errors":[` + problem + `]}` }
	for name, c := range map[string]struct{ body, want string }{
		"good":                      {`{"data":{"r0":` + goodNode + `}}`, "acme/shop x"},
		"good, and an old field":    {`{"data":{"r0":` + goodNode + `,"rateLimit":{"cost":1,"remaining":"many"}},"extensions":{"warnings":[]}}`, "acme/shop x"},
		"no properties":             {page(`{"nodes":[],"pageInfo":{"hasNextPage":false}}`), "acme/shop "},
		"a null node":               {page(`{"nodes":[{"propertyName":"tier","value":"x"},null],"pageInfo":{"hasNextPage":false}}`), "acme/shop unknown"},
		"no nodes":                  {page(`{"nodes":null,"pageInfo":{"hasNextPage":false}}`), "acme/shop unknown"},
		"no connection":             {page(`null`), "acme/shop unknown"},
		"no word about more":        {page(`{"nodes":[]}`), "acme/shop unknown"},
		"more without a cursor":     {page(`{"nodes":[],"pageInfo":{"hasNextPage":true,"endCursor":null}}`), "acme/shop unknown"},
		"the same page for ever":    {page(`{"nodes":[],"pageInfo":{"hasNextPage":true,"endCursor":"c"}}`), "acme/shop unknown"},
		"a value is missing":        {page(`{"nodes":[{"propertyName":"tier"}],"pageInfo":{"hasNextPage":false}}`), "acme/shop unknown"},
		"a value of any form":       {page(`{"nodes":[{"propertyName":"tools","value":{"a":1}}],"pageInfo":{"hasNextPage":false}}`), "acme/shop "},
		"a name twice":              {page(`{"nodes":[{"propertyName":"a","value":"x"},{"propertyName":"A","value":"x"}],"pageInfo":{"hasNextPage":false}}`), "acme/shop unknown"},
		"no id":                     {`{"data":{"r0":{"databaseId":null,"nameWithOwner":"acme/shop","isArchived":false}}}`, "lacks the repository or its id"},
		"id twice":                  {`{"data":{"r0":{"databaseId":7,"databaseId":8,"nameWithOwner":"acme/shop","isArchived":false}}}`, "databaseId"},
		"no name":                   {`{"data":{"r0":{"databaseId":7,"nameWithOwner":"shop","isArchived":false}}}`, "shop"},
		"null without a reason":     {`{"data":{"r0":null}}`, "lacks the repository or its id, and says no reason"},
		"the alias is missing":      {`{"data":{}}`, "lacks the repository or its id, and says no reason"},
		"not found":                 {problem(`{"r0":null}`, `{"type":"NOT_FOUND","path":["r0"],"message":"Could not resolve"}`), "the token cannot see it"},
		"forbidden":                 {problem(`{"r0":null}`, `{"type":"FORBIDDEN","path":["r0"],"message":"Resource not accessible by integration"}`), "lacks a permission"},
		"forbidden values":          {problem(`{"r0":{"databaseId":7,"nameWithOwner":"acme/shop","isArchived":false,"values":null}}`, `{"type":"FORBIDDEN","path":["r0","values"],"message":"no"}`), "lacks a permission"},
		"an error beside good data": {problem(`{"r0":`+goodNode+`}`, `{"message":"Timeout on validation of query","path":["r0","values","nodes",0]}`), "Timeout on validation"},
		"an error of no place":      {problem(`{"r0":`+goodNode+`}`, `{"message":"who knows"}`), "who knows"},
		"an error elsewhere":        {problem(`{"r0":`+goodNode+`}`, `{"message":"who knows","path":["r1"]}`), "acme/shop x"},
		"an error of the limit":     {problem(`{"r0":`+goodNode+`,"rateLimit":null}`, `{"message":"who knows","path":["rateLimit"]}`), "acme/shop x"},
		"a person": {problem(`{"r0":{"databaseId":7,"nameWithOwner":"kim/shop","isArchived":false,"values":null}}`,
			`{"type":"NOT_ORG_OWNED_REPO","path":["r0","values"],"message":"All repositories must belong to an organization"}`), "kim/shop "},
		"a person without identity": {problem(`{"r0":null}`, `{"type":"NOT_ORG_OWNED_REPO","path":["r0"],"message":"odd"}`), "odd"},
		"a person without a node":   {problem(`{"r0":null}`, `{"type":"NOT_ORG_OWNED_REPO","path":["r0","values"],"message":"odd"}`), "lacks the repository"},
		"errors without data":       {`{"errors":[{"message":"Parse error on \"x\""}]}`, "Parse error"},
		"null data":                 {problem(`null`, `{"message":"no"}`), "no"},
		"nothing":                   {`{}`, "neither data nor errors"},
		"a null error":              {problem(`{"r0":`+goodNode+`}`, `null`), "an error that is null"},
		"data twice":                {`{"data":{},"data":{"r0":` + goodNode + `}}`, "data"},
		"not JSON":                  {`<html>`, "invalid character"},
		"a list":                    {`[]`, "array"},
		"an old server":             {`{"errors":[{"message":"Field 'repositoryCustomPropertyValues' doesn't exist on type 'Repository'","extensions":{"code":"undefinedField"}}]}`, "doesn't exist"},
		"the token in a message":    {problem(`{"r0":null}`, `{"message":"bad `+token+`\u001b[2J","path":["r0"]}`), "bad ***"},
	} {
		s := serve(t, map[string]http.HandlerFunc{"POST /graphql": answer(200, c.body)})
		got := s.client(t).RepositoriesProperties(t.Context(), []pipeline.Slug{acme})[0]
		said := answerText(got)
		if got.Err != nil {
			said = got.Err.Error()
			if got.ID != 0 || got.Properties.Known() {
				t.Errorf("%s: something is known beside an error: %+v", name, got)
			}
		}
		if !strings.Contains(said, c.want) || strings.Contains(said, token) || strings.Contains(said, "\x1b") {
			t.Errorf("%s: %q, want %q", name, said, c.want)
		}
		if unsupported := errors.Is(got.Err, errors.ErrUnsupported); unsupported != (name == "an old server" || name == "forbidden values") {
			t.Errorf("%s: unsupported %v", name, unsupported)
		}
		var e *github.Error
		if forbidden := errors.As(got.Err, &e) && e.IsForbidden(); forbidden != strings.HasPrefix(name, "forbidden") {
			t.Errorf("%s: forbidden %v", name, forbidden)
		}
	}
}

// TestQueryFailures: which refusals are asked again, and which end the reading.
func TestQueryFailures(t *testing.T) {
	t.Parallel()
	good := answer(200, `{"data":{"r0":`+goodNode+`}}`)
	both := answer(200, `{"data":{"r0":`+goodNode+`,"r1":`+goodNode+`}}`)
	for name, c := range map[string]struct {
		first    http.HandlerFunc
		then     http.HandlerFunc
		repos    int
		requests int
		slept    time.Duration
		want     string
	}{
		"limit":                 {answer(200, `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1772366490"), good, 1, 2, 91 * time.Second, ""},
		"limit beside data":     {answer(200, `{"data":{"r0":null},"errors":[{"type":"RATE_LIMITED","message":"x"}]}`, "Retry-After", "5"), good, 1, 2, 6 * time.Second, ""},
		"secondary limit":       {answer(200, `{"errors":[{"message":"You have exceeded a secondary rate limit. Please wait"}]}`, "Retry-After", "20"), good, 1, 2, 21 * time.Second, ""},
		"secondary, 403":        {answer(403, `{"message":"You have exceeded a secondary rate limit."}`, "Retry-After", "20"), good, 1, 2, 21 * time.Second, ""},
		"502 of one":            {answer(502, `{}`), good, 1, 2, -1, ""},
		"502 of two":            {answer(502, `{}`), good, 2, 3, 0, ""},
		"timeout in an answer":  {answer(200, `{"data":null,"errors":[{"message":"Something went wrong while executing your query. Please include 1234"}]}`), good, 2, 3, 0, ""},
		"too many nodes":        {answer(200, `{"errors":[{"type":"MAX_NODE_LIMIT_EXCEEDED","message":"too many"}]}`), good, 2, 3, 0, ""},
		"one is left out":       {answer(200, `{"data":{"r0":`+goodNode+`,"r1":null},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","path":["r1","values"],"message":"x"}]}`), good, 2, 2, 0, ""},
		"all are left out":      {answer(200, `{"data":{"r0":null,"r1":null},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"x"}]}`), good, 2, 3, 0, ""},
		"too large an answer":   {endless, good, 2, 3, 0, ""},
		"one is too much alone": {answer(200, `{"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"too much"}]}`), good, 1, 1, 0, "too much"},
		"no access":             {answer(401, `{"message":"Bad credentials"}`), both, 250, 1, 0, "create a new one"},
		"no GraphQL":            {answer(404, `{"message":"Not Found"}`), both, 250, 1, 0, "HTTP 404"},
		"plain 403":             {answer(403, `{"message":"no"}`), both, 250, 1, 0, "lacks a permission"},
		"invalid query":         {answer(200, `{"errors":[{"message":"Parse error"}]}`), both, 250, 1, 0, "Parse error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{"POST /graphql": serialized(c.first, c.then)})
			var list []pipeline.Slug
			for range c.repos {
				list = append(list, acme)
			}
			for i, a := range s.client(t).RepositoriesProperties(t.Context(), list) {
				if (c.want == "") != (a.Err == nil) || c.want != "" && !strings.Contains(a.Err.Error(), c.want) {
					t.Fatalf("%d: %v, want %q", i, a.Err, c.want)
				}
			}
			var slept time.Duration
			for _, d := range s.slept {
				slept += d
			}
			if len(s.seen) != c.requests || c.slept >= 0 && slept != c.slept {
				t.Errorf("%d requests, want %d; slept %s, want %s", len(s.seen), c.requests, slept, c.slept)
			}
		})
	}
}

// TestQueryEnds: who has given up is not answered in halves.
func TestQueryEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, map[string]http.HandlerFunc{"POST /graphql": func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusBadGateway)
	}})
	for _, a := range s.client(t).RepositoriesProperties(ctx, make([]pipeline.Slug, 200)) {
		if !errors.Is(a.Err, context.Canceled) && !strings.Contains(fmt.Sprint(a.Err), "502") {
			t.Fatalf("%+v", a)
		}
	}
	if len(s.seen) != 1 {
		t.Errorf("%d requests", len(s.seen))
	}
}

// FuzzQueryAnswers reads anything as the answer to a query: it is an error, or something
// with an identity, and never a panic.
func FuzzQueryAnswers(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"data":null}`, `{"data":{"r0":null}}`, `{"data":{"r0":` + goodNode + `}}`, `{"data":{"r0":` + goodNode + `,"r1":` + goodNode + `}}`,
		`{"data":{"r0":` + goodNode + `},"errors":[{"type":"NOT_ORG_OWNED_REPO","path":["r0","values"]}]}`, `{"errors":[null]}`,
		`{"data":{"r0":{"databaseId":1e99}},"errors":[{"path":[0,{}],"message":7}]}`, `{"data":{"rateLimit":{"cost":9,"remaining":1,"resetAt":"9999-12-31T23:59:59Z"}}}`,
		`{"errors":[{"type":"RATE_LIMITED","message":"x"}]}`, `{"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","message":"x"}],"data":{}}`,
		`{"data":{"r0":{"databaseId":7,"nameWithOwner":"a/b","isArchived":true,"values":{"nodes":[{"propertyName":"a","value":[]}],"pageInfo":{"hasNextPage":true,"endCursor":"x"}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := github.New(github.Options{Transport: canned(raw), Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range c.RepositoriesProperties(t.Context(), []pipeline.Slug{acme, acme, acme}) {
			if a.Err == nil && (a.ID <= 0 || a.Name == "" || a.Owner == "") || a.Err != nil && (a.ID != 0 || a.Properties.Known()) {
				t.Errorf("%+v", a)
			}
		}
		_, _ = c.Login(t.Context())
	})
}
