package hub_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// properties is a fixture with definitions of every type, and with tokens for them:
// "owner" (classic, of an owner of acme), "repo-admin" (classic, of an administrator of
// the repository), "reader", "writer" and "definer" (Apps with one level each), and
// "editor" (an App that may edit values of the repository).
func properties(t *testing.T) *fixture {
	t.Helper()
	s := newFixture(t, hub.Options{})
	good(t, s.hub.AddOwner("acme", "ops"))
	got(s.hub.AddUser(hub.User{Login: "robin"}))(t)
	good(t, s.customer.Grant("robin", hub.Admin))
	good(t, s.hub.DefineProperties("acme",
		hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform", "ansible"}, EditableBy: hub.OrgAndRepoActors},
		hub.PropertyDefinition{Name: "tier", Type: hub.SingleSelect, Allowed: []string{"free", "paid"}, Required: true, Default: "free"},
		hub.PropertyDefinition{Name: "approval", Type: hub.TrueFalse},
		hub.PropertyDefinition{Name: "contact", Type: hub.TextProperty, EditableBy: hub.OrgAndRepoActors},
		hub.PropertyDefinition{Name: "runbook", Type: hub.AddressProperty},
		hub.PropertyDefinition{Name: "class", Type: hub.TextProperty, Enterprise: true},
	))
	for name, permissions := range map[string]map[string]string{
		"reader": {"organization_custom_properties": "read"}, "writer": {"organization_custom_properties": "write"},
		"definer": {"organization_custom_properties": "admin"}, "editor": {"repository_custom_properties": "write"},
	} {
		s.secrets[name] = got(s.hub.AddToken(hub.Token{Name: name, Kind: hub.App, User: "metapipe[bot]", Repositories: []string{"acme/shop"}, Permissions: permissions}))(t).Secret
	}
	for name, user := range map[string]string{"owner": "ops", "repo-admin": "robin"} {
		s.secrets[name] = got(s.hub.AddToken(hub.Token{Name: name, Kind: hub.Classic, User: user, Scopes: []string{"repo", "admin:org"}}))(t).Secret
	}
	s.customer.SetProperties(hub.Properties{})
	return s
}

func (s *fixture) shown() string {
	s.t.Helper()
	raw := got(json.Marshal(s.send("admin", "GET", "/repos/acme/shop", "").object(s.t)["custom_properties"]))(s.t)
	return string(raw)
}

const (
	schemaPath = "/orgs/acme/properties/schema"
	valuesPath = "/orgs/acme/properties/values"
	ownPath    = "/repos/acme/shop/properties/values"
)

func orgPatch(names string, properties string) string {
	return `{"repository_names":[` + names + `],"properties":[` + properties + `]}`
}

func value(name, v string) string { return `{"property_name":"` + name + `","value":` + v + `}` }

