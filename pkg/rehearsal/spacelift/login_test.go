package spacelift_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

const viewerQuery = `{ viewer { id admin } }`

// TestLogin: a key and its secret give a token that ends; nothing else is one.
func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.AddOIDCKey("actions", func(token string) error {
		if token != "signed" {
			return errors.New("signature")
		}
		return nil
	}, spacelift.Rights{})
	for _, c := range [][2]string{{"ops", "shop-secret"}, {"ops", ""}, {"none", "ops-secret"}, {"actions", "forged"}} {
		r := f.ask("", loginQuery, vars{"id": c[0], "secret": c[1]})
		if r.status != 200 || len(r.errors) != 1 || r.errors[0] != "unauthorized" || at(r.data, "apiKeyUser") != nil {
			t.Errorf("%v: %d %s", c, r.status, r.body)
		}
	}
	equal(t, "OIDC", f.ask(f.login("actions", "signed"), viewerQuery, nil).data, vars{"viewer": vars{"id": "api::actions", "admin": false}})
	r := f.ask("", loginQuery, vars{"id": "ops", "secret": "ops-secret"})
	equal(t, "validUntil", at(r.data, "apiKeyUser", "validUntil"), f.now.Add(10*time.Hour).Unix())
	jwt, _ := at(r.data, "apiKeyUser", "jwt").(string)
	if strings.Count(jwt, ".") != 2 || jwt == f.token {
		t.Errorf("token: %s", jwt)
	}
	f.now = f.now.Add(10*time.Hour - time.Second)
	equal(t, "a token at its end", len(f.ask(jwt, viewerQuery, nil).errors), 0)
	f.now = f.now.Add(time.Second)
	for _, token := range []string{jwt, "", "x.y.z", "ops-secret"} {
		if r := f.ask(token, viewerQuery, nil); r.status != 200 || len(r.errors) != 1 || r.errors[0] != "unauthorized" {
			t.Errorf("token %q: %d %s", token, r.status, r.body)
		}
	}
}

// TestSpaces: a key writes in its spaces and below, uses what they inherit, and knows of no
// other. A wrong id of a space reads like a forbidden one.
func TestSpaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.AddSpace("web", "Web", "shop")
	f.create("shop-a", nil)
	f.create("web-a", vars{"space": "web"})
	f.create("bank-a", vars{"space": "bank"})
	f.create("root-a", vars{"space": "root"})
	shop := f.login("shop", "shop-secret")
	create := func(slug, space string) reply {
		return f.ask(shop, createQuery, vars{"input": stackInput(slug, vars{"space": space}), "manageState": false, "slug": slug})
	}
	config := func(stack string) reply {
		return f.ask(shop, `mutation($s: ID!){ stackConfigAdd(stack: $s, config: {id: "A", type: ENVIRONMENT_VARIABLE, value: "1", writeOnly: false}){ id } }`, vars{"s": stack})
	}
	for what, c := range map[string]struct {
		got  reply
		want string
	}{
		"create in its space":           {create("n1", "shop"), ""},
		"create below its space":        {create("n2", "web"), ""},
		"create elsewhere":              {create("n3", "bank"), "unauthorized"},
		"create above":                  {create("n4", "root"), "unauthorized"},
		"create in a space by its name": {create("n5", "Shop"), "unauthorized"},
		"create without a space":        {f.ask(shop, createQuery, vars{"input": stackInput("n6", vars{"space": nil}), "manageState": false, "slug": "n6"}), "unauthorized"},
		"an administrative stack":       {f.ask(shop, createQuery, vars{"input": stackInput("n7", vars{"administrative": true}), "manageState": false, "slug": "n7"}), "unauthorized"},
		"config in its space":           {config("shop-a"), ""},
		"config elsewhere":              {config("bank-a"), "unauthorized"},
		"config nowhere":                {config("none"), "stack not found"},
		"read elsewhere":                {f.ask(shop, `{ stack(id: "bank-a"){ id } }`, nil), "unauthorized"},
		"read above":                    {f.ask(shop, `{ stack(id: "root-a"){ id } }`, nil), "unauthorized"},
		"read nowhere":                  {f.ask(shop, `{ stack(id: "none"){ id } }`, nil), ""},
		"read a foreign policy":         {f.ask(shop, `{ policy(id: "bank-only"){ id } }`, nil), "unauthorized"},
		"read an inherited policy":      {f.ask(shop, `{ policy(id: "require-approval"){ id } }`, nil), ""},
		"a foreign space":               {f.ask(shop, `{ space(id: "bank"){ id } }`, nil), "unauthorized"},
		"a new space":                   {f.ask(shop, `mutation{ spaceCreate(input: {name: "x", parentSpace: "shop", inheritEntities: true}){ id } }`, nil), "unauthorized"},
	} {
		if got := strings.Join(c.got.errors, "\n"); got != c.want {
			t.Errorf("%s: %s", what, c.got.body)
		}
	}
	data := f.ask(shop, `{ spaces { id } stacks { id } policies { id } }`, nil).data
	equal(t, "what the key sees", data, vars{
		"spaces":   []vars{{"id": "root"}, {"id": "shop"}, {"id": "web"}},
		"stacks":   []vars{{"id": "n1"}, {"id": "n2"}, {"id": "shop-a"}, {"id": "web-a"}},
		"policies": []vars{{"id": "require-approval"}},
	})
}

