package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

const (
	complianceExample = "properties: {team_owner: {required: all, team: true}}"
	// Bounds of compliance.yml. A fleet of 1,000 repositories has some hundred exceptions.
	maxComplianceBytes = 1 << 20
	maxComplianceNodes = 20_000
	maxConditions      = 100
	maxExceptions      = 1000
	maxAge             = 3650 // days
)

var (
	organizationForm = form{1, 39, text.Pattern(`^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$`), "write the login of an organization"}
	ruleForm         = form{1, 60, text.Pattern(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`), "write a name of lower-case letters, digits and -"}
	teamForm         = form{1, 255, text.Pattern(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`), "write the slug of a team, as in its address on GitHub"}
	lineForm         = form{1, 500, text.Pattern(`^[^\x00-\x1f\x7f]+$`), "write one line of at most 500 characters"}
)

// LoadCompliance reads compliance.yml of the manager directory. now bounds how long an exception may last.
func LoadCompliance(dir string, now time.Time) (compliance.Rules, pipeline.Problems) {
	missing := func(rule, message, remedy string) (compliance.Rules, pipeline.Problems) {
		return compliance.Rules{}, pipeline.Problems{{Position: pipeline.Position{File: compliance.File}, Rule: rule, Message: message, Remedy: remedy}}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return missing(RuleUnreadable, fmt.Sprintf("the manager directory cannot be read: %v", text.FileError(err)), "name the checkout of the manager")
	}
	defer root.Close()
	raw, err := readBounded(root, compliance.File, maxComplianceBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(RuleMissingPath, "there is no "+compliance.File+", so there are no rules to compare with", "create it beside "+ManagerFile+"; at least: "+complianceExample)
	}
	if err != nil {
		return missing(RuleUnreadable, fmt.Sprintf("the file cannot be read: %v", text.FileError(err)), "make it a plain file in the manager directory, with read permission")
	}
	return ParseCompliance(raw, now)
}

// ParseCompliance reads the content of compliance.yml.
func ParseCompliance(raw []byte, now time.Time) (compliance.Rules, pipeline.Problems) {
	node, problems := strictyaml.Parse(compliance.File, raw, strictyaml.Options{Bytes: maxComplianceBytes, Depth: 8, Nodes: maxComplianceNodes, Example: complianceExample, PlainWords: true})
	if node == nil {
		return compliance.Rules{}, problems
	}
	d := &complianceDecoder{decoder: decoder{file: compliance.File}, now: now}
	rules := compliance.Rules{Severities: map[compliance.RuleID]compliance.Severity{}, TeamNames: map[string]string{}}
	d.read(top(node), d.fields(&rules))
	d.together(node, rules)
	problems = append(problems, d.problems...)
	sortProblems(problems)
	return rules, problems
}

// complianceDecoder is the decoder of compliance.yml.
type complianceDecoder struct {
	decoder
	now time.Time
}

func (d *complianceDecoder) fields(r *compliance.Rules) fields {
	return fields{
		"organizations": func(v value) { d.organizations(v, &r.Organizations) },
		"exclude":       func(v value) { d.list(v, func(item value) { d.repositoryPattern(item, &r.Exclude) }) },
		"forks":         func(v value) { r.Forks = d.boolean(v) },
		"content":       func(v value) { d.matched(v, &r.Content, propertyForm) },
		"registration":  func(v value) { r.Registration = d.boolean(v) },
		"regions":       func(v value) { r.Regions = d.boolean(v) },
		"properties":    func(v value) { d.propertyRules(v, r) },
		"team_names": func(v value) {
			d.entries(v, teamForm, func(former string, item value) {
				if _, twice := r.TeamNames[strings.ToLower(former)]; twice {
					d.add(item.at, RuleDuplicate, fmt.Sprintf("%s has %q twice: GitHub compares names without regard to case", v.name, former), "keep one of them")
					return
				}
				var now string
				if d.matched(item, &now, teamForm); now != "" {
					r.TeamNames[strings.ToLower(former)] = now
				}
			})
		},
		"conditions": func(v value) { d.list(v, func(item value) { d.condition(item, r) }) },
		"severities": func(v value) { d.read(v, d.severities(r)) },
		"exceptions": func(v value) { d.list(v, func(item value) { d.exception(item, r) }) },
		"fix": func(v value) {
			d.list(v, func(item value) {
				if s, ok := d.choice(item, fixWords()...); ok && !slices.Contains(r.Fixes, compliance.FixID(s)) {
					r.Fixes = append(r.Fixes, compliance.FixID(s))
				}
			})
		},
	}
}

// entries hands the keys of an object that fit a form to read.
func (d *decoder) entries(v value, of form, read func(key string, item value)) {
	if !d.is(v, strictyaml.Object) {
		return
	}
	for _, e := range v.Entries {
		name := v.name + "." + strictyaml.Short(e.Key)
		var key string
		d.matched(value{Node: &strictyaml.Node{Kind: strictyaml.String, Text: e.Key}, name: "a name in " + v.name, at: e.KeyPlace()}, &key, of)
		if key != "" {
			read(key, value{Node: e.Value, name: name, at: e.Place()})
		}
	}
}

