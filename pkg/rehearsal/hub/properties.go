package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// commonProperties are those of a repository that no one has given any, in an organization
// that defines none: every form of a value that GitHub has, and names of all letters that
// it allows.
func commonProperties() Properties {
	return Properties{
		"infrastructure_tools": []string{"terraform", "ansible"}, "regions": []string{},
		"customer_tier": "enterprise", "auto_deploy": "false", "runbook": "https://wiki.example/shop",
		"team_owner": nil, "id": "1", "full_name": []string{"other/name"}, "cost-center#1$": "4711",
	}
}

// SetProperties gives the repository other custom properties: Properties, or a
// json.RawMessage of any form, also one that GitHub does not have today.
func (r *Repo) SetProperties(p any) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if known, isKnown := p.(Properties); isKnown {
		p = maps.Clone(known)
	}
	r.properties = p
}

// DefineProperties gives an organization the definitions of its custom properties, in
// place of those that it had.
func (s *Server) DefineProperties(org string, all ...PropertyDefinition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, err := s.user(org)
	if err != nil {
		return fmt.Errorf("define properties: %w", err)
	}
	if account.Type != Organization {
		return fmt.Errorf("define properties: %s is no organization", org)
	}
	var list []*PropertyDefinition
	for _, d := range all {
		if wrong := d.check(); wrong != "" {
			return fmt.Errorf("define property %q of %s: %s", d.Name, org, wrong)
		}
		list = append(list, &d)
	}
	s.defined[strings.ToLower(org)] = list
	return nil
}

// ShortDefinitions lets answers leave out the fields of a definition that have no value, or their
// default: GitHub's API description says that all but the name and the type are optional.
func (s *Server) ShortDefinitions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shortDefinitions = true
}

// AddOwner makes an account an owner of an organization, who may change its settings.
func (s *Server) AddOwner(org, login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{org, login} {
		if _, err := s.user(name); err != nil {
			return fmt.Errorf("add an owner of %s: %w", org, err)
		}
	}
	s.owners[strings.ToLower(org+"/"+login)] = true
	return nil
}

// definition is a property of an organization; names compare without regard to case.
func (s *Server) definition(org, name string) *PropertyDefinition {
	for _, d := range s.defined[strings.ToLower(org)] {
		if strings.EqualFold(d.Name, name) {
			return d
		}
	}
	return nil
}

// inOrg reports whether an organization owns the repository: others have no properties.
func (r *Repo) inOrg() bool {
	owner, err := r.s.user(r.owner)
	return err == nil && owner.Type == Organization
}

// shownProperties are `custom_properties` of the repository's JSON; nil where it has no
// such key.
func (r *Repo) shownProperties() any {
	if raw, isRaw := r.properties.(json.RawMessage); isRaw {
		return raw
	}
	if !r.inOrg() {
		return nil
	}
	return r.effectiveProperties()
}

// effectiveProperties are the values that were chosen, and the defaults of required
// properties without one. A property without either is not there.
func (r *Repo) effectiveProperties() Properties {
	definitions := r.s.defined[strings.ToLower(r.owner)]
	chosen, isKnown := r.properties.(Properties)
	if !isKnown && len(definitions) == 0 {
		chosen = commonProperties()
	}
	all := maps.Clone(chosen)
	if all == nil {
		all = Properties{}
	}
	for _, d := range definitions {
		if all[d.Name] != nil {
			continue
		}
		delete(all, d.Name)
		if d.Required {
			all[d.Name] = d.Default
		}
	}
	return all
}

// setProperty changes one value; nil takes it away.
func (r *Repo) setProperty(name string, value any) {
	all := Properties{}
	if known, isKnown := r.properties.(Properties); isKnown {
		all = maps.Clone(known) // a fork may share it
	}
	if value == nil {
		delete(all, name)
	} else {
		all[name] = value
	}
	r.properties = all
}

// check says what is wrong with a definition; empty: nothing.
func (d *PropertyDefinition) check() string {
	if d.EditableBy == "" {
		d.EditableBy = OrgActors
	}
	selects := d.Type == SingleSelect || d.Type == MultiSelect
	letters := strings.Trim(d.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$#")
	switch {
	case d.Name == "" || len(d.Name) > maxPropertyName || letters != "":
		return "the name has other characters than a-z A-Z 0-9 _ - $ #, or is longer than 75 of them"
	case !slices.Contains([]string{TextProperty, SingleSelect, MultiSelect, TrueFalse, AddressProperty}, d.Type):
		return "the type is not known"
	case selects && (len(d.Allowed) == 0 || len(d.Allowed) > maxAllowedValues):
		return "a selection has 1 to 200 allowed values"
	case !selects && len(d.Allowed) > 0:
		return "only a selection has allowed values"
	case slices.ContainsFunc(d.Allowed, func(v string) bool { return !printable(v) }):
		return "an allowed value has a character that is not printable ASCII, or a quotation mark"
	case d.EditableBy != OrgActors && d.EditableBy != OrgAndRepoActors:
		return "values_editable_by is not known"
	case d.Required && d.Default == nil:
		return "a required property needs a default"
	case !d.Required && d.Default != nil:
		return "only a required property has a default"
	}
	if d.Default == nil {
		return ""
	}
	value, wrong := d.value(d.Default)
	d.Default = value
	return wrong
}

func printable(v string) bool {
	return v != "" && !strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c > '~' || c == '"' })
}

// value brings a JSON value into the form in which it is kept, or says what is wrong with it.
func (d *PropertyDefinition) value(v any) (any, string) {
	list, isList := v.([]string)
	if items, isAny := v.([]any); isAny {
		isList = true
		for _, item := range items {
			text, isText := item.(string)
			if !isText {
				return nil, "the value is not a list of texts"
			}
			list = append(list, text)
		}
	}
	if d.Type == MultiSelect {
		if !isList {
			return nil, "the value is not a list"
		}
		for _, one := range list {
			if !slices.Contains(d.Allowed, one) {
				return nil, fmt.Sprintf("%q is not an allowed value", one)
			}
		}
		return append([]string{}, list...), ""
	}
	text, isText := v.(string)
	switch {
	case !isText:
		return nil, "the value is not a text"
	case d.Type == SingleSelect && !slices.Contains(d.Allowed, text):
		return nil, fmt.Sprintf("%q is not an allowed value", text)
	case d.Type == TrueFalse && text != "true" && text != "false":
		return nil, fmt.Sprintf("%q is neither true nor false", text)
	case d.Type == AddressProperty && !isAddress(text):
		return nil, fmt.Sprintf("%q is not an address", text)
	case !printable(text):
		return nil, "the value has a character that is not printable ASCII, or a quotation mark"
	}
	return text, ""
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// Properties are the values that the repository has, those that it inherits among them.
func (r *Repo) Properties() Properties {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.effectiveProperties()
}

// PropertyDefinitions are copies of the definitions of an organization.
func (s *Server) PropertyDefinitions(org string) []PropertyDefinition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []PropertyDefinition
	for _, d := range s.defined[strings.ToLower(org)] {
		all = append(all, *d)
	}
	return all
}
