package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// Bounds that GitHub sets.
const (
	maxDefinitions = 100
	maxDescription = 255
)

// propertyDefinitions reads what metapipe.yml says of definitions on GitHub.
func (d *decoder) propertyDefinitions(v value) []pipeline.WantedProperty {
	if !d.is(v, strictyaml.Object) {
		return nil
	}
	if len(v.Entries) == 0 || len(v.Entries) > maxDefinitions {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d properties; 1 to %d are possible", v.name, len(v.Entries), maxDefinitions), "write, for example: {customer_tier: {type: string}}")
	}
	var all []pipeline.WantedProperty
	for _, e := range v.Entries {
		one := value{Node: e.Value, name: v.name + "." + strictyaml.Short(e.Key), at: e.Place()}
		var name string
		key := value{Node: &strictyaml.Node{Kind: strictyaml.String, Text: e.Key, Line: e.KeyPlace().Line, Column: e.KeyPlace().Column}, name: "a name in " + v.name, at: e.KeyPlace()}
		if d.matched(key, &name, propertyForm); name == "" {
			continue
		}
		if slices.ContainsFunc(all, func(o pipeline.WantedProperty) bool { return strings.EqualFold(o.Name, name) }) {
			d.add(e.KeyPlace(), RuleDuplicate, fmt.Sprintf("%s defines %q twice: GitHub compares names without regard to case", v.name, name), "keep one of them")
			continue
		}
		all = append(all, d.propertyDefinition(one, name))
	}
	return all
}

func (d *decoder) propertyDefinition(v value, name string) pipeline.WantedProperty {
	w := pipeline.WantedProperty{Name: name}
	before := len(d.problems)
	d.read(v, d.definitionFields(&w))
	if len(d.problems) > before || v.Kind != strictyaml.Object {
		return w
	}
	switch {
	case w.Type == "":
		d.add(v.at, RuleValue, v.name+" has no type", "add one of: "+typeWords())
	case w.Type.IsSelection() && len(w.Values) == 0:
		d.add(v.at, RuleValue, fmt.Sprintf("%s is of the type %s and has no values", v.name, w.Type), "list the allowed values: values: [a, b]")
	case !w.Type.IsSelection() && len(w.Values) > 0:
		d.add(v.at, RuleValue, fmt.Sprintf("%s is of the type %s, which has no list of values", v.name, w.Type), "remove values, or use the type single_select")
	default:
		of := pipeline.PropertyDefinition{Name: "default", Type: w.Type, Allowed: w.Values}
		if err := of.Check(w.Default); err != nil {
			d.add(v.at, RuleValue, v.name+": "+err.Error(), "write a default that the property can have")
		}
	}
	return w
}

func typeWords() string {
	words := make([]string, len(pipeline.PropertyTypes))
	for i, t := range pipeline.PropertyTypes {
		words[i] = string(t)
	}
	return strings.Join(words, ", ")
}

func (d *decoder) definitionFields(w *pipeline.WantedProperty) fields {
	return fields{
		"type": func(v value) {
			s, _ := d.choice(v, strings.Split(typeWords(), ", ")...)
			w.Type = pipeline.PropertyType(s)
		},
		"values":  func(v value) { w.Values = d.allowedValues(v) },
		"default": func(v value) { w.Default = d.defaultValue(v) },
		"description": func(v value) {
			if s, ok := d.text(v); ok && (len(s) > maxDescription || pipeline.PlainLine(s) != s) {
				d.add(v.at, RuleValue, v.name+" is no short line", fmt.Sprintf("write one line of at most %d characters", maxDescription))
			} else if ok {
				w.Description = s
			}
		},
		"editable_by": func(v value) { w.EditableBy, _ = d.choice(v, pipeline.EditableByOrg, pipeline.EditableByRepository) },
	}
}

func (d *decoder) allowedValues(v value) []string {
	var values []string
	d.list(v, func(item value) {
		s, ok := d.text(item)
		if !ok {
			return
		}
		if err := pipeline.CheckPropertyText(item.name, s); err != nil {
			d.add(item.at, RuleValue, err.Error(), "write printable ASCII without quotation marks")
		} else if slices.Contains(values, s) {
			d.add(item.at, RuleDuplicate, fmt.Sprintf("%s is %q, which is there already", item.name, strictyaml.Short(s)), "keep it once")
		} else {
			values = append(values, s)
		}
	})
	if len(values) > pipeline.MaxAllowedValues {
		d.add(v.at, RuleValue, fmt.Sprintf("%s has %d values; GitHub takes at most %d", v.name, len(values), pipeline.MaxAllowedValues), "remove some")
	}
	return values
}

func (d *decoder) defaultValue(v value) pipeline.Property {
	if v.Kind != strictyaml.Array {
		s, _ := d.text(v)
		if s == "" {
			return pipeline.Property{}
		}
		return pipeline.Property{Form: pipeline.PropertyText, Text: s}
	}
	p := pipeline.Property{Form: pipeline.PropertyList, List: []string{}}
	d.list(v, func(item value) {
		if s, ok := d.text(item); ok {
			p.List = append(p.List, s)
		}
	})
	return p
}
