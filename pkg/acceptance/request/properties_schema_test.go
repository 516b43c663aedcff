package request

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

const (
	schemaRoute   = "/orgs/{org}/properties/schema"
	stackedRoot   = "environments:\n  - {name: staging, branches: [main]}\nproperties: {}\n"
	definedValues = "environments:\n  - {name: staging, branches: [main]}\nproperties:\n  use: [tools, approval]\n  definitions:\n" +
		"    tier: {type: single_select, values: [paid, free], default: free, description: What they pay}\n    team: {type: string}\n"
)

// newSchema is a manager with a metapipe.yml whose token may define the properties of acme.
func newSchema(t *testing.T, manager string, definitions ...hub.PropertyDefinition) *propertyFleet {
	t.Helper()
	f := newPropertyFleet(t, 0)
	f.Commit(f.Manager, "main", map[string]string{"metapipe.yml": manager})
	fixture.Check(t, f.Hub.DefineProperties("acme", definitions...))
	f.Setenv("SOURCE_REPOS_PAT=" + f.Token(hub.Token{Name: "definer", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug},
		Permissions: map[string]string{"metadata": "read", "organization_custom_properties": "admin"}}))
	return f
}

// inBothForms plays a test with definitions whose answers have all fields, and with those that leave out
// what has no value, or its default.
func inBothForms(t *testing.T, play func(t *testing.T, form func(*hub.Server))) {
	t.Helper()
	for name, form := range map[string]func(*hub.Server){"all fields": func(*hub.Server) {}, "fields left out": (*hub.Server).ShortDefinitions} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, form)
		})
	}
}

func (f *propertyFleet) schema(exit int, args ...string) (fixture.Result, *fixture.Job) {
	f.T.Helper()
	j := f.DriftJob()
	return j.Do(exit, append([]string{"properties", "schema"}, args...)...), j
}

