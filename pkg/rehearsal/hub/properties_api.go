package hub

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The permissions of the routes below.
const (
	orgProperties  = "organization_custom_properties"
	repoProperties = "repository_custom_properties"
)

const (
	orgSchema = "/orgs/{org}/properties/schema"
	oneSchema = orgSchema + "/{custom_property_name}"
	orgValues = "/orgs/{org}/properties/values"
)

var propertyRoutes = []route{
	{"GET", orgSchema, reads(orgProperties), false, listDefinitions},
	{"PATCH", orgSchema, needs("admin", []string{orgProperties}), false, patchDefinitions},
	{"GET", oneSchema, reads(orgProperties), false, getDefinition},
	{"PUT", oneSchema, needs("admin", []string{orgProperties}), false, putDefinition},
	{"DELETE", oneSchema, needs("admin", []string{orgProperties}), false, deleteDefinition},
	{"GET", orgValues, reads(orgProperties), false, listOrgValues},
	{"PATCH", orgValues, writes(orgProperties), false, patchOrgValues},
	{"GET", inRepo + "/properties/values", reads("metadata"), false, listRepoValues},
	{"PATCH", inRepo + "/properties/values", writes(repoProperties), false, patchRepoValues},
}

// authorizeOrg applies the permissions of the route to an organization. A person has no
// properties: to GitHub there is no organization of that name.
func (c *call) authorizeOrg() (reply, bool) {
	account, err := c.s.user(c.params["org"])
	if err != nil || account.Type != Organization {
		return notFound(), false
	}
	if c.token == nil {
		return problem(http.StatusUnauthorized, "Requires authentication"), false
	}
	n, t := c.route.needs[0], c.token
	c.header.Set("X-Accepted-GitHub-Permissions", n.name+"="+n.level)
	owner := c.s.owners[strings.ToLower(account.Login+"/"+t.User)]
	if t.Kind == Classic {
		good := t.hasScope("admin:org") || n.level == "read" && t.hasScope("read:org")
		if good && (owner || n.level == "read" && c.s.member(account, t.User)) {
			return reply{}, true
		}
		return notFound(), false
	}
	switch {
	case !c.s.installed(t, account):
		return notFound(), false
	case t.has(n) && (t.app() || owner || n.level == "read"):
		return reply{}, true
	}
	return problem(http.StatusForbidden, t.notAccessible()), false
}

func (c *call) viewDefinition(d *PropertyDefinition) object {
	source := "organization"
	if d.Enterprise {
		source = "enterprise"
	}
	v := object{
		"property_name": d.Name, "url": c.s.url + "/orgs/" + c.params["org"] + "/properties/schema/" + d.Name, "source_type": source,
		"value_type": d.Type, "required": d.Required, "default_value": d.Default, "description": orNull(d.Description), "allowed_values": nil,
		"values_editable_by": d.EditableBy, "require_explicit_values": d.RequireExplicit,
	}
	if d.Allowed != nil {
		v["allowed_values"] = d.Allowed
	}
	if c.s.shortDefinitions {
		maps.DeleteFunc(v, func(name string, value any) bool {
			return value == nil || value == false || name == "values_editable_by" && value == OrgActors
		})
	}
	return v
}

// listDefinitions is GET /orgs/{org}/properties/schema.
func listDefinitions(c *call) reply {
	out := []object{}
	for _, d := range c.s.defined[strings.ToLower(c.params["org"])] {
		out = append(out, c.viewDefinition(d))
	}
	return ok(out)
}

// definitionInput is a definition as a request has it. What it leaves out falls back to
// its default: GitHub replaces the whole definition.
type definitionInput struct {
	Name            string   `json:"property_name"`
	Type            string   `json:"value_type"`
	Required        bool     `json:"required"`
	Default         any      `json:"default_value"`
	Description     string   `json:"description"`
	Allowed         []string `json:"allowed_values"`
	EditableBy      string   `json:"values_editable_by"`
	RequireExplicit bool     `json:"require_explicit_values"`
}

func (in definitionInput) definition() *PropertyDefinition {
	return &PropertyDefinition{Name: in.Name, Type: in.Type, Required: in.Required, Default: in.Default, Description: in.Description,
		Allowed: in.Allowed, EditableBy: in.EditableBy, RequireExplicit: in.RequireExplicit}
}

// define replaces or adds definitions, all of them or none.
func (c *call) define(inputs []definitionInput) ([]*PropertyDefinition, reply, bool) {
	org := strings.ToLower(c.params["org"])
	list := slices.Clone(c.s.defined[org])
	var made []*PropertyDefinition
	for _, in := range inputs {
		d := in.definition()
		at := slices.IndexFunc(list, func(old *PropertyDefinition) bool { return strings.EqualFold(old.Name, d.Name) })
		if at >= 0 && list[at].Enterprise {
			return nil, problem(http.StatusForbidden, "The property "+d.Name+" is managed by the enterprise."), false
		}
		if wrong := d.check(); wrong != "" {
			return nil, invalid(custom("CustomPropertyDefinition", d.Name, wrong)), false
		}
		if at >= 0 {
			list[at] = d
		} else {
			list = append(list, d)
		}
		made = append(made, d)
	}
	if len(list) > maxDefinitions {
		return nil, invalid(custom("CustomPropertyDefinition", "properties", "an organization has at most 100 properties")), false
	}
	c.s.defined[org] = list
	return made, reply{}, true
}

// patchDefinitions is PATCH /orgs/{org}/properties/schema.
func patchDefinitions(c *call) reply {
	var in struct {
		Properties []definitionInput `json:"properties"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if len(in.Properties) == 0 || len(in.Properties) > maxDefinitions {
		return invalid(custom("CustomPropertyDefinition", "properties", "1 to 100 properties can be changed at once"))
	}
	made, refusal, good := c.define(in.Properties)
	if !good {
		return refusal
	}
	out := []object{}
	for _, d := range made {
		out = append(out, c.viewDefinition(d))
	}
	return ok(out)
}

// getDefinition is GET /orgs/{org}/properties/schema/{custom_property_name}.
func getDefinition(c *call) reply {
	d := c.s.definition(c.params["org"], c.params["custom_property_name"])
	if d == nil {
		return notFound()
	}
	return ok(c.viewDefinition(d))
}

// putDefinition is PUT /orgs/{org}/properties/schema/{custom_property_name}.
func putDefinition(c *call) reply {
	var in definitionInput
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	in.Name = c.params["custom_property_name"]
	made, refusal, good := c.define([]definitionInput{in})
	if !good {
		return refusal
	}
	return ok(c.viewDefinition(made[0]))
}

// deleteDefinition is DELETE /orgs/{org}/properties/schema/{custom_property_name}. The
// values go with it.
func deleteDefinition(c *call) reply {
	org := strings.ToLower(c.params["org"])
	d := c.s.definition(org, c.params["custom_property_name"])
	switch {
	case d == nil:
		return notFound()
	case d.Enterprise:
		return problem(http.StatusForbidden, "The property "+d.Name+" is managed by the enterprise.")
	}
	c.s.defined[org] = slices.DeleteFunc(slices.Clone(c.s.defined[org]), func(old *PropertyDefinition) bool { return old == d })
	for _, r := range c.s.reposOf(org) {
		r.setProperty(d.Name, nil)
	}
	return noContent()
}
