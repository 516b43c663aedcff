package properties

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Assignment gives a property a value, or takes it away.
type Assignment struct {
	Name  string
	Text  string // as it was typed; what it means depends on the type of the property
	Unset bool
}

// ParseName reads the name of a property.
func ParseName(s string) (string, error) {
	if !pipeline.ConsistsOf(s, pipeline.MaxPropertyName, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"+pipeline.Digits+"_-$#") {
		return "", fmt.Errorf("%s is not the name of a custom property: write letters, digits, _, -, $ and #, at most %d", pipeline.Quote(s), pipeline.MaxPropertyName)
	}
	return s, nil
}

// ParseAssignment reads NAME=VALUE. The value may hold further equals signs.
func ParseAssignment(s string) (Assignment, error) {
	name, text, isPair := strings.Cut(s, "=")
	if !isPair {
		return Assignment{}, fmt.Errorf("%s is not NAME=VALUE", pipeline.Quote(s))
	}
	name, err := ParseName(name)
	return Assignment{Name: name, Text: text}, err
}

// Value is the value that the assignment means for a property. A list is written as items between
// commas, or as a JSON list where an item holds a comma; an empty text is the empty list.
func (a Assignment) Value(d pipeline.PropertyDefinition) (pipeline.Property, error) {
	var value pipeline.Property
	switch {
	case a.Unset:
		if d.Required {
			return value, fmt.Errorf("%s is required, so it cannot be unset: its default is %s", d.Name, Canonical(d.Default))
		}
		return value, nil
	case d.Type != pipeline.PropertyMultiSelect && a.Text == "":
		return value, fmt.Errorf("%s cannot be an empty text: --unset %s takes its value away", d.Name, d.Name)
	case d.Type != pipeline.PropertyMultiSelect:
		value = pipeline.Property{Form: pipeline.PropertyText, Text: a.Text}
	default:
		list, err := parseList(a.Text)
		if err != nil {
			return value, fmt.Errorf("%s: %w", d.Name, err)
		}
		value = pipeline.Property{Form: pipeline.PropertyList, List: list}
	}
	return value, d.Check(value)
}

// parseList reads the items of a list.
func parseList(text string) ([]string, error) {
	if strings.HasPrefix(text, "[") {
		var p pipeline.Property
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Form != pipeline.PropertyList {
			return nil, fmt.Errorf(`%s is not a JSON list of texts such as ["a","b"]`, pipeline.Quote(text))
		}
		return p.List, nil
	}
	list := []string{}
	if text == "" {
		return list, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			return nil, fmt.Errorf("%s has an empty item", pipeline.Quote(text))
		}
		list = append(list, item)
	}
	return list, nil
}