// repositoryPattern reads a pattern of names, or of owner/name.
func (d *complianceDecoder) repositoryPattern(v value, to *[]string) {
	s, ok := d.text(v)
	if !ok {
		return
	}
	if _, err := path.Match(s, ""); err != nil || strings.Count(s, "/") > 1 || strings.ContainsAny(s, " \t\r\n") {
		d.add(v.at, RuleValue, fmt.Sprintf("%s is %q", v.name, strictyaml.Short(s)), `write a name such as "archived-*", or "acme/archived-*"`)
		return
	}
	*to = append(*to, s)
}

func (d *complianceDecoder) severity(v value) compliance.Severity {
	s, _ := d.choice(v, compliance.SeverityWords()...)
	return compliance.Severity(s)
}

func (d *complianceDecoder) severities(r *compliance.Rules) fields {
	known := fields{}
	for id := range compliance.DefaultSeverities {
		known[string(id)] = func(v value) {
			if s := d.severity(v); s != "" {
				r.Severities[id] = s
			}
		}
	}
	return known
}

func fixWords() []string {
	words := make([]string, len(compliance.FixIDs))
	for i, id := range compliance.FixIDs {
		words[i] = string(id)
	}
	return words
}

func (d *complianceDecoder) propertyRules(v value, r *compliance.Rules) {
	d.entries(v, propertyForm, func(name string, item value) {
		if slices.ContainsFunc(r.Properties, func(o compliance.PropertyRule) bool { return strings.EqualFold(o.Name, name) }) {
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s has %q twice: GitHub compares names without regard to case", v.name, name), "keep one of them")
			return
		}
		rule := compliance.PropertyRule{Name: name, Where: pipeline.Position{File: d.file, Line: item.at.Line, Column: item.at.Column}}
		d.read(item, d.propertyRuleFields(&rule))
		for _, old := range slices.Sorted(maps.Keys(rule.Deprecated)) {
			if slices.Contains(rule.Values, old) {
				d.add(item.at, RuleValue, fmt.Sprintf("%s allows the value %q, and calls it deprecated", item.name, strictyaml.Short(old)), "remove it from values: a deprecated one is reported, and no error")
			}
		}
		r.Properties = append(r.Properties, rule)
	})
}

func (d *complianceDecoder) propertyRuleFields(rule *compliance.PropertyRule) fields {
	need := func(v value, n compliance.Need) {
		if rule.Need != "" {
			d.add(v.at, RuleValue, fmt.Sprintf("%s: the property is required already", v.name), "keep one of required and recommended")
			return
		}
		rule.Need = n
	}
	return fields{
		"required": func(v value) {
			if s, ok := d.choice(v, string(compliance.NeedAll), string(compliance.NeedInfra)); ok {
				need(v, compliance.Need(s))
			}
		},
		"recommended": func(v value) {
			if d.boolean(v) {
				need(v, compliance.NeedRecommended)
			}
		},
		"max_age": func(v value) {
			switch days, ok := d.number(v); {
			case !ok:
			case days < 1 || days > maxAge:
				d.add(v.at, RuleValue, fmt.Sprintf("%s is %d", v.name, days), fmt.Sprintf("write a number of days from 1 to %d", maxAge))
			default:
				rule.MaxAge = int(days)
			}
		},
		"team":   func(v value) { rule.Team = d.boolean(v) },
		"values": func(v value) { rule.Values = d.allowedValues(v) },
		"deprecated": func(v value) {
			rule.Deprecated = map[string]string{}
			d.entries(v, lineForm, func(old string, item value) {
				var remedy string
				if d.matched(item, &remedy, lineForm); remedy != "" {
					rule.Deprecated[old] = remedy
				}
			})
		},
	}
}

func (d *complianceDecoder) condition(v value, r *compliance.Rules) {
	c := compliance.Condition{Severity: compliance.Medium, Where: pipeline.Position{File: d.file, Line: v.at.Line, Column: v.at.Column}}
	before := len(d.problems)
	d.read(v, d.conditionFields(&c))
	switch _, taken := compliance.DefaultSeverities[c.ID]; {
	case len(d.problems) > before || v.Kind != strictyaml.Object:
		return
	case c.ID == "" || c.When.Property == "" || (c.Requires.Property == "") == (c.Excludes.Property == ""):
		d.add(v.at, RuleMissingKey, v.name+" needs id, when, and either requires or excludes", "write, for example: {id: version-needs-terraform, when: {property: terraform_version}, requires: {property: infrastructure_tools, values: [terraform]}}")
		return
	case taken, slices.ContainsFunc(r.Conditions, func(o compliance.Condition) bool { return o.ID == c.ID }):
		d.add(v.at, RuleDuplicate, fmt.Sprintf("%s: there is another rule with the id %q", v.name, c.ID), "write another id")
		return
	}
	r.Conditions = append(r.Conditions, c)
}