// defined are the definitions of acme, a line each.
func (f *propertyFleet) defined() string {
	var lines []string
	for _, d := range f.Hub.PropertyDefinitions("acme") {
		lines = append(lines, strings.Join([]string{d.Name, d.Type, strings.Join(d.Allowed, ","), string(fixture.Must(json.Marshal(d.Default))(f.T)), d.Description, d.EditableBy}, "|"))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestPropertiesSchema makes the built-in definitions, finds them made, and takes them back.
func TestPropertiesSchema(t *testing.T) {
	t.Parallel()
	inBothForms(t, propertiesSchema)
}

func propertiesSchema(t *testing.T, form func(*hub.Server)) {
	t.Helper()
	f := newSchema(t, stackedRoot)
	form(f.Hub.Server)
	f.Hub.ResetCalls()
	r, _ := f.schema(0)
	r.Says(t, "infrastructure_tools", `"allowed_values":["terraform"]`, "planned", "nothing is written: --apply writes it")
	if got := f.Writes(); len(got) > 0 {
		t.Errorf("the plan wrote %v", got)
	}
	_, j := f.schema(0, "--apply", "--undo", "back.json")
	const want = "infrastructure_approval_required|true_false||null||org_actors\ninfrastructure_tools|multi_select|terraform|null||org_and_repo_actors\n" +
		"region_restriction|single_select|apac-only,eu-only,global,us-only|null||org_actors\nrepo_content_type|multi_select|app,infra|null||org_and_repo_actors\n" +
		"spacelift_auto_deploy|true_false||null||org_actors\nterraform_version|string||null||org_and_repo_actors"
	if got := f.defined(); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := f.Writes(); !slices.Equal(got, []string{"PATCH /orgs/acme/properties/schema"}) {
		t.Errorf("%v", got)
	}
	r, _ = f.schema(0, "--apply", "--json")
	if got := changeReport(t, r); got.Count(change.Same) != 6 || len(got.Rows) != 6 {
		t.Errorf("%+v", got)
	}
	f.DriftJob().Do(0, "ledger").Says(t, "region_restriction of acme: null → ", "changed")
	undo := filepath.Join(j.Workspace(), "back.json")
	f.Customer.SetProperties(hub.Properties{"infrastructure_tools": []string{"terraform"}})
	r, _ = f.schema(2, "--from", undo, "--apply")
	r.Says(t, `the repository with id 4711 has the value ["terraform"], which would be lost`)
	f.Customer.SetProperties(hub.Properties{})
	f.schema(0, "--from", undo, "--apply")
	if got := f.defined(); got != "" {
		t.Errorf("taken back:\n%s", got)
	}
}

// TestPropertiesSchemaKeeps: what metapipe.yml does not speak of stays, also who may edit where that
// is stricter, and what a person changes meanwhile is not overwritten.
func TestPropertiesSchemaKeeps(t *testing.T) {
	t.Parallel()
	inBothForms(t, propertiesSchemaKeeps)
}

func propertiesSchemaKeeps(t *testing.T, form func(*hub.Server)) {
	t.Helper()
	f := newSchema(t, definedValues,
		hub.PropertyDefinition{Name: "Infrastructure_Tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "pulumi"}, Description: "Which tools", RequireExplicit: true},
		hub.PropertyDefinition{Name: "infrastructure_approval_required", Type: hub.TrueFalse, EditableBy: hub.OrgAndRepoActors},
		hub.PropertyDefinition{Name: "tier", Type: hub.SingleSelect, Allowed: []string{"free", "paid"}, EditableBy: hub.OrgAndRepoActors},
		hub.PropertyDefinition{Name: "team", Type: hub.TextProperty, Enterprise: true},
		hub.PropertyDefinition{Name: "other", Type: hub.TextProperty, Description: "of others"},
	)
	form(f.Hub.Server)
	before := f.defined()
	_, j := f.schema(0, "--apply", "--undo", "back.json")
	const want = "Infrastructure_Tools|multi_select|terraform|null|Which tools|org_actors\ninfrastructure_approval_required|true_false||null||org_actors\nother|string||null|of others|org_actors\n" +
		"team|string||null||org_actors\ntier|single_select|free,paid|\"free\"|What they pay|org_and_repo_actors"
	if got := f.defined(); got != want {
		t.Errorf("got\n%s", got)
	}
	if d := f.Hub.PropertyDefinitions("acme")[0]; !d.RequireExplicit {
		t.Errorf("%+v", d)
	}
	undo := filepath.Join(j.Workspace(), "back.json")
	f.schema(0, "--from", undo, "--apply")
	if got := f.defined(); got != before {
		t.Errorf("taken back:\n%s\nwant\n%s", got, before)
	}
	r, _ := f.schema(0, "--from", undo, "--apply")
	r.Says(t, "it is there already")
	f.schema(0, "--apply")
	all := f.Hub.PropertyDefinitions("acme")
	all[0].Description = "changed by a person"
	fixture.Check(t, f.Hub.DefineProperties("acme", all...))
	r, _ = f.schema(4, "--from", undo, "--apply")
	r.Says(t, "refused", "Infrastructure_Tools of acme", "show the plan again")
	if got := f.Hub.PropertyDefinitions("acme")[0].Description; got != "changed by a person" {
		t.Errorf("%s", got)
	}
}

// TestPropertiesSchemaRefuses: nothing is written where one definition cannot be brought about.
func TestPropertiesSchemaRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manager    string
		definition hub.PropertyDefinition
		values     hub.Properties
		want       string
	}{
		"another type":          {stackedRoot, hub.PropertyDefinition{Name: "infrastructure_tools", Type: hub.TextProperty}, nil, "it is of the type string, and multi_select is wanted: a type cannot be changed"},
		"a value in use":        {stackedRoot, hub.PropertyDefinition{Name: "infrastructure_tools", Type: hub.MultiSelect, Allowed: []string{"pulumi", "terraform"}}, hub.Properties{"infrastructure_tools": []string{"pulumi"}}, `the repository with id 4711 has the value ["pulumi"], which would be lost: it is in use`},
		"a default not allowed": {stackedRoot, hub.PropertyDefinition{Name: "region_restriction", Type: hub.SingleSelect, Allowed: []string{"mars"}, Required: true, Default: "mars"}, nil, `its default "mars" would not be allowed any more`},
		"of the enterprise": {stackedRoot, hub.PropertyDefinition{Name: "infrastructure_approval_required", Type: hub.TrueFalse, EditableBy: hub.OrgAndRepoActors, Enterprise: true}, nil,
			"the enterprise has defined it, so it cannot be edited here"},
		"no properties": {"environments:\n  - {name: staging, branches: [main]}\n", hub.PropertyDefinition{Name: "x", Type: hub.TextProperty}, nil, "metapipe.yml has no `properties`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBothForms(t, func(t *testing.T, form func(*hub.Server)) {
				t.Helper()
				f := newSchema(t, c.manager, c.definition)
				form(f.Hub.Server)
				f.Customer.SetProperties(c.values)
				r, _ := f.schema(2, "--apply")
				r.Says(t, c.want)
				if got := f.Writes(); len(got) > 0 {
					t.Errorf("written: %v", got)
				}
			})
		})
	}
	f := newSchema(t, stackedRoot)
	r, _ := f.schema(2, "--organization", "other")
	r.Says(t, "no customer has a repository of organization")
	r = f.DriftJob().With("SOURCE_REPOS_PAT=", "METAPIPE_APP_ID=1", "METAPIPE_APP_PRIVATE_KEY=no-key-at-all").Do(2, "properties", "schema")
	r.Says(t, "definitions need the token of an owner of the organization")
}

