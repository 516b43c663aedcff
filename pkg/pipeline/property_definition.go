package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// PropertyType is the type of a custom property on GitHub.
type PropertyType string

// The types. https://docs.github.com/rest/orgs/custom-properties
const (
	PropertyString       PropertyType = "string"
	PropertySingleSelect PropertyType = "single_select"
	PropertyMultiSelect  PropertyType = "multi_select"
	PropertyTrueFalse    PropertyType = "true_false" // its values are the texts "true" and "false"
	PropertyURL          PropertyType = "url"
)

// IsSelection reports whether the values of the type are chosen from a list.
func (t PropertyType) IsSelection() bool {
	return t == PropertySingleSelect || t == PropertyMultiSelect
}

// PropertyTypes are all types.
var PropertyTypes = []PropertyType{PropertyString, PropertySingleSelect, PropertyMultiSelect, PropertyTrueFalse, PropertyURL}

// Who can edit the values of a property.
const (
	EditableByOrg        = "org_actors"
	EditableByRepository = "org_and_repo_actors"
)

// MaxPropertyName is how long the name of a property can be, in bytes.
// https://docs.github.com/en/organizations/managing-organization-settings/managing-custom-properties-for-repositories-in-your-organization
const MaxPropertyName = 75

// MaxAllowedValues is how many values a selection can have.
// https://docs.github.com/en/organizations/managing-organization-settings/managing-custom-properties-for-repositories-in-your-organization
const MaxAllowedValues = maxPropertyList

// PropertyDefinition is a custom property as an organization has it.
type PropertyDefinition struct {
	Name     string
	Type     PropertyType
	Required bool
	Default  Property // what repositories without a value have, where it is required
	Allowed  []string // of the two kinds of selection
	// EditableBy is EditableByOrg or EditableByRepository.
	EditableBy string
	// Enterprise: the enterprise has defined it. The organization cannot change it.
	Enterprise bool
	// Fields are those that a definition is written with, and those that metapipe does not
	// know: GitHub replaces a definition as a whole.
	Fields map[string]json.RawMessage
}

// readOnlyFields are those of an answer that say what GitHub made of a definition.
var readOnlyFields = []string{"property_name", "url", "source_type"}

// ParsePropertyDefinition reads a definition of an answer of GitHub. It keeps the fields that it
// does not know.
func ParsePropertyDefinition(raw json.RawMessage) (PropertyDefinition, error) {
	var known struct {
		Name       string       `json:"property_name"`
		Source     string       `json:"source_type"`
		Type       PropertyType `json:"value_type"`
		Required   bool         `json:"required"`
		Default    Property     `json:"default_value"`
		Allowed    []string     `json:"allowed_values"`
		EditableBy *string      `json:"values_editable_by"`
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &known); err != nil {
		return PropertyDefinition{}, fmt.Errorf("the definition of a custom property: %w", err)
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return PropertyDefinition{}, fmt.Errorf("the definition of a custom property: %w", err)
	}
	if known.Name == "" || known.Type == "" {
		return PropertyDefinition{}, fmt.Errorf("the definition of custom property %s lacks its name or type", Quote(known.Name))
	}
	for _, name := range readOnlyFields {
		delete(fields, name)
	}
	d := PropertyDefinition{Name: known.Name, Type: known.Type, Required: known.Required, Default: known.Default, Allowed: known.Allowed, EditableBy: EditableByOrg,
		Enterprise: known.Source == "enterprise", Fields: fields}
	if known.EditableBy != nil {
		d.EditableBy = *known.EditableBy
	}
	return d, nil
}

// DefinitionNamed finds a definition; names are compared without regard to case, as GitHub does.
func DefinitionNamed(all []PropertyDefinition, name string) (PropertyDefinition, bool) {
	i := slices.IndexFunc(all, func(d PropertyDefinition) bool { return strings.EqualFold(d.Name, name) })
	if i < 0 {
		return PropertyDefinition{}, false
	}
	return all[i], true
}

// Check refuses a value that GitHub would refuse for the property, in the words of who typed it.
func (d PropertyDefinition) Check(value Property) error {
	form := PropertyText
	if d.Type == PropertyMultiSelect {
		form = PropertyList
	}
	if value.Form == PropertyUnset {
		return nil
	}
	if value.Form != form {
		return fmt.Errorf("%s is of the type %s, whose values are a %s", d.Name, d.Type, form)
	}
	texts := value.List
	if form == PropertyText {
		texts = []string{value.Text}
	}
	for i, text := range texts {
		if err := d.checkText(text); err != nil {
			return err
		}
		if slices.Contains(texts[:i], text) {
			return fmt.Errorf("%s has %s twice", d.Name, Quote(text))
		}
	}
	return nil
}

func (d PropertyDefinition) checkText(text string) error {
	switch d.Type {
	case PropertySingleSelect, PropertyMultiSelect:
		if !slices.Contains(d.Allowed, text) {
			return fmt.Errorf("%s cannot be %s: allowed are %s", d.Name, Quote(text), someOf(text, d.Allowed))
		}
		return nil
	case PropertyTrueFalse:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s cannot be %s: allowed are true, false", d.Name, Quote(text))
		}
		return nil
	case PropertyURL:
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("%s cannot be %s: write an address that begins with https:// or http://", d.Name, Quote(text))
		}
	case PropertyString:
	default:
		return fmt.Errorf("%s is of the type %s, which this metapipe does not know", d.Name, Quote(string(d.Type)))
	}
	return CheckPropertyText(d.Name, text)
}

// CheckPropertyText refuses a text that no property can have.
func CheckPropertyText(name, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%s cannot be an empty text", name)
	case len(text) > maxPropertyText:
		return fmt.Errorf("%s is %d bytes long; at most %d are possible", name, len(text), maxPropertyText)
	case strings.Contains(text, `"`):
		return fmt.Errorf("%s cannot be %s: GitHub allows no quotation mark in a value", name, Quote(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("%s cannot be %s: GitHub allows printable ASCII only", name, Quote(text))
	}
	return nil
}

// shownAllowed is how many of up to 200 allowed values an error lists.
const shownAllowed = 12

// someOf lists allowed values: the one that text looks like first, and not all of very many.
func someOf(text string, allowed []string) string {
	list := slices.Clone(allowed)
	if like := Nearest(text, allowed); like != "" {
		list = append([]string{like}, slices.DeleteFunc(list, func(s string) bool { return s == like })...)
	}
	more := len(list) - shownAllowed
	if more <= 0 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shownAllowed], ", "), more)
}

// With is what a definition is written with: its own fields, and over them those of change.
func (d PropertyDefinition) With(change map[string]json.RawMessage) map[string]json.RawMessage {
	fields := maps.Clone(d.Fields)
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	maps.Copy(fields, change)
	return fields
}
