package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// sourceKeys are the keys of a type of source beside those of all: those that it needs, and those that it may have.
var sourceKeys = map[sourcesync.Type]struct{ needs, has []string }{
	sourcesync.CSV:        {[]string{"path"}, nil},
	sourcesync.JSON:       {[]string{"path"}, []string{"rows"}},
	sourcesync.HTTP:       {[]string{"url"}, []string{"rows", "ca_file", "token_env", "token_header", "next", "next_parameter", "total"}},
	sourcesync.LDAP:       {[]string{"url", "base", "filter", "key_field"}, []string{"ca_file", "start_tls", "user_env", "password_env", "bind_dn", "page_size", "members_of"}},
	sourcesync.ServiceNow: {[]string{"url", "table", "key_field"}, []string{"ca_file", "token_env", "user_env", "password_env", "page_size", "query"}},
	sourcesync.Teams:      {},
}

// teamsField is the one field of the teams of GitHub.
const teamsField = "owner"

// checkSource holds that a source has the keys of its type, and no others.
func (d *syncDecoder) checkSource(v value, s sourcesync.SourceConfig) {
	lacks := func(key string) {
		d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, key), fmt.Sprintf("a source of the type %s needs it", s.Type))
	}
	if s.Name == "" || s.Type == "" {
		d.add(v.at, RuleMissingKey, v.name+" needs name, type and fields", "write, for example: "+syncExample)
		return
	}
	keys := sourceKeys[s.Type]
	needs := append([]string{"fields"}, keys.needs...)
	if s.Type != sourcesync.Teams {
		needs = append(needs, "key")
	}
	for _, key := range needs {
		if v.Get(key) == nil {
			lacks(key)
		}
	}
	known := slices.Concat(needs, keys.has, []string{"name", "type", "min_rows", "key_field"})
	if s.Type == sourcesync.Teams {
		known = []string{"name", "type", "fields", "min_rows"}
	}
	for _, e := range v.Entries {
		if !slices.Contains(known, e.Key) {
			d.add(e.KeyPlace(), RuleUnknownKey, fmt.Sprintf("a source of the type %s has no key %q", s.Type, e.Key), "remove it; known are: "+strings.Join(known, ", "))
		}
	}
	for _, f := range s.Fields {
		if s.Type == sourcesync.Teams && f.From != teamsField {
			d.add(f.Where, RuleValue, fmt.Sprintf("teams have no field %q", strictyaml.Short(f.From)), "write from: "+teamsField+", the team that owns the repository")
		}
	}
	d.checkAccess(v, s)
}

// checkAccess holds what the keys about addresses and secrets say together.
func (d *syncDecoder) checkAccess(v value, s sourcesync.SourceConfig) {
	isLDAP := strings.HasPrefix(s.URL, "ldap")
	switch {
	case s.URL != "" && isLDAP != (s.Type == sourcesync.LDAP):
		d.add(v.at, RuleValue, fmt.Sprintf("url does not fit the type %s", s.Type), "write ldaps:// for a directory, and https:// for the others")
	case s.NextParameter != "" && s.Next == "":
		d.add(v.at, RuleMissingKey, "next_parameter needs next", "say where an answer has the cursor of the next page, for example: next: meta.next")
	case s.Type == sourcesync.ServiceNow && (s.TokenEnv == "") == (s.UserEnv == "" || s.PasswordEnv == ""):
		d.add(v.at, RuleMissingKey, v.name+" needs either token_env, or user_env and password_env", "name the environment variables with the secrets")
	case s.Type == sourcesync.ServiceNow && strings.Contains(strings.ToUpper(s.Query), "ORDERBY"):
		d.add(v.at, RuleValue, "query says an order, and pages need that of sys_id", "remove ORDERBY from it")
	case s.Type == sourcesync.LDAP && s.BindDN != "" && s.UserEnv != "":
		d.add(v.at, RuleValue, v.name+" has both bind_dn and user_env", "keep one of them")
	case s.Type == sourcesync.LDAP && (s.BindDN == "" && s.UserEnv == "") != (s.PasswordEnv == ""):
		d.add(v.at, RuleMissingKey, v.name+" needs both a name (bind_dn or user_env) and password_env, or neither", "name the environment variable with the password")
	}
}

// together holds what more than one key says, and gives each property its rule.
func (d *syncDecoder) together(n *strictyaml.Node, c *sourcesync.Config) {
	at, _ := n.Locate()
	if len(c.Sources) == 0 && len(d.problems) == 0 {
		d.add(at, RuleMissingKey, "the file has no sources", "add, for example: "+syncExample)
	}
	if len(c.Sources) > maxSources {
		d.add(at, RuleValue, fmt.Sprintf("there are %d sources; at most %d are possible", len(c.Sources), maxSources), "join some of them")
	}
	given := map[string][]string{} // names of sources by property in lower case
	var order []sourcesync.Field
	for i, s := range c.Sources {
		for j, f := range s.Fields {
			key := strings.ToLower(f.Property)
			if given[key] == nil {
				order = append(order, f)
			}
			given[key] = append(given[key], s.Name)
			c.Sources[i].Fields[j].Property = order[slices.IndexFunc(order, func(o sourcesync.Field) bool { return strings.EqualFold(o.Property, f.Property) })].Property
		}
	}
	for i := range c.Properties {
		d.checkRule(&c.Properties[i], given[strings.ToLower(c.Properties[i].Name)], order)
	}
	for _, f := range order {
		sources := given[strings.ToLower(f.Property)]
		if slices.ContainsFunc(c.Properties, func(p sourcesync.PropertyRule) bool { return strings.EqualFold(p.Name, f.Property) }) {
			continue
		}
		if len(sources) > 1 {
			d.add(f.Where, RuleMissingKey, fmt.Sprintf("%s is given by %s, and properties does not say which of them counts", f.Property, strings.Join(sources, " and ")),
				fmt.Sprintf("add, with the most authority first: properties: {%s: {sources: [%s]}}", f.Property, strings.Join(sources, ", ")))
			continue
		}
		rule := newPropertyRule(f.Property)
		rule.Sources, rule.Where = sources, f.Where
		c.Properties = append(c.Properties, rule)
	}
	slices.SortStableFunc(c.Properties, func(a, b sourcesync.PropertyRule) int { return strings.Compare(a.Name, b.Name) })
}

// checkRule holds that a rule names the sources of its property, each once.
func (d *syncDecoder) checkRule(rule *sourcesync.PropertyRule, given []string, fields []sourcesync.Field) {
	at := pipeline.Position{Line: rule.Where.Line, Column: rule.Where.Column}
	if i := slices.IndexFunc(fields, func(f sourcesync.Field) bool { return strings.EqualFold(f.Property, rule.Name) }); i >= 0 {
		rule.Name = fields[i].Property
	}
	if len(rule.Sources) == 0 && len(given) == 1 {
		rule.Sources = given
	}
	named, all := slices.Sorted(slices.Values(rule.Sources)), slices.Sorted(slices.Values(given))
	switch {
	case len(given) == 0:
		d.add(at, RuleValue, fmt.Sprintf("no source gives %s", rule.Name), "remove it, or add it to the fields of a source")
	case !slices.Equal(named, all):
		d.add(at, RuleValue, fmt.Sprintf("the sources of %s are %s, and this says %s", rule.Name, strings.Join(all, ", "), strings.Join(rule.Sources, ", ")),
			fmt.Sprintf("name each of them once, with the most authority first: sources: [%s]", strings.Join(given, ", ")))
	}
}