// TestPropertyRules: who may do what, and what GitHub refuses. A refused request changes
// nothing, whatever else is in it.
func TestPropertyRules(t *testing.T) {
	t.Parallel()
	s := properties(t)
	var many []string
	for i := range 31 {
		many = append(many, fmt.Sprintf("%q", fmt.Sprint("shop", i)))
	}
	shop := `"shop"`
	for name, tc := range map[string]struct {
		token, method, path, body string
		want                      int
	}{
		"schema without a token":               {"", "GET", schemaPath, "", 401},
		"schema by an App":                     {"reader", "GET", schemaPath, "", 200},
		"schema by a member":                   {"repo-admin", "GET", schemaPath, "", 200},
		"schema by a stranger":                 {"mallory", "GET", schemaPath, "", 404},
		"schema by an App without the right":   {"metapipe", "GET", schemaPath, "", 403},
		"schema of a person":                   {"owner", "GET", "/orgs/ops/properties/schema", "", 404},
		"one definition":                       {"reader", "GET", schemaPath + "/TOOLS", "", 200},
		"a definition that is not there":       {"reader", "GET", schemaPath + "/other", "", 404},
		"define with write":                    {"writer", "PUT", schemaPath + "/x", `{"value_type":"string"}`, 403},
		"change what the enterprise defined":   {"definer", "PUT", schemaPath + "/class", `{"value_type":"string"}`, 403},
		"delete what the enterprise defined":   {"definer", "DELETE", schemaPath + "/class", "", 403},
		"values of the organization":           {"reader", "GET", valuesPath, "", 200},
		"write with read":                      {"reader", "PATCH", valuesPath, orgPatch(shop, value("approval", `"true"`)), 403},
		"31 names":                             {"writer", "PATCH", valuesPath, orgPatch(strings.Join(many, ","), value("approval", `"true"`)), 422},
		"no name":                              {"writer", "PATCH", valuesPath, orgPatch("", value("approval", `"true"`)), 422},
		"a repository that is not there":       {"writer", "PATCH", valuesPath, orgPatch(`"shop","other"`, value("approval", `"true"`)), 404},
		"an unknown property":                  {"writer", "PATCH", valuesPath, orgPatch(shop, value("approval", `"true"`)+","+value("nothing", `"x"`)), 422},
		"no value":                             {"writer", "PATCH", valuesPath, orgPatch(shop, `{"property_name":"approval"}`), 422},
		"a value that is not allowed":          {"writer", "PATCH", valuesPath, orgPatch(shop, value("tier", `"gold"`)), 422},
		"one of a list that is not allowed":    {"writer", "PATCH", valuesPath, orgPatch(shop, value("tools", `["terraform","pulumi"]`)), 422},
		"a text for a list":                    {"writer", "PATCH", valuesPath, orgPatch(shop, value("tools", `"terraform"`)), 422},
		"a list for a text":                    {"writer", "PATCH", valuesPath, orgPatch(shop, value("contact", `["x"]`)), 422},
		"a boolean for its text":               {"writer", "PATCH", valuesPath, orgPatch(shop, value("approval", `true`)), 422},
		"neither true nor false":               {"writer", "PATCH", valuesPath, orgPatch(shop, value("approval", `"yes"`)), 422},
		"a quotation mark":                     {"writer", "PATCH", valuesPath, orgPatch(shop, value("contact", `"a\"b"`)), 422},
		"an address that is none":              {"writer", "PATCH", valuesPath, orgPatch(shop, value("runbook", `"javascript:1"`)), 422},
		"by the repository, not editable":      {"repo-admin", "PATCH", ownPath, `{"properties":[` + value("approval", `"false"`) + `]}`, 403},
		"by an App, not editable":              {"editor", "PATCH", ownPath, `{"properties":[` + value("contact", `"x"`) + "," + value("tier", `"paid"`) + `]}`, 403},
		"by the repository without the right":  {"metapipe", "PATCH", ownPath, `{"properties":[` + value("contact", `"x"`) + `]}`, 403},
		"by a job of the repository":           {"job", "PATCH", ownPath, `{"properties":[` + value("contact", `"x"`) + `]}`, 403},
		"of the repository of a person, read":  {"owner", "GET", "/repos/ops/manager/properties/values", "", 404},
		"of the repository of a person, write": {"owner", "PATCH", "/repos/ops/manager/properties/values", `{"properties":[` + value("contact", `"x"`) + `]}`, 404},
	} {
		equal(t, name, s.send(tc.token, tc.method, tc.path, tc.body).status, tc.want)
	}
	equal(t, "after all of that", s.shown(), `{"tier":"free"}`)
	if _, has := s.send("owner", "GET", "/repos/ops/manager", "").object(t)["custom_properties"]; has {
		t.Error("the repository of a person has custom properties")
	}
}

// TestPropertyValues: values are set, read in each place, unset by null, and inherited
// from a required default; the repository keeps them under another name.
func TestPropertyValues(t *testing.T) {
	t.Parallel()
	s := properties(t)
	equal(t, "before", s.shown(), `{"tier":"free"}`)
	equal(t, "set", s.send("writer", "PATCH", valuesPath, orgPatch(`"shop"`, value("TOOLS", `["ansible"]`)+","+value("tier", `"paid"`)+","+value("approval", `"true"`))).status, 204)
	equal(t, "set", s.shown(), `{"approval":"true","tier":"paid","tools":["ansible"]}`)
	equal(t, "by the repository", s.send("repo-admin", "PATCH", ownPath, `{"properties":[`+value("tools", `[]`)+`]}`).status, 204)
	equal(t, "by its App", s.send("editor", "PATCH", ownPath, `{"properties":[`+value("contact", `"team@example.com"`)+`]}`).status, 204)
	const all = `[{"property_name":"approval","value":"true"},{"property_name":"contact","value":"team@example.com"},{"property_name":"tier","value":"paid"},{"property_name":"tools","value":[]}]`
	equal(t, "of the repository", s.send("job", "GET", ownPath, "").body, all)
	good(t, s.customer.Rename("store"))
	list := s.send("reader", "GET", valuesPath, "").body
	equal(t, "of the organization", list, `[{"properties":`+all+`,"repository_full_name":"acme/store","repository_id":4711,"repository_name":"store"}]`)
	equal(t, "by its former name", s.send("writer", "PATCH", valuesPath, orgPatch(`"shop"`, value("approval", "null"))).status, 404)
	for query, want := range map[string]string{"props.tier:paid": list, "props.tier:free": "[]", "stor": list, "other": "[]"} {
		equal(t, query, s.send("reader", "GET", valuesPath+"?repository_query="+query, "").body, want)
	}
	equal(t, "unset", s.send("writer", "PATCH", valuesPath, orgPatch(`"store"`, value("approval", "null")+","+value("tier", "null"))).status, 204)
	equal(t, "unset", s.send("admin", "GET", "/repositories/4711/properties/values", "").body,
		`[{"property_name":"contact","value":"team@example.com"},{"property_name":"tier","value":"free"},{"property_name":"tools","value":[]}]`)
	equal(t, "the definition goes, and its values", s.send("definer", "DELETE", schemaPath+"/contact", "").status, 204)
	equal(t, "the definition comes back", s.send("definer", "PUT", schemaPath+"/contact", `{"value_type":"string"}`).status, 200)
	equal(t, "without values", s.send("reader", "GET", valuesPath+"?repository_query=props.contact:team@example.com", "").body, "[]")
}

