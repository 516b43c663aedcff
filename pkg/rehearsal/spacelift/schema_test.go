package spacelift_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWrongQueries: queries that do not match the schema change nothing, and are answered
// with errors under status 200. The first ones are those that the customer's first workflow
// sent.
func TestWrongQueries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	old := vars{
		"name": "shop", "space": "root", "repository": "acme/shop", "branch": "main", "projectRoot": "infra", "terraformVersion": "1.5.7",
		"administrative": false, "autodeploy": false, "description": "Shop", "labels": []string{"tool:terraform"},
	}
	full := stackInput("shop", nil)
	without := func(name string) vars {
		in := stackInput("shop", nil)
		delete(in, name)
		return in
	}
	create := `mutation($input: StackInput!){ stackCreate(input: $input, manageState: false){ id } }`
	for _, c := range []struct {
		name, query string
		variables   vars
		want        string
	}{
		{"stackCreate without manageState", `mutation($input: StackInput!){ stackCreate(input: $input){ id name } }`, vars{"input": old}, "manageState"},
		{"a Terraform version in the input", create, vars{"input": stackInput("shop", vars{"terraformVersion": "1.5.7"})}, "terraformVersion"},
		{"an owner in the repository", create, vars{"input": stackInput("shop", vars{"repository": "acme/shop"})}, "repository: cannot contain a slash"},
		{"policyAttach with a type", `mutation($stack: ID!, $policy: ID!){ policyAttach(stack: $stack, policy: $policy, type: "APPROVAL"){ id } }`,
			vars{"stack": "shop", "policy": "require-approval"}, "policy"},
		{"an unknown field", `{ stack(id: "shop"){ nickname } }`, nil, "nickname"},
		{"an unknown mutation", `mutation{ stackRename(id: "shop"){ id } }`, nil, "stackRename"},
		{"a missing member", create, vars{"input": without("enableWellKnownSecretMasking")}, "enableWellKnownSecretMasking"},
		{"a null member", create, vars{"input": stackInput("shop", vars{"branch": nil})}, "branch"},
		{"a wrong scalar", create, vars{"input": stackInput("shop", vars{"autodeploy": "yes"})}, "autodeploy"},
		{"an unknown enum value", create, vars{"input": stackInput("shop", vars{"provider": "CVS"})}, "VCSProvider"},
		{"a missing variable", create, nil, "must be defined"},
		{"a variable of another type", `mutation($input: String!){ stackCreate(input: $input, manageState: false){ id } }`, vars{"input": "x"}, "StackInput"},
		{"an object without fields", `{ stack(id: "shop") }`, nil, "selection"},
		{"no query", ``, nil, ""},
		{"half a query", `{ stack(`, nil, "Expected"},
		{"an enum as a text", `mutation{ stackConfigAdd(stack: "shop", config: {id: "A", type: "ENVIRONMENT_VARIABLE", value: "1", writeOnly: false}){ id } }`, nil, "ConfigType"},
	} {
		r := f.ask(f.token, c.query, c.variables)
		if r.status != http.StatusOK || len(r.errors) == 0 || r.data["stackCreate"] != nil || !strings.Contains(strings.Join(r.errors, "\n"), c.want) {
			t.Errorf("%s: %d %s, want an error with %q", c.name, r.status, r.body, c.want)
		}
		if !strings.Contains(r.body, `"extensions":`) {
			t.Errorf("%s: no extensions: %s", c.name, r.body)
		}
	}
	if r := f.ask("ops-secret", create, vars{"input": full}); len(r.errors) != 1 || r.errors[0] != "unauthorized" {
		t.Errorf("the secret as a bearer token: %s", r.body)
	}
	equal(t, "stacks", f.server.Stacks(), []string{})
	f.do(create, vars{"input": full})
	equal(t, "stacks", f.server.Stacks(), []string{"shop"})
}

// TestTransport: only a POST of JSON to /graphql is answered.
func TestTransport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		method, path, kind string
		want               int
	}{
		{"GET", "/graphql", "application/json", 405},
		{"POST", "/", "application/json", 404},
		{"POST", "/graphql", "text/plain", 415},
		{"POST", "/graphql", "application/json; charset=utf-8", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, f.server.URL()+c.path, strings.NewReader(`{"query":"{viewer{id}}"}`))
		good(t, err)
		req.Header.Set("Content-Type", c.kind)
		resp, err := http.DefaultClient.Do(req)
		good(t, err)
		good(t, resp.Body.Close())
		equal(t, c.method+" "+c.path, resp.StatusCode, c.want)
	}
}

// TestSelections: aliases, fragments and directives are followed, and a field that is asked
// for twice is done once.
func TestSelections(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", nil)
	data := f.do(`query($no: Boolean!){ one: stack(id: "a"){ ...names } two: stack(id: "a"){ __typename id @skip(if: true) name @include(if: $no) } none: stack(id: "b"){ id } }
		fragment names on Stack { vendorConfig { __typename ... on StackConfigVendorTerraform { version workflowTool } ... on StackConfigVendorAnsible { playbook } } }`, vars{"no": false})
	equal(t, "answer", data, vars{
		"one": vars{"vendorConfig": vars{"__typename": "StackConfigVendorTerraform", "version": "1.5.7", "workflowTool": "TERRAFORM_FOSS"}},
		"two": vars{"__typename": "Stack"}, "none": nil,
	})
	f.do(`mutation{ policyAttach(id: "require-approval", stack: "a"){ id } policyAttach(id: "require-approval", stack: "a"){ stackId } }`, nil)
	equal(t, "attachments", len(f.stack("a").Policies), 1)
}
