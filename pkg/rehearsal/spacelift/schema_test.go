package spacelift_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
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

// TestEveryField: each field of the schema is answered, and each field that cannot be null
// is not. A mutation is answered when it says more than that it is null.
func TestEveryField(t *testing.T) {
	t.Parallel()
	sdl, err := os.ReadFile("schema.graphql")
	good(t, err)
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: string(sdl)})
	good(t, err)
	f := newFixture(t)
	id := f.full()
	arguments := map[string]string{
		"Query.context": `(id: "shared")`, "Query.policy": `(id: "require-approval")`, "Query.run": `(id: "` + id + `")`, "Query.space": `(id: "shop")`,
		"Query.stack": `(id: "a")`, "Query.workerPool": `(id: "pool")`, "Query.searchStacks": `(input: {})`,
		"Stack.configElement": `(id: "A")`, "Stack.dependency": `(dependsOnStackId: "b")`, "Stack.run": `(id: "` + id + `")`, "Stack.runResourceState": `(id: "` + id + `")`,
		"Context.attachedStack": `(id: "a")`, "Policy.attachedStack": `(id: "a")`, "StackDependency.reference": `(id: "none")`,
	}
	var selection func(d *ast.Definition, depth int) string
	selection = func(d *ast.Definition, depth int) string {
		var b strings.Builder
		b.WriteString("{ __typename ")
		for _, kind := range d.Types { // the members of a union
			if kind == "StackConfigVendorTerraform" { // names of the others mean other types
				b.WriteString("... on " + kind + selection(schema.Types[kind], depth))
			}
		}
		for _, field := range d.Fields {
			inner, below := schema.Types[field.Type.Name()], ""
			if strings.HasPrefix(field.Name, "__") || !inner.IsLeafType() && depth == 0 {
				continue
			}
			if !inner.IsLeafType() {
				below = selection(inner, depth-1)
			}
			b.WriteString(field.Name + arguments[d.Name+"."+field.Name] + below + " ")
		}
		return b.String() + "} "
	}
	data := f.do(selection(schema.Query, 3), nil)
	for _, path := range [][]any{
		{"stack", "workerPool", "id"}, {"stack", "vcsIntegration", "id"}, {"stack", "trackedCommit", "hash"}, {"stack", "blocker", "delta", "resources"},
		{"stack", "lockedAt"}, {"stack", "dependency", "references", 0, "id"}, {"stack", "configElement", "checksum"}, {"stack", "run", "reviews", 0, "id"},
		{"stack", "outputs", 0, "id"}, {"policy", "attachedStack", "id"}, {"context", "attachedStack", "id"}, {"searchStacks", "edges", 0, "node", "id"},
		{"stack", "attachedPolicies", 0, "policyId"}, {"stack", "attachedContexts", 0, "contextId"}, {"stack", "vendorConfig", "version"}, {"workerPools", 0, "id"},
	} {
		if at(data, path...) == nil {
			t.Errorf("%v is null", path)
		}
	}
	for _, field := range schema.Mutation.Fields {
		if strings.HasPrefix(field.Name, "__") {
			continue
		}
		r := f.ask("", "mutation{ "+field.Name+required(schema, field.Arguments)+"{ __typename } }", nil)
		if !slices.Equal(r.errors, []string{"unauthorized"}) {
			t.Errorf("%s without a token: %s", field.Name, r.body)
		}
	}
}

// required are literals for the arguments of a field that cannot be left out.
func required(schema *ast.Schema, list ast.ArgumentDefinitionList) string {
	var parts []string
	for _, a := range list {
		if a.Type.NonNull {
			parts = append(parts, a.Name+": "+literal(schema, a.Type))
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func literal(schema *ast.Schema, t *ast.Type) string {
	d := schema.Types[t.Name()]
	switch {
	case t.Elem != nil:
		return "[]"
	case d.Kind == ast.Enum:
		return d.EnumValues[0].Name
	case d.Kind == ast.InputObject:
		var parts []string
		for _, field := range d.Fields {
			if field.Type.NonNull {
				parts = append(parts, field.Name+": "+literal(schema, field.Type))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case t.Name() == "Boolean":
		return "true"
	case t.Name() == "Int":
		return "1"
	}
	return `"x"`
}

// full makes a stack that has all there is to have, with a run, whose id it returns.
func (f *fixture) full() string {
	f.t.Helper()
	f.create("b", nil)
	f.create("a", vars{"workerPool": "pool", "provider": "GITHUB_ENTERPRISE", "vcsIntegrationId": "ghe"})
	f.config("a", "A", "1", false)
	for _, change := range []string{
		`policyAttach(id: "require-approval", stack: "a"){ id }`, `contextAttach(id: "shared", stack: "a", priority: 1){ id }`,
		`stackIntegrationDriftDetectionCreate(stack: "a", input: {reconcile: false, ignoreState: false, schedule: ["0 4 * * *"]}){ deleted }`,
	} {
		f.do("mutation{ "+change+" }", nil)
	}
	d := at(f.do(`mutation{ stackDependencyCreate(input: {stackId: "a", dependsOnStackId: "b"}){ id } }`, nil), "stackDependencyCreate", "id")
	f.do(`mutation($id: ID!){ stackDependenciesAddReference(stackDependencyID: $id, reference: {outputName: "o", inputName: "I", type: ENVIRONMENT_VARIABLE}){ id } }`, vars{"id": d})
	f.server.SetOutputs("a", spacelift.Output{ID: "o", Value: "1"})
	id := f.trigger("a", "TRACKED", sha1)
	f.until("a", "UNCONFIRMED")
	good(f.t, f.server.Approve("a", id, "jo"))
	good(f.t, f.server.LockByHand("a", "jo", "look"))
	return id
}

// TestTwoAtOnce: of many that create the same stack at once, one does.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var all sync.WaitGroup
	replies := make([]reply, 8)
	for i := range replies {
		all.Go(func() {
			replies[i] = f.ask(f.token, createQuery, vars{"input": stackInput("a", nil), "manageState": false, "slug": "a"})
		})
	}
	all.Wait()
	made := 0
	for _, r := range replies {
		if len(r.errors) == 0 {
			made++
		}
	}
	equal(t, "made", made, 1)
	equal(t, "stacks", f.server.Stacks(), []string{"a"})
	equal(t, "requests", len(f.server.Requests()), 9)
}
