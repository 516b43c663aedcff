package spacelift_test

import (
	"fmt"
	"testing"
)

const searchQuery = `query($input: SearchInput!){ searchStacks(input: $input){ edges { cursor node { id } } pageInfo { endCursor hasNextPage } } }`

// search lists what a search finds, page by page.
func (f *fixture) search(input vars) (ids []string, pages int) {
	f.t.Helper()
	for {
		pages++
		data := f.do(searchQuery, vars{"input": input})
		edges, _ := at(data, "searchStacks", "edges").([]any)
		for _, e := range edges {
			ids = append(ids, fmt.Sprint(at(e, "node", "id")))
		}
		if at(data, "searchStacks", "pageInfo", "hasNextPage") != true {
			return ids, pages
		}
		input["after"] = at(data, "searchStacks", "pageInfo", "endCursor")
	}
}

// TestSearch: predicates select, cursors lead on, and what comes meanwhile moves nothing.
func TestSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("a", vars{"labels": []string{"mine", "x"}, "autodeploy": true})
	f.create("b", vars{"labels": []string{"mine"}, "workerPool": "pool", "branch": "dev"})
	f.create("c", vars{"labels": []string{"theirs"}, "vendorConfig": vars{"ansible": vars{"playbook": "p"}}})
	f.do(on("stackLock"), vars{"id": "c"})
	f.server.Push("acme/manager", "dev", sha1)
	one := func(field, constraint string, values any) []vars {
		return []vars{{"field": field, "constraint": vars{constraint: values}}}
	}
	for _, c := range []struct {
		name  string
		input vars
		want  []string
	}{
		{"all", vars{}, []string{"a", "b", "c"}},
		{"a label", vars{"predicates": one("label", "stringMatches", []string{"mine"})}, []string{"a", "b"}},
		{"one of two labels", vars{"predicates": one("label", "stringMatches", []string{"x", "theirs"})}, []string{"a", "c"}},
		{"no such label", vars{"predicates": []vars{{"field": "label", "exclude": true, "constraint": vars{"stringMatches": []string{"mine"}}}}}, []string{"c"}},
		{"both", vars{"predicates": append(one("label", "stringMatches", []string{"mine"}), one("branch", "stringMatches", []string{"dev"})...)}, []string{"b"}},
		{"locked", vars{"predicates": one("locked", "booleanEquals", []bool{true})}, []string{"c"}},
		{"state", vars{"predicates": one("state", "enumEquals", []string{"QUEUED"})}, []string{"b"}},
		{"vendor", vars{"predicates": one("vendor", "enumEquals", []string{"ANSIBLE"})}, []string{"c"}},
		{"a text", vars{"fullTextSearch": "theirs"}, []string{"c"}},
		{"the other way round", vars{"orderBy": vars{"field": "name", "direction": "DESC"}}, []string{"c", "b", "a"}},
		{"by branch", vars{"orderBy": []vars{{"field": "branch", "direction": "ASC"}}}, []string{"b", "a", "c"}},
	} {
		for _, first := range []any{nil, 1, 2} {
			c.input["first"] = first
			delete(c.input, "after")
			got, _ := f.search(c.input)
			equal(t, c.name, got, c.want)
		}
	}
	for want, input := range map[string]vars{
		"between 1 and 50":                 {"first": 51},
		"unknown search field \"space\"":   {"predicates": one("space", "stringMatches", []string{"shop"})},
		"needs the constraint enumEquals":  {"predicates": one("state", "stringMatches", []string{"QUEUED"})},
		"no cursor":                        {"after": "%"},
		"unknown search field \"created\"": {"orderBy": vars{"field": "created", "direction": "ASC"}},
	} {
		f.refused(want, searchQuery, vars{"input": input})
	}
	data := f.do(searchQuery, vars{"input": vars{"first": 2}})
	f.create("aa", nil)
	got, _ := f.search(vars{"after": at(data, "searchStacks", "pageInfo", "endCursor")})
	equal(t, "after a new stack", got, []string{"c"})
}

// TestSearchMany: 500 stacks with all that is attached to them are ten pages.
func TestSearchMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 500 {
		f.create(fmt.Sprintf("s%03d", i), vars{"labels": []string{"mine"}})
	}
	f.server.ResetRequests()
	ids, pages := f.search(vars{"first": 50, "predicates": []vars{{"field": "label", "constraint": vars{"stringMatches": []string{"mine"}}}}})
	equal(t, "stacks, pages, requests", []int{len(ids), pages, len(f.server.Requests())}, []int{500, 10, 10})
	data := f.do(`query($input: SearchInput!){ searchStacks(input: $input){ edges { node { id isDisabled labels config { id checksum } attachedPolicies { policyId } attachedContexts { contextId } dependsOn { dependsOnStackId references { inputName } } integrations { driftDetection { schedule } } vendorConfig { __typename ... on StackConfigVendorTerraform { version } } } } } }`, vars{"input": vars{"first": 50}})
	edges, _ := at(data, "searchStacks", "edges").([]any)
	equal(t, "edges", len(edges), 50)
}
