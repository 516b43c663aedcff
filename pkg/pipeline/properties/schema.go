package properties

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// KindSchema is the kind of files with definitions of properties.
const KindSchema = "custom-property-definitions"

// SchemaGitHub is what plans of definitions ask of GitHub.
type SchemaGitHub interface {
	DefinitionsGitHub
	ListGitHub
	DefineProperties(ctx context.Context, organization string, definitions map[string]map[string]json.RawMessage) error
	DeleteProperty(ctx context.Context, organization, name string) error
}

// Definer makes plans that bring the definitions of organizations to what metapipe.yml says.
type Definer struct {
	GitHub SchemaGitHub
	// Owners are the owners of customers' repositories, each with one of these.
	Owners []pipeline.Slug
}

// Plan compares the definitions of the owners. People among them are left out, and notes name them,
// unless named: then one is an error. What cannot be brought about is an error of all, and a
// *pipeline.UsageError.
func (d Definer) Plan(ctx context.Context, m pipeline.Manager, named bool) (p change.Plan, notes []string, err error) {
	if m.Properties == nil {
		return p, nil, pipeline.Usagef("metapipe.yml has no `properties`, so it says nothing of definitions").Nextf("add `properties: {}` for the built-in ones; see docs/CUSTOM-PROPERTIES.md")
	}
	var rows []change.Row
	var wrong []string
	for _, owner := range d.Owners {
		definitions, person, err := definitionsOf(ctx, d.GitHub, owner)
		switch {
		case err != nil:
			return p, nil, err
		case person && named:
			return p, nil, pipeline.Usagef("%s is a person, and no organization: it has no custom properties", owner.Owner).Nextf("name an organization")
		case person:
			notes = append(notes, owner.Owner+" is a person, whose repositories have no custom properties")
			continue
		}
		compared, problems, err := d.compare(ctx, m, owner.Owner, definitions)
		if err != nil {
			return p, nil, err
		}
		rows, wrong = append(rows, compared...), append(wrong, problems...)
	}
	if len(wrong) > 0 {
		return p, nil, refusedDefinitions(wrong)
	}
	return change.NewPlan(KindSchema, len(d.Owners), rows), notes, nil
}

func refusedDefinitions(wrong []string) error {
	return pipeline.Usagef("the definitions cannot be changed so, and none is:\n  %s", strings.Join(wrong, "\n  ")).
		Nextf("correct `properties` in metapipe.yml, or the values that are in use: metapipe properties set")
}

// compare returns a row for each definition that metapipe.yml speaks of, and what cannot be done.
func (d Definer) compare(ctx context.Context, m pipeline.Manager, organization string, definitions []pipeline.PropertyDefinition) (rows []change.Row, wrong []string, err error) {
	use := usage{github: d.GitHub, organization: organization}
	for _, w := range wishes(m) {
		row := change.Row{Place: change.Place{Name: organization}, What: w.name, Old: change.None}
		old, found := pipeline.DefinitionNamed(definitions, w.name)
		if !found {
			row.New = canonicalFields(w.create())
			rows = append(rows, row)
			continue
		}
		row.What, row.Old, row.New = old.Name, canonicalFields(old.Fields), canonicalFields(w.change(old))
		if sameDefinition(row.Old, row.New) {
			row.New = row.Old
		}
		why, err := w.impossible(ctx, old, row, &use)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			wrong = append(wrong, fmt.Sprintf("%s of %s: %s", row.What, organization, why))
		}
		rows = append(rows, row)
	}
	return rows, wrong, nil
}

// impossible says why a definition cannot be brought to what is wanted; empty: it can.
func (w wish) impossible(ctx context.Context, old pipeline.PropertyDefinition, row change.Row, use *usage) (string, error) {
	switch {
	case !slices.Contains(w.types, old.Type):
		return fmt.Sprintf("it is of the type %s, and %s is wanted: a type cannot be changed, since the values would be lost; use another name in `properties.names`", old.Type, typeList(w.types)), nil
	case bytes.Equal(row.Old, row.New):
		return "", nil
	case old.Enterprise:
		return "the enterprise has defined it, so it cannot be edited here: an owner of the enterprise can, in the settings of the enterprise", nil
	}
	return use.blocks(ctx, row)
}

func typeList(types []pipeline.PropertyType) string {
	list := make([]string, len(types))
	for i, t := range types {
		list[i] = string(t)
	}
	return strings.Join(list, " or ")
}

func canonicalFields(fields map[string]json.RawMessage) json.RawMessage {
	raw, err := json.Marshal(fields)
	if err == nil {
		raw, err = change.Canonical(raw)
	}
	if err != nil { // what was read as JSON always encodes
		return json.RawMessage("{}")
	}
	return raw
}

// fieldsOf reads a row's value as a definition; nil: none.
func fieldsOf(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(raw, &fields)
	return fields, err
}

// FromFile is the plan of a file. Its old definitions are compared when it is applied.
func (d Definer) FromFile(ctx context.Context, f change.File) (change.Plan, error) {
	var rows []change.Row
	var wrong []string
	for _, in := range f.Rows {
		row := in.Row()
		use := usage{github: d.GitHub, organization: row.Name}
		why := d.checkRow(row)
		if why == "" {
			var err error
			if why, err = use.blocks(ctx, row); err != nil {
				return change.Plan{}, err
			}
		}
		if why != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s", row, why))
		}
		if sameDefinition(row.Old, row.New) {
			row.New = row.Old
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		return change.Plan{}, refusedDefinitions(wrong)
	}
	return change.NewPlan(KindSchema, len(d.Owners), rows), nil
}

// checkRow says what is wrong with a row of a file; empty: nothing.
func (d Definer) checkRow(row change.Row) string {
	if !slices.ContainsFunc(d.Owners, func(o pipeline.Slug) bool { return strings.EqualFold(o.Owner, row.Name) }) {
		return "no customer has a repository there"
	}
	if _, err := ParseName(row.What); err != nil {
		return err.Error()
	}
	var types []pipeline.PropertyType
	for _, raw := range []json.RawMessage{row.Old, row.New} {
		fields, err := fieldsOf(raw)
		if err != nil {
			return "it is no definition"
		}
		var t pipeline.PropertyType
		if fields == nil {
			continue
		}
		if err := json.Unmarshal(fields["value_type"], &t); err != nil || !slices.Contains(pipeline.PropertyTypes, t) {
			return "it has no type"
		}
		types = append(types, t)
	}
	if len(types) == 2 && types[0] != types[1] {
		return "a type cannot be changed, since the values would be lost"
	}
	return ""
}
