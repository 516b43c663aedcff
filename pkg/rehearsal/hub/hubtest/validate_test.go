package hubtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// witness records what a test would have failed with.
type witness struct {
	testing.TB
	failures []string
}

func (w *witness) Helper() {}

func (w *witness) Errorf(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

func TestMismatchesFail(t *testing.T) {
	t.Parallel()
	Require(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		answer             string
		want               string // part of the failure; empty: none
	}{
		"good":             {"GET", "/repos/o/r/git/ref/heads/a/b", "", 200, `{"ref":"refs/heads/a/b","node_id":"","url":"http://x","object":{"type":"commit","sha":"` + strings.Repeat("a", 40) + `","url":"http://x"}}`, ""},
		"missing field":    {"GET", "/repos/o/r/git/ref/heads/a/b", "", 200, `{"ref":"refs/heads/a/b"}`, "node_id"},
		"wrong type":       {"GET", "/rate_limit", "", 200, `{"resources":{},"rate":7}`, "rate"},
		"not JSON":         {"GET", "/rate_limit", "", 200, `<html>`, "response"},
		"unknown path":     {"GET", "/repos/o/r/secrets", "", 200, `{}`, "no such operation"},
		"unknown path 404": {"GET", "/repos/o/r/secrets", "", 404, `{}`, ""},
		"unknown method":   {"PUT", "/rate_limit", "", 200, `{}`, "no such operation"},
		"bad request":      {"POST", "/repos/o/r/dispatches", `{"event_type":7}`, 204, ``, "request"},
		"refused request":  {"POST", "/repos/o/r/dispatches", `{"event_type":7}`, 422, `{"message":"m","documentation_url":"d"}`, ""},
		"bad refusal":      {"POST", "/repos/o/r/dispatches", `{"event_type":7}`, 422, `{"message":"m"}`, "documentation_url"},
		"good query":       {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{"data":{"viewer":{"login":"kim"}}}`, ""},
		"unknown field":    {"POST", "/graphql", `{"query":"{viewer{customProperties}}"}`, 200, `{"data":{"viewer":{"customProperties":1}}}`, "customProperties"},
		"refused query":    {"POST", "/api/graphql", `{"query":"{viewer{customProperties}}"}`, 200, `{"errors":[{"message":"no"}]}`, ""},
		"no variable":      {"POST", "/graphql", `{"query":"query($n:Int!){viewer{repositories(first:$n){totalCount}}}"}`, 200, `{"data":{"viewer":{"repositories":{"totalCount":1}}}}`, "variable.n"},
		"no field":         {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{"data":{"viewer":{}}}`, "viewer.login is missing"},
		"another field":    {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{"data":{"viewer":{"login":"kim","id":"x"}}}`, "viewer.id was not asked for"},
		"null":             {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{"data":{"viewer":{"login":null}}}`, "is no String!"},
		"text for number":  {"POST", "/graphql", `{"query":"{viewer{databaseId}}"}`, 200, `{"data":{"viewer":{"databaseId":"7"}}}`, "is no Int"},
		"too large":        {"POST", "/graphql", `{"query":"{viewer{databaseId}}"}`, 200, `{"data":{"viewer":{"databaseId":4294967296}}}`, "is no Int"},
		"text for object":  {"POST", "/graphql", `{"query":"{viewer{status{id}}}"}`, 200, `{"data":{"viewer":{"status":"x"}}}`, "is no UserStatus"},
		"object for list":  {"POST", "/graphql", `{"query":"{viewer{repositories(first:1){nodes{visibility}}}}"}`, 200, `{"data":{"viewer":{"repositories":{"nodes":{}}}}}`, "is no [Repository]"},
		"unknown word":     {"POST", "/graphql", `{"query":"{viewer{repositories(first:1){nodes{visibility}}}}"}`, 200, `{"data":{"viewer":{"repositories":{"nodes":[null,{"visibility":"SECRET"}]}}}}`, "is no RepositoryVisibility!"},
		"no data":          {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{}`, "neither data nor errors"},
		"mute error":       {"POST", "/graphql", `{"query":"{viewer{login}}"}`, 200, `{"errors":[{}]}`, "an error without a message"},
		"of another type":  {"POST", "/graphql", treeQuery(""), 200, `{"data":{"repository":{"object":{}}}}`, ""},
		"of this type":     {"POST", "/graphql", treeQuery("__typename "), 200, `{"data":{"repository":{"object":{"__typename":"Tree"}}}}`, "entries is missing"},
		"of its type":      {"POST", "/graphql", treeQuery("__typename "), 200, `{"data":{"repository":{"object":{"__typename":"Blob","entries":[]}}}}`, "entries was not asked for"},
		"null in a list":   {"POST", "/graphql", treeQuery(""), 200, `{"data":{"repository":{"object":{"entries":[null]}}}}`, "is no TreeEntry!"},
		"outside":          {"GET", "/_services/token/x", "", 200, `x`, ""},
	} {
		w := &witness{TB: t}
		h := Validate(w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != c.body {
				t.Errorf("%s: the handler got the body %q, %v", name, got, err)
			}
			rw.Header().Set("Content-Type", "application/json; charset=utf-8")
			rw.WriteHeader(c.status)
			if _, err := io.WriteString(rw, c.answer); err != nil && c.answer != "" {
				t.Error(err)
			}
		}))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if rec.Code != c.status || rec.Body.String() != c.answer {
			t.Errorf("%s: the client got %d %q", name, rec.Code, rec.Body)
		}
		text := strings.Join(w.failures, "\n")
		if (c.want == "") != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: failures %q, want one with %q", name, text, c.want)
		}
	}
	w := &witness{TB: t}
	Event(w, "webhook-push", []byte(`{"ref":"x"}`))
	if len(w.failures) != 1 {
		t.Errorf("an incomplete event: %q", w.failures)
	}
}

func treeQuery(more string) string {
	return `{"query":"{repository(owner:\"o\",name:\"r\"){object(expression:\"HEAD:\"){` + more + `...on Tree{entries{name}}}}}"}`
}

// TestSchemaIsGitHubs: the double knows no type, field, argument or word that GitHub does not know
// in the same form.
func TestSchemaIsGitHubs(t *testing.T) {
	t.Parallel()
	Require(t)
	theirs, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../schema.graphql")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range ours.Types {
		original := theirs.Types[name]
		if original == nil || original.Kind != d.Kind {
			t.Errorf("%s is no such type of GitHub", name)
			continue
		}
		for _, f := range d.Fields {
			field := original.Fields.ForName(f.Name)
			if field == nil || field.Type.String() != f.Type.String() {
				t.Errorf("%s.%s of type %s is no field of GitHub", name, f.Name, f.Type)
				continue
			}
			for _, a := range f.Arguments {
				argument := field.Arguments.ForName(a.Name)
				if argument == nil || argument.Type.String() != a.Type.String() || argument.DefaultValue.String() != a.DefaultValue.String() {
					t.Errorf("%s.%s(%s: %s) is no argument of GitHub", name, f.Name, a.Name, a.Type)
				}
			}
			for _, a := range field.Arguments {
				if a.Type.NonNull && f.Arguments.ForName(a.Name) == nil {
					t.Errorf("%s.%s lacks the argument %s", name, f.Name, a.Name)
				}
			}
		}
		for _, v := range d.EnumValues {
			if original.EnumValues.ForName(v.Name) == nil {
				t.Errorf("%s is no word of %s", v.Name, name)
			}
		}
	}
}

func TestWhereTheDescriptionIs(t *testing.T) {
	t.Parallel()
	const folder = "api-description"
	file, err := locate(func(string) string { return "/some/file.json" }, EnvFile, folder, Version, "x.json")
	if err != nil || file != "/some/file.json" {
		t.Errorf("by environment: %q, %v", file, err)
	}
	file, err = locate(func(string) string { return "" }, EnvFile, folder, Version, "api.github.com.json")
	if err == nil && !strings.HasSuffix(file, "/metapipe/api-description/"+Version+"/api.github.com.json") {
		t.Errorf("in the cache: %q", file)
	}
	if _, err := locate(func(string) string { return "" }, EnvFile, folder, "no release", "x.json"); !errors.Is(err, errMissing) {
		t.Errorf("a file that is not there: %v", err)
	}
	missing := fmt.Errorf("x: %w", errMissing)
	for _, c := range []struct {
		err      error
		required string
		want     bool
	}{{missing, "", true}, {missing, "1", false}, {errors.New("broken"), "", false}, {nil, "", false}} {
		if got := skippable(c.err, c.required); got != c.want {
			t.Errorf("skippable(%v, %q) = %v", c.err, c.required, got)
		}
	}
}

func TestDescribedURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/repos/o/r/contents/a/b%20c":                "/repos/o/r/contents/a%2Fb%20c",
		"/repos/o/r/contents":                        "/repos/o/r/contents/%2F",
		"/repos/o/r/commits/heads/main/status":       "/repos/o/r/commits/heads%2Fmain/status",
		"/repos/o/r/commits/heads/main":              "/repos/o/r/commits/heads%2Fmain",
		"/repositories/7/git/ref/heads/x":            "/repos/owner/name/git/ref/heads%2Fx",
		"/api/v3/repos/o/r/compare/a...b/c":          "/repos/o/r/compare/a...b%2Fc",
		"/repos/o/r/actions/runs?created=%3E2026":    "/repos/o/r/actions/runs",
		"/repos/o/r/actions/runs?created=2026&a=%2F": "/repos/o/r/actions/runs?created=2026&a=%2F",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		out := describedURL(u)
		got := out.EscapedPath()
		if out.RawQuery != "" {
			got += "?" + out.RawQuery
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