// TestPropertyDefinitions: a change replaces the whole definition, so that what it leaves
// out falls back; a wrong one among several changes none.
func TestPropertyDefinitions(t *testing.T) {
	t.Parallel()
	s := properties(t)
	before := s.send("reader", "GET", schemaPath, "").body
	for name, one := range map[string]string{
		"a type":              `{"property_name":"x","value_type":"number"}`,
		"a name":              `{"property_name":"x y","value_type":"string"}`,
		"a long name":         `{"property_name":"` + strings.Repeat("x", 76) + `","value_type":"string"}`,
		"no allowed value":    `{"property_name":"x","value_type":"single_select"}`,
		"201 allowed values":  `{"property_name":"x","value_type":"single_select","allowed_values":["a"` + strings.Repeat(`,"a"`, 200) + `]}`,
		"a quoted value":      `{"property_name":"x","value_type":"single_select","allowed_values":["a\"b"]}`,
		"no default":          `{"property_name":"x","value_type":"string","required":true}`,
		"a default for none":  `{"property_name":"x","value_type":"string","default_value":"y"}`,
		"a default not in it": `{"property_name":"x","value_type":"multi_select","allowed_values":["a"],"required":true,"default_value":["b"]}`,
		"two defaults of one": `{"property_name":"x","value_type":"single_select","allowed_values":["a","b"],"required":true,"default_value":["a","b"]}`,
		"who edits":           `{"property_name":"x","value_type":"string","values_editable_by":"everyone"}`,
	} {
		a := s.send("definer", "PATCH", schemaPath, `{"properties":[{"property_name":"good","value_type":"string"},`+one+`]}`)
		if a.status != 422 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	equal(t, "after the refusals", s.send("reader", "GET", schemaPath, "").body, before)
	equal(t, "changed", s.send("definer", "PATCH", schemaPath, `{"properties":[{"property_name":"tools","value_type":"multi_select","allowed_values":["terraform"]}]}`).status, 200)
	v := s.send("reader", "GET", schemaPath+"/tools", "").object(t)
	equal(t, "who edits falls back", v["values_editable_by"], any("org_actors"))
	equal(t, "the source", v["source_type"], any("organization"))
	equal(t, "of the enterprise", s.send("reader", "GET", schemaPath+"/class", "").object(t)["source_type"], any("enterprise"))
	if s.hub.DefineProperties("ops", hub.PropertyDefinition{Name: "x", Type: hub.TextProperty}) == nil || s.hub.DefineProperties("nobody") == nil ||
		s.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "x"}) == nil || s.hub.AddOwner("acme", "nobody") == nil {
		t.Error("a mistake was accepted")
	}
}

// TestDocumentedPropertyCalls plays the calls of docs/CUSTOM-PROPERTIES.md in their order.
func TestDocumentedPropertyCalls(t *testing.T) {
	t.Parallel()
	s := properties(t)
	page := string(got(os.ReadFile("../../../docs/CUSTOM-PROPERTIES.md"))(t))
	calls := regexp.MustCompile("(?m)^\\| [^|]+ \\| `(GET|PUT|PATCH|DELETE) ([^`]+)` \\| (?:`([^`]+)` )?\\|$").FindAllStringSubmatch(page, -1)
	equal(t, "documented calls", len(calls), 12)
	read := ""
	for _, c := range calls {
		named := strings.NewReplacer("ORG", "acme", "REPO", "shop")
		a := s.send("owner", c[1], named.Replace(c[2]), named.Replace(c[3]))
		if a.status/100 != 2 {
			t.Errorf("%s %s: %d %s", c[1], c[2], a.status, a.body)
		}
		if c[2] == "/repos/ORG/REPO/properties/values" && c[1] == "GET" {
			read = a.body
		}
	}
	equal(t, "values", read, `[{"property_name":"infrastructure_tools","value":["network"]},{"property_name":"terraform_version","value":"latest"},{"property_name":"tier","value":"free"}]`)
}
