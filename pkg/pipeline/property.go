package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Property is the value of one custom property, as far as GitHub's answer has a form that
// is known. The zero value is one that the repository does not have.
type Property struct {
	Form PropertyForm
	Text string   // of PropertyText
	List []string // of PropertyList; empty where GitHub has an empty list
}

// PropertyForm is the JSON form of a value.
type PropertyForm string

// The forms of a value. GitHub has text for every type of property but multi_select, which
// is a list of texts. https://docs.github.com/rest/repos/custom-properties
const (
	PropertyUnset PropertyForm = ""      // absent or null: the repository has no value
	PropertyText  PropertyForm = "text"  // "true" and "false" are texts too
	PropertyList  PropertyForm = "list"  // of texts
	PropertyOther PropertyForm = "other" // any form that GitHub does not have today
)

// Bounds of a value that is believed: GitHub allows 200 values of a property, and a
// text may be far longer than anything that metapipe reads.
const (
	maxPropertyList = 200
	maxPropertyText = 1024 // bytes
)

// UnmarshalJSON reads any JSON value. It fails on none: whoever uses the property decides
// what a form means that is not the declared one.
func (p *Property) UnmarshalJSON(raw []byte) error {
	*p = Property{Form: PropertyOther}
	raw = bytes.TrimSpace(raw)
	switch {
	case bytes.Equal(raw, []byte("null")):
		*p = Property{}
	case bytes.HasPrefix(raw, []byte(`"`)):
		var text string
		if err := json.Unmarshal(raw, &text); err == nil && len(text) <= maxPropertyText {
			*p = Property{Form: PropertyText, Text: text}
		}
	case bytes.HasPrefix(raw, []byte("[")):
		if list, isText := propertyList(raw); isText {
			*p = Property{Form: PropertyList, List: list}
		}
	}
	return nil
}

// MarshalJSON writes the value as GitHub has it. One of another form is an object: which
// one it was is not kept.
func (p Property) MarshalJSON() ([]byte, error) {
	switch p.Form {
	case PropertyUnset:
		return []byte("null"), nil
	case PropertyText:
		return json.Marshal(p.Text)
	case PropertyList:
		return json.Marshal(append([]string{}, p.List...))
	}
	return []byte("{}"), nil
}

// propertyList reads a list of texts. encoding/json would take null in it for "".
func propertyList(raw []byte) ([]string, bool) {
	var items []*string
	if err := json.Unmarshal(raw, &items); err != nil || len(items) > maxPropertyList {
		return nil, false
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		if item == nil || len(*item) > maxPropertyText {
			return nil, false
		}
		list = append(list, *item)
	}
	return list, true
}

// Properties are the custom properties of one repository. The zero value is unknown, and
// so not the same as no properties.
type Properties struct {
	values map[string]Property // by name as GitHub writes it; nil: unknown
}

// ErrUnknownProperties is the error of properties that were not read, or could not be.
var ErrUnknownProperties = errors.New("the custom properties of the repository are not known")

// maxProperties is the number of properties that are read; GitHub allows 100 in an
// organization, and those of an enterprise beside them.
const maxProperties = 1000

// ParseProperties reads `custom_properties` of an answer of GitHub. An answer without that
// key, such as one about the repository of a person, says that there are none. Anything
// but an object is an error, and so are two names that differ in nothing but case: GitHub
// compares names without regard to it, so no one knows which of the two counts.
func ParseProperties(raw json.RawMessage) (Properties, error) {
	if len(raw) == 0 {
		return Properties{values: map[string]Property{}}, nil
	}
	var values map[string]Property
	if err := DecodeExact(raw, &values); err != nil {
		return Properties{}, fmt.Errorf("%w: custom_properties: %w", ErrUnknownProperties, err)
	}
	if values == nil {
		return Properties{}, fmt.Errorf("%w: custom_properties is null", ErrUnknownProperties)
	}
	if len(values) > maxProperties {
		return Properties{}, fmt.Errorf("%w: custom_properties has %d names, more than %d", ErrUnknownProperties, len(values), maxProperties)
	}
	folded := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if other, taken := folded[strings.ToLower(name)]; taken {
			return Properties{}, fmt.Errorf("%w: custom_properties has both %s and %s", ErrUnknownProperties, Quote(other), Quote(name))
		}
		folded[strings.ToLower(name)] = name
	}
	return Properties{values: values}, nil
}

// Known reports whether the properties were read.
func (p Properties) Known() bool { return p.values != nil }

// Equal reports whether both are known and hold the same, or both are unknown.
func (p Properties) Equal(o Properties) bool {
	return p.Known() == o.Known() && maps.EqualFunc(p.values, o.values, func(a, b Property) bool {
		return a.Form == b.Form && a.Text == b.Text && slices.Equal(a.List, b.List)
	})
}

// Get is the value of a property; the zero Property where the repository has none. Names
// are compared without regard to case, as GitHub does.
func (p Properties) Get(name string) Property {
	if value, ok := p.values[name]; ok {
		return value
	}
	for other, value := range p.values {
		if strings.EqualFold(other, name) {
			return value
		}
	}
	return Property{}
}

// RepositoryAnswer is what GitHub says of one repository of many that were asked for
// together. The properties can be unknown where the repository is known.
type RepositoryAnswer struct {
	Repository // with its present name; DefaultBranch is not asked for
	Properties Properties
	Err        error // why nothing is known of it; nil where it was read
}