// TestPropertiesSchemaFaults lets each call fail: what the command says is what is there.
func TestPropertiesSchemaFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method  string
		fault   hubtest.Fault
		exit    int
		says    string
		written bool
	}{
		"403 of the read":          {"GET", hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1, "read the definitions", false},
		"404 of the read":          {"GET", hubtest.Fault{Status: 404, Message: "Not Found"}, 1, "read the definitions", false},
		"half of the read":         {"GET", hubtest.Fault{HalfBody: true}, 1, "read the definitions", false},
		"403 of the write":         {"PATCH", hubtest.Fault{Status: 403, Message: "Resource not accessible"}, 1, "it was not written", false},
		"422 of the write":         {"PATCH", hubtest.Fault{Status: 422, Message: "Validation Failed"}, 1, "it was not written", false},
		"500 of the write":         {"PATCH", hubtest.Fault{Status: 500, Message: "oops"}, 1, "it was not written", false},
		"lost answer of the write": {"PATCH", hubtest.Fault{Reset: true, AfterEffect: true}, 0, "written", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newSchema(t, stackedRoot)
			f.Hub.ShortDefinitions()
			f.Hub.Fail(hubtest.Matcher{Method: c.method, Route: schemaRoute}, c.fault, 100)
			r, _ := f.schema(c.exit, "--apply")
			r.Says(t, c.says)
			if got := f.defined() != ""; got != c.written {
				t.Errorf("written: %v", got)
			}
			f.Hub.ClearFaults()
			f.schema(0, "--apply")
			if got := f.defined(); strings.Count(got, "\n") != 5 {
				t.Errorf("then:\n%s", got)
			}
		})
	}
}

// TestPropertiesSchemaOfAPerson: the account of a person is left out with a note, and an error where
// it is named.
func TestPropertiesSchemaOfAPerson(t *testing.T) {
	t.Parallel()
	f := newSchema(t, stackedRoot)
	own := fixture.Must(f.Hub.AddRepo("casey", "own", hub.RepoOptions{ID: 99, Private: true}))(t)
	fixture.Check(t, own.Grant("metapipe-bot", hub.Write))
	f.Commit(f.Manager, "main", map[string]string{"customers/own.yml": "repository: casey/own\nrepository_id: 99\n"})
	f.Setenv("SOURCE_REPOS_PAT=" + f.Token(hub.Token{Name: "both", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.CustomerSlug, "casey/own"},
		Permissions: map[string]string{"metadata": "read", "organization_custom_properties": "admin"}}))
	r, _ := f.schema(0)
	r.Says(t, "casey is a person, whose repositories have no custom properties", "acme")
	r, _ = f.schema(2, "--organization", "casey")
	r.Says(t, "casey is a person, and no organization")
}