// TestChangeSpaces: an administrator changes spaces.
func TestChangeSpaces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	data := f.do(`mutation{ spaceCreate(input: {name: "Team A", parentSpace: "shop", inheritEntities: true}){ id parentSpace } }`, nil)
	id, _ := at(data, "spaceCreate", "id").(string)
	if !strings.HasPrefix(id, "team-a-") {
		t.Fatalf("id %q", id)
	}
	f.refused("cycle", `mutation($id: ID!){ spaceUpdate(space: "shop", input: {name: "Shop", parentSpace: $id, inheritEntities: true}){ id } }`, vars{"id": id})
	f.create("a", vars{"space": id})
	f.refused("not empty", `mutation($id: ID!){ spaceDelete(space: $id){ id } }`, vars{"id": id})
	f.do(on("stackDelete"), vars{"id": "a"})
	f.server.Step()
	f.do(`mutation($id: ID!){ spaceDelete(space: $id){ id } }`, vars{"id": id})
	f.refused("unauthorized", `mutation{ spaceDelete(space: "root"){ id } }`, nil)
}

// TestForeign: a key changes nothing that belongs to another space, by whatever id.
func TestForeign(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.AddContext("bank-context", "Bank context", "bank")
	for _, id := range []string{"bank-a", "bank-b"} {
		f.create(id, vars{"space": "bank"})
	}
	f.create("shop-a", nil)
	attachment := at(f.do(`mutation{ policyAttach(id: "bank-only", stack: "bank-a"){ id } }`, nil), "policyAttach", "id")
	context := at(f.do(`mutation{ contextAttach(id: "bank-context", stack: "bank-a", priority: 0){ id } }`, nil), "contextAttach", "id")
	dependency := at(f.do(`mutation{ stackDependencyCreate(input: {stackId: "bank-a", dependsOnStackId: "bank-b"}){ id } }`, nil), "stackDependencyCreate", "id")
	reference := at(f.do(`mutation($id: ID!){ stackDependenciesAddReference(stackDependencyID: $id, reference: {outputName: "o", inputName: "I", type: ENVIRONMENT_VARIABLE}){ id } }`, vars{"id": dependency}), "stackDependenciesAddReference", "id")
	run := f.trigger("bank-a", "TRACKED", sha1)
	before := f.stack("bank-a")
	shop := f.login("shop", "shop-secret")
	for mutation, id := range map[string]any{
		`policyDetach(id: $id){ id }`:                                                                   attachment,
		`contextDetach(id: $id){ id }`:                                                                  context,
		`stackDependencyDelete(id: $id){ id }`:                                                          dependency,
		`stackDependenciesDeleteReference(id: $id){ id }`:                                               reference,
		`runDiscard(stack: "bank-a", run: $id){ id }`:                                                   run,
		`policyAttach(id: $id, stack: "shop-a"){ id }`:                                                  "bank-only",
		`contextAttach(id: $id, stack: "shop-a", priority: 0){ id }`:                                    "bank-context",
		`policyUpdatev2(id: $id, input: {name: "Mine", body: "", space: "shop"}){ id }`:                 "bank-only",
		`policyDelete(id: $id){ id }`:                                                                   "bank-only",
		`contextUpdateV2(id: $id, input: {name: "Mine", space: "shop"}){ id }`:                          "bank-context",
		`contextDelete(id: $id){ id }`:                                                                  "bank-context",
		`policyCreatev2(input: {name: "New", body: "", type: PLAN, space: $id}){ id }`:                  "bank",
		`stackDependencyCreate(input: {stackId: "shop-a", dependsOnStackId: $id}){ id }`:                "bank-b",
		`stackDelete(id: $id){ id }`:                                                                    "bank-a",
		`stackIntegrationDriftDetectionDelete(stack: $id){ deleted }`:                                   "bank-a",
		`spaceUpdate(space: $id, input: {name: "B", parentSpace: "shop", inheritEntities: true}){ id }`: "bank",
		`contextCreateV2(input: {name: "New", space: $id}){ id }`:                                       "bank",
		`stackDependenciesAddReference(stackDependencyID: $id, reference: {outputName: "p", inputName: "J", type: ENVIRONMENT_VARIABLE}){ id }`: dependency,
	} {
		if r := f.ask(shop, `mutation($id: ID!){ `+mutation+` }`, vars{"id": id}); len(r.errors) != 1 || r.errors[0] != "unauthorized" {
			t.Errorf("%s: %s", mutation, r.body)
		}
	}
	equal(t, "the stack", f.stack("bank-a"), before)
	equal(t, "its own", len(f.stack("shop-a").Policies)+len(f.stack("shop-a").Contexts), 0)
	for _, query := range []string{`{ run(id: "` + run + `"){ id } }`, `{ policies { attachedStacks { stackId } } searchStacks(input: {}){ edges { node { id } } } }`} {
		if r := f.ask(shop, query, nil); strings.Contains(r.body, "bank") || strings.Contains(r.body, run) {
			t.Errorf("%s shows what is not its own: %s", query, r.body)
		}
	}
}
