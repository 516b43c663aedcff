package spacelift_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

const (
	sha1 = "1111111111111111111111111111111111111111"
	sha2 = "2222222222222222222222222222222222222222"
)

// fixture is a started server with a key for everything and one for the space "shop".
type fixture struct {
	t      *testing.T
	server *spacelift.Server
	now    time.Time
	token  string // of the key "ops", which may do everything
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	f.server = spacelift.New(func() time.Time { return f.now })
	f.server.AddKey("ops", "ops-secret", spacelift.Rights{Admin: true})
	f.server.AddKey("shop", "shop-secret", spacelift.Rights{Spaces: []string{"shop"}})
	f.server.AddSpace("shop", "Shop", "")
	f.server.AddSpace("bank", "Bank", "")
	f.server.AddPolicy("require-approval", "Require approval", "APPROVAL", "root")
	f.server.AddPolicy("bank-only", "Bank only", "PLAN", "bank")
	f.server.AddContext("shared", "Shared", "root")
	f.server.AddWorkerPool("pool", "Pool", "root")
	f.server.AddIntegration("ghe", "GHE", "GITHUB_ENTERPRISE", "root")
	good(t, f.server.Start())
	t.Cleanup(func() { good(t, f.server.Close()) })
	f.token = f.login("ops", "ops-secret")
	return f
}

func good(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is what a request got.
type reply struct {
	status int
	header http.Header
	body   string
	data   map[string]any
	errors []string
}

// send posts a body as it is; an error is a connection that was cut.
func (f *fixture) send(token, body string) (reply, error) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.server.URL()+"/graphql", strings.NewReader(body))
	good(f.t, err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { good(f.t, resp.Body.Close()) }()
	raw, err := io.ReadAll(resp.Body)
	good(f.t, err)
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if resp.StatusCode == http.StatusOK {
		var out struct {
			Data   map[string]any
			Errors []struct {
				Message    string
				Extensions map[string]any
			}
		}
		good(f.t, json.Unmarshal(raw, &out))
		r.data = out.Data
		for _, e := range out.Errors {
			r.errors = append(r.errors, e.Message)
		}
	}
	return r, nil
}

type vars = map[string]any

// ask sends a query with a token.
func (f *fixture) ask(token, query string, variables vars) reply {
	f.t.Helper()
	body, err := json.Marshal(vars{"query": query, "variables": variables})
	good(f.t, err)
	r, err := f.send(token, string(body))
	good(f.t, err)
	return r
}

// do sends a query that must be answered without an error.
func (f *fixture) do(query string, variables vars) map[string]any {
	f.t.Helper()
	r := f.ask(f.token, query, variables)
	if r.status != http.StatusOK || len(r.errors) > 0 {
		f.t.Fatalf("%s: %d %s", query, r.status, r.body)
	}
	return r.data
}

// refused sends a query whose first error must contain a text.
func (f *fixture) refused(want, query string, variables vars) {
	f.t.Helper()
	r := f.ask(f.token, query, variables)
	if r.status != http.StatusOK || len(r.errors) == 0 || !strings.Contains(r.errors[0], want) {
		f.t.Errorf("%s: %d %s\nwant the error %q", query, r.status, r.body, want)
	}
}

const loginQuery = `mutation($id: ID!, $secret: String!){ apiKeyUser(id: $id, secret: $secret){ jwt validUntil } }`

func (f *fixture) login(id, secret string) string {
	f.t.Helper()
	r := f.ask("", loginQuery, vars{"id": id, "secret": secret})
	jwt, _ := at(r.data, "apiKeyUser", "jwt").(string)
	if jwt == "" {
		f.t.Fatalf("login %s: %s", id, r.body)
	}
	return jwt
}

// stackInput is a whole input; changes are laid over it.
func stackInput(name string, changes vars) vars {
	in := vars{
		"name": name, "branch": "main", "repository": "manager", "namespace": "acme", "administrative": false, "autodeploy": false, "autoretry": false,
		"githubActionDeploy": true, "localPreviewEnabled": false, "enableWellKnownSecretMasking": true, "enableSensitiveOutputUpload": false,
		"protectFromDeletion": false, "space": "shop", "vendorConfig": vars{"terraform": vars{"version": "1.5.7"}},
	}
	for k, v := range changes {
		in[k] = v
	}
	return in
}

const createQuery = `mutation($input: StackInput!, $manageState: Boolean!, $slug: String){ stackCreate(input: $input, manageState: $manageState, slug: $slug){ id isDisabled } }`

// create makes a stack with a slug.
func (f *fixture) create(slug string, changes vars) {
	f.t.Helper()
	data := f.do(createQuery, vars{"input": stackInput(slug, changes), "manageState": false, "slug": slug})
	if got := at(data, "stackCreate", "id"); got != slug {
		f.t.Fatalf("created %v, want %s", got, slug)
	}
}

// on is a mutation of one field with the argument id.
func on(field string) string { return `mutation($id: ID!){ ` + field + `(id: $id){ id } }` }

// at follows names and indexes into an answer.
func at(v any, path ...any) any {
	for _, one := range path {
		switch key := one.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				return nil
			}
			v = list[key]
		}
	}
	return v
}

func equal(t testing.TB, what string, have, want any) {
	t.Helper()
	h, err := json.Marshal(have)
	good(t, err)
	w, err := json.Marshal(want)
	good(t, err)
	if string(h) != string(w) {
		t.Errorf("%s: got %s, want %s", what, h, w)
	}
}

// stack is the state of a stack that must be there.
func (f *fixture) stack(id string) spacelift.Stack {
	f.t.Helper()
	st, known := f.server.Stack(id)
	if !known {
		f.t.Fatalf("no stack %s", id)
	}
	return st
}
