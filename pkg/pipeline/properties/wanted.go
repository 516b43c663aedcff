package properties

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// wish is what metapipe wants of a definition. What it does not name stays as it is.
type wish struct {
	name string
	// types are those that will do, for a new definition the first one.
	types []pipeline.PropertyType
	// values are the allowed values of a selection; nil: those that are there.
	values []string
	single []string       // in place of values in a definition for one value; nil: the same
	fields map[string]any // of a new and of an old definition
	first  map[string]any // of a new definition alone
}

// wishes are those of metapipe.yml: the properties that count, and over them its definitions.
//
// A definition that metapipe.yml does not spell out is never made looser: who may edit tools and
// version is said of a new one alone, since an organization may keep them to itself.
func wishes(m pipeline.Manager) []wish {
	var all []wish
	rules := m.Properties
	for _, meaning := range pipeline.PropertyMeanings {
		name := rules.Names[meaning]
		if name == "" {
			continue
		}
		if w, is := builtIn(m, meaning, name); is {
			all = append(all, w)
		}
	}
	for _, d := range rules.Definitions {
		w := spelledOut(d)
		i := slices.IndexFunc(all, func(o wish) bool { return strings.EqualFold(o.name, d.Name) })
		if i < 0 {
			all = append(all, w)
			continue
		}
		if d.EditableBy == "" { // what metapipe.yml does not say is as without it
			if who, says := all[i].fields["values_editable_by"]; says {
				w.fields["values_editable_by"] = who
			}
		}
		w.first = all[i].first
		all[i] = w
	}
	return all
}

// NewDefinitions are the definitions that an organization without any gets for metapipe.yml.
func NewDefinitions(m pipeline.Manager) ([]pipeline.PropertyDefinition, error) {
	if m.Properties == nil {
		return nil, nil
	}
	var all []pipeline.PropertyDefinition
	for _, w := range wishes(m) {
		fields := w.create()
		maps.Copy(fields, encoded(map[string]any{"property_name": w.name}))
		d, err := pipeline.ParsePropertyDefinition(canonicalFields(fields))
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// builtIn is what a property that counts needs of its definition. Those that are information alone need
// none.
func builtIn(m pipeline.Manager, meaning pipeline.PropertyMeaning, name string) (wish, bool) {
	w := wish{name: name, fields: map[string]any{}}
	customer := map[string]any{"values_editable_by": pipeline.EditableByRepository}
	switch meaning {
	case pipeline.MeaningTools:
		all := pipeline.Customer{Manager: m}
		w.types, w.values, w.first = []pipeline.PropertyType{pipeline.PropertyMultiSelect}, all.OfferedTools(), customer
	case pipeline.MeaningVersion:
		w.types, w.first = []pipeline.PropertyType{pipeline.PropertyString, pipeline.PropertySingleSelect}, customer
	case pipeline.MeaningApproval, pipeline.MeaningAutoDeploy:
		w.types, w.fields["values_editable_by"] = []pipeline.PropertyType{pipeline.PropertyTrueFalse}, pipeline.EditableByOrg
	case pipeline.MeaningRegion:
		w.types, w.fields["values_editable_by"] = []pipeline.PropertyType{pipeline.PropertySingleSelect, pipeline.PropertyString}, pipeline.EditableByOrg
		w.values = slices.Sorted(maps.Keys(m.Properties.Regions))
	case pipeline.MeaningContent:
		w.types, w.first = []pipeline.PropertyType{pipeline.PropertyMultiSelect, pipeline.PropertySingleSelect, pipeline.PropertyString}, customer
		w.values = []string{string(pipeline.ContentApp), string(pipeline.ContentInfra)}
		w.single = append(slices.Clone(w.values), string(pipeline.ContentBoth))
	default:
		return wish{}, false
	}
	return w, true
}

// allowed are the allowed values of a definition of a type.
func (w wish) allowed(t pipeline.PropertyType) []string {
	if t == pipeline.PropertySingleSelect && w.single != nil {
		return w.single
	}
	return w.values
}

func spelledOut(d pipeline.WantedProperty) wish {
	w := wish{name: d.Name, types: []pipeline.PropertyType{d.Type}, values: d.Values, fields: map[string]any{}}
	if d.Default.Form != pipeline.PropertyUnset {
		w.fields["required"], w.fields["default_value"] = true, d.Default
	}
	if d.Description != "" {
		w.fields["description"] = d.Description
	}
	if d.EditableBy != "" {
		w.fields["values_editable_by"] = d.EditableBy
	}
	return w
}

// create is the new definition.
func (w wish) create() map[string]json.RawMessage {
	fields := map[string]any{"value_type": w.types[0]}
	maps.Copy(fields, w.first)
	maps.Copy(fields, w.fields)
	if w.types[0].IsSelection() {
		fields["allowed_values"] = w.allowed(w.types[0])
	}
	return encoded(fields)
}

// change is the definition d as it is wanted.
func (w wish) change(d pipeline.PropertyDefinition) map[string]json.RawMessage {
	fields := maps.Clone(w.fields)
	if want := w.allowed(d.Type); d.Type.IsSelection() && want != nil && !sameValues(d.Allowed, want) {
		fields["allowed_values"] = want
	}
	return d.With(encoded(fields))
}

// sameValues compares without regard to the order, which people may have chosen.
func sameValues(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func encoded(fields map[string]any) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		raw, err := json.Marshal(value)
		if err == nil { // texts, lists of texts and booleans always encode
			out[name] = raw
		}
	}
	return out
}
