package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// viewValues are the values of a repository, those that it inherits among them.
func (r *Repo) viewValues() []object {
	all := r.effectiveProperties()
	out := []object{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, object{"property_name": name, "value": all[name]})
	}
	return out
}

// listOrgValues is GET /orgs/{org}/properties/values.
func listOrgValues(c *call) reply {
	terms := strings.Fields(c.r.URL.Query().Get("repository_query"))
	out := []object{}
	for _, r := range c.s.reposOf(c.params["org"]) {
		if !c.token.sees(r) || slices.ContainsFunc(terms, func(term string) bool { return !r.found(term) }) {
			continue
		}
		out = append(out, object{"repository_id": r.id, "repository_name": r.name, "repository_full_name": r.slug(), "properties": r.viewValues()})
	}
	return ok(page(c, out))
}

// found reports whether a term of a query finds the repository: props.NAME:VALUE, or a
// part of its name.
func (r *Repo) found(term string) bool {
	property, isProperty := strings.CutPrefix(term, "props.")
	if !isProperty {
		return strings.Contains(strings.ToLower(r.name), strings.ToLower(term))
	}
	name, want, _ := strings.Cut(property, ":")
	for other, value := range r.effectiveProperties() {
		if list, isList := value.([]string); strings.EqualFold(other, name) && (value == want || isList && slices.Contains(list, want)) {
			return true
		}
	}
	return false
}

// valueInput is one value of a request. A request that leaves the value out does not say
// that there is none.
type valueInput struct {
	Name  string          `json:"property_name"`
	Value json.RawMessage `json:"value"`
}

// change is a value that was checked.
type change struct {
	name  string
	value any // nil: none
}

// changes checks all values of a request before the first one is set. byRepo: who asks
// is an actor of the repository and not of the organization.
func (c *call) changes(org string, inputs []valueInput, byRepo bool) ([]change, reply, bool) {
	var list []change
	for _, in := range inputs {
		d := c.s.definition(org, in.Name)
		if d == nil {
			return nil, invalid(custom("CustomPropertyValue", in.Name, "the property is not defined")), false
		}
		if byRepo && d.EditableBy != OrgAndRepoActors {
			return nil, problem(http.StatusForbidden, fmt.Sprintf("The property %s can be edited by actors of the organization only.", d.Name)), false
		}
		var read any
		if err := json.Unmarshal(in.Value, &read); err != nil {
			return nil, invalid(fieldError{Resource: "CustomPropertyValue", Code: "missing_field", Field: "value"}), false
		}
		if read == nil {
			list = append(list, change{name: d.Name})
			continue
		}
		value, wrong := d.value(read)
		if wrong != "" {
			return nil, invalid(custom("CustomPropertyValue", d.Name, wrong)), false
		}
		list = append(list, change{d.Name, value})
	}
	return list, reply{}, true
}

// patchOrgValues is PATCH /orgs/{org}/properties/values: the same values for all named
// repositories, or nothing.
func patchOrgValues(c *call) reply {
	var in struct {
		Names      []string     `json:"repository_names"`
		Properties []valueInput `json:"properties"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if len(in.Names) == 0 || len(in.Names) > maxNamesInPatch {
		return invalid(custom("CustomPropertyValue", "repository_names", "1 to 30 repositories can be changed at once"))
	}
	list, refusal, good := c.changes(c.params["org"], in.Properties, false)
	if !good {
		return refusal
	}
	var repos []*Repo
	for _, name := range in.Names {
		r := c.s.repos[c.s.names[strings.ToLower(c.params["org"]+"/"+name)]]
		if r == nil || !r.named(c.params["org"], name) || !c.token.sees(r) { // a former name is none
			return notFound()
		}
		repos = append(repos, r)
	}
	for _, r := range repos {
		r.apply(list)
	}
	return noContent()
}

func (r *Repo) apply(list []change) {
	for _, one := range list {
		r.setProperty(one.name, one.value)
	}
}

// listRepoValues is GET /repos/{owner}/{repo}/properties/values.
func listRepoValues(c *call) reply {
	if !c.repo.inOrg() {
		return notFound()
	}
	return ok(c.repo.viewValues())
}

// patchRepoValues is PATCH /repos/{owner}/{repo}/properties/values.
func patchRepoValues(c *call) reply {
	if !c.repo.inOrg() {
		return notFound()
	}
	var in struct {
		Properties []valueInput `json:"properties"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	owner := c.token.Kind == Classic && c.s.owners[strings.ToLower(c.repo.owner+"/"+c.token.User)]
	list, refusal, good := c.changes(c.repo.owner, in.Properties, !owner)
	if !good {
		return refusal
	}
	c.repo.apply(list)
	return noContent()
}