func (d *complianceDecoder) conditionFields(c *compliance.Condition) fields {
	test := func(to *compliance.Test) func(value) {
		return func(v value) {
			d.read(v, d.testFields(to))
			if v.Kind == strictyaml.Object && v.Get("property") == nil {
				d.add(v.at, RuleMissingKey, fmt.Sprintf("%s lacks the key %q", v.name, "property"), "name a property")
			}
		}
	}
	return fields{
		"id": func(v value) {
			var id string
			d.matched(v, &id, ruleForm)
			c.ID = compliance.RuleID(id)
		},
		"when": test(&c.When), "requires": test(&c.Requires), "excludes": test(&c.Excludes),
		"severity": func(v value) { c.Severity = d.severity(v) },
		"remedy":   func(v value) { d.matched(v, &c.Message, lineForm) },
	}
}

func (d *complianceDecoder) testFields(t *compliance.Test) fields {
	return fields{
		"property": func(v value) { d.matched(v, &t.Property, propertyForm) },
		"values":   func(v value) { t.Values = d.allowedValues(v) },
	}
}

// exception reads one exception. Each needs a reason, an owner and an end, since what is never shown is never
// looked at again.
func (d *complianceDecoder) exception(v value, r *compliance.Rules) {
	e := compliance.Exception{Exception: d.exceptionAt(v)}
	before := len(d.problems)
	d.read(v, d.exceptionFields(&e))
	if v.Kind != strictyaml.Object || len(d.problems) > before {
		return
	}
	if (e.Repository == "") == (e.RepositoryID == 0) || e.Reason == "" || e.Owner == "" || e.Until.IsZero() {
		d.add(v.at, RuleMissingKey, v.name+" needs reason, owner, until, and either repository or repository_id",
			`write, for example: {repository: "acme/legacy-*", rule: missing-required, property: team_owner, reason: "moves to another team", owner: jo, until: "2030-12-31"}`)
		return
	}
	if e.Rule == "" && e.Property == "" && e.Repository != "" && strings.Trim(e.Repository, "*/") == "" {
		d.add(v.at, RuleValue, v.name+" takes every finding out of every repository", "name a rule, a property or some repositories")
		return
	}
	if e.Until.Sub(d.now) > compliance.LongestException {
		d.add(v.at, RuleValue, v.name+" lasts for more than a year", "write an earlier day in until, and look again then")
		return
	}
	r.Exceptions = append(r.Exceptions, e)
}

func (d *complianceDecoder) exceptionFields(e *compliance.Exception) fields {
	known := d.exceptionKeys(&e.Exception)
	known["repository"] = func(v value) {
		var patterns []string
		if d.repositoryPattern(v, &patterns); len(patterns) == 1 {
			e.Repository = patterns[0]
		}
	}
	known["repository_id"] = func(v value) { d.repositoryID(v, &e.RepositoryID) }
	known["rule"] = func(v value) {
		var id string
		d.matched(v, &id, ruleForm)
		e.Rule = compliance.RuleID(id)
	}
	known["property"] = func(v value) { d.matched(v, &e.Property, propertyForm) }
	return known
}

// together holds what more than one key says.
func (d *complianceDecoder) together(n *strictyaml.Node, r compliance.Rules) {
	at, _ := n.Locate()
	switch {
	case len(r.Properties) == 0 && len(r.Conditions) == 0 && r.Content == "" && !r.Regions && len(d.problems) == 0:
		d.add(at, RuleMissingKey, "the file has no rules", "add, for example: "+complianceExample)
	case r.Registration && r.Content == "":
		at, _ = n.Locate("registration")
		d.add(at, RuleMissingKey, "registration needs to know which repositories ask for infrastructure", "name the property with the content type: content: repo_content_type")
	case len(r.Conditions) > maxConditions || len(r.Exceptions) > maxExceptions:
		d.add(at, RuleValue, fmt.Sprintf("there are %d conditions and %d exceptions; at most %d and %d are possible", len(r.Conditions), len(r.Exceptions), maxConditions, maxExceptions), "join some of them")
	}
	if infra := slices.IndexFunc(r.Properties, func(p compliance.PropertyRule) bool { return p.Need == compliance.NeedInfra }); infra >= 0 && r.Content == "" {
		d.add(r.Properties[infra].Where, RuleMissingKey, "required: infra needs to know which repositories ask for infrastructure", "name the property with the content type: content: repo_content_type")
	}
	known := map[compliance.RuleID]bool{}
	for id := range compliance.DefaultSeverities {
		known[id] = true
	}
	for _, c := range r.Conditions {
		known[c.ID] = true
	}
	for _, e := range r.Exceptions {
		if e.Rule != "" && !known[e.Rule] {
			d.add(e.Where, RuleValue, fmt.Sprintf("the exception is about the rule %q, which does not exist", e.Rule), "name a rule, or leave rule out to mean all")
		}
	}
}
