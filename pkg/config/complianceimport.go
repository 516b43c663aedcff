package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// contentProperty and teamProperty are the names that the files which are imported take for granted.
const (
	contentProperty = "repo_content_type"
	teamProperty    = "team_owner"
)

// importedRules are the names of rules in a file that is imported.
var importedRules = map[string]compliance.RuleID{
	"missing_required": compliance.RuleMissingRequired, "missing_property": compliance.RuleMissingRequired, "missing_optional": compliance.RuleMissingRecommended,
	"invalid_value": compliance.RuleInvalidValue, "invalid_team": compliance.RuleUnknownTeam, "team_mismatch": compliance.RuleTeamAccess,
	"deprecated_value": compliance.RuleDeprecatedValue, "content_type_mismatch": compliance.RuleContentMissing, "content_type_stale": compliance.RuleContentStale,
}

// ImportCompliance makes a compliance.yml of the config.json of the repository template for property
// compliance. notes say what has no place there. Problems stand in the file name.
func ImportCompliance(name string, raw []byte, now time.Time) (file []byte, notes []string, problems pipeline.Problems) {
	node, problems := strictyaml.Parse(name, raw, strictyaml.Options{Bytes: maxComplianceBytes, Depth: 8, Nodes: maxComplianceNodes, Example: `{"required_properties": ["team_owner"]}`})
	if node == nil {
		return nil, nil, problems
	}
	i := &complianceImport{decoder: decoder{file: name}, out: importedFile{Content: contentProperty, Properties: map[string]*importedProperty{}}}
	i.read(top(node), i.fields())
	if problems = append(problems, i.problems...); problems.Err() != nil {
		sortProblems(problems)
		return nil, nil, problems
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# yaml-language-server: $schema=%s\n# Imported from %s.\n", "https://raw.githubusercontent.com/metapipe/metapipe/main/pkg/config/schema/compliance-file.schema.json", pipeline.PlainLine(name))
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(i.out); err != nil {
		return nil, nil, pipeline.Problems{{Position: pipeline.Position{File: name}, Rule: RuleUnreadable, Message: fmt.Sprintf("the rules cannot be written: %v", err), Remedy: "report this as a bug"}}
	}
	if _, bad := ParseCompliance(out.Bytes(), now); bad.Err() != nil {
		for i := range bad {
			bad[i].Message = "of the imported rules: " + bad[i].Message
			bad[i].Position = pipeline.Position{File: name}
		}
		return nil, nil, bad
	}
	return out.Bytes(), i.notes, problems
}

// importedFile is what an import writes.
type importedFile struct {
	Exclude    []string                     `yaml:"exclude,omitempty"`
	Content    string                       `yaml:"content"`
	Properties map[string]*importedProperty `yaml:"properties"`
	TeamNames  map[string]string            `yaml:"team_names,omitempty"`
	Severities map[string]string            `yaml:"severities,omitempty"`
	Fix        []string                     `yaml:"fix,omitempty,flow"`
}

type importedProperty struct {
	Required    string   `yaml:"required,omitempty"`
	Recommended bool     `yaml:"recommended,omitempty"`
	Team        bool     `yaml:"team,omitempty"`
	Values      []string `yaml:"values,omitempty,flow"`
}

type complianceImport struct {
	decoder
	out   importedFile
	notes []string
}

func (i *complianceImport) note(format string, args ...any) {
	i.notes = append(i.notes, fmt.Sprintf(format, args...))
}

// property is the rule of the property that a value names.
func (i *complianceImport) property(v value) *importedProperty {
	var name string
	if i.matched(v, &name, propertyForm); name == "" {
		return &importedProperty{}
	}
	return i.named(name)
}

// named is the rule of a property, made where there is none.
func (i *complianceImport) named(name string) *importedProperty {
	p := i.out.Properties[name]
	if p == nil {
		p = &importedProperty{Team: name == teamProperty}
		i.out.Properties[name] = p
	}
	return p
}

func (i *complianceImport) fields() fields {
	each := func(set func(*importedProperty)) func(value) {
		return func(v value) { i.list(v, func(item value) { set(i.property(item)) }) }
	}
	return fields{
		"required_properties":      each(func(p *importedProperty) { p.Required, p.Recommended = string(compliance.NeedAll), false }),
		"required_for_infra_repos": each(func(p *importedProperty) { i.unless(p, string(compliance.NeedInfra)) }),
		"optional_properties":      each(func(p *importedProperty) { p.Recommended = p.Required == "" }),
		"valid_values": func(v value) {
			i.entries(v, propertyForm, func(name string, item value) { i.named(name).Values = i.allowedValues(item) })
		},
		"team_mappings": func(v value) {
			i.out.TeamNames = map[string]string{}
			i.entries(v, teamForm, func(former string, item value) {
				if now, ok := i.text(item); ok {
					i.out.TeamNames[former] = now
				}
			})
		},
		"repository_exclusions": func(v value) {
			i.list(v, func(item value) {
				if s, ok := i.text(item); ok {
					i.out.Exclude = append(i.out.Exclude, s)
				}
			})
		},
		"severity_rules": i.severityRules,
		"auto_remediate": func(v value) {
			if i.boolean(v) {
				i.out.Fix = []string{string(compliance.FixRenamedTeam), string(compliance.FixOnlyTeam), string(compliance.FixContent)}
			}
		},
		"content_detection_rules": func(value) {
			i.note("content_detection_rules is not imported: write the patterns into content.detect of %s", ManagerFile)
		},
		"notification_config": func(value) { i.note("notification_config is not imported: the scan sends no messages") },
	}
}

// unless sets what a property is required for where it is not required for more already.
func (i *complianceImport) unless(p *importedProperty, required string) {
	if p.Required == "" {
		p.Required, p.Recommended = required, false
	}
}

// severityRules reads severities by rule, or rules by severity.
func (i *complianceImport) severityRules(v value) {
	if !i.is(v, strictyaml.Object) {
		return
	}
	i.out.Severities = map[string]string{}
	set := func(at pipeline.Position, rule, severity string) {
		id, known := importedRules[strings.TrimSuffix(strings.TrimSuffix(rule, "_add"), "_remove")]
		switch {
		case rule == "stale_property":
			i.out.Severities[string(compliance.RuleStaleValue)] = severity
			i.note("severity_rules: stale_property has no effect until a property has max_age")
		case !known:
			i.add(at, RuleValue, fmt.Sprintf("%s names the rule %q, which is not known", v.name, strictyaml.Short(rule)), "remove it; known are: "+strings.Join(slices.Sorted(maps.Keys(importedRules)), ", "))
		default:
			i.out.Severities[string(id)] = severity
		}
	}
	for _, e := range v.Entries {
		if slices.Contains(compliance.Severities, compliance.Severity(e.Key)) && e.Value.Kind == strictyaml.Array {
			for _, item := range e.Value.Items {
				set(pipeline.Position{Line: item.Line, Column: item.Column}, item.Text, e.Key)
			}
			continue
		}
		set(e.KeyPlace(), e.Key, e.Value.Text)
	}
}
