package strictyaml

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// form explains the rules that are made of schemas: which keyword failed, and what it
// asks for, as far as the schema says so.
func (e *explainer) form(v *jsonschema.ValidationError) {
	name := pathName(v.InstanceLocation)
	message, remedy := name+" does not meet the service's rules", "ask your service provider what is allowed here"
	part := asMap(e.schema.at(v.SchemaURL))
	switch k := v.ErrorKind.(type) {
	case *kind.Not:
		message = name + " is what the rule \"not\" excludes"
		remedy = "write another value: it must not " + requirement(asMap(part["not"]))
	case *kind.AnyOf:
		message = name + " has none of the forms that the rule \"anyOf\" allows"
		remedy = alternatives(part["anyOf"], false)
	case *kind.OneOf:
		message = name + " has none of the forms that the rule \"oneOf\" allows"
		if len(k.Subschemas) > 0 {
			message = name + " has several of the forms of which the rule \"oneOf\" allows one"
		}
		remedy = alternatives(part["oneOf"], true)
	case *kind.Contains:
		message = name + " has no item that the rule \"contains\" asks for"
		remedy = "add an item: it must " + requirement(asMap(part["contains"]))
	case *kind.MinContains:
		message = fmt.Sprintf("%s has %d of the %d items that the rule \"contains\" asks for", name, len(k.Got), k.Want)
		remedy = "add an item: it must " + requirement(asMap(part["contains"]))
	case *kind.MaxContains:
		message = fmt.Sprintf("%s has %d items of the form of the rule \"contains\", which allows %d", name, len(k.Got), k.Want)
		remedy = "remove an item; the form is to " + requirement(asMap(part["contains"]))
	case *kind.AdditionalItems:
		message, remedy = fmt.Sprintf("%s has %d items more than are allowed", name, k.Count), "remove them"
	}
	if d := e.described(v); d != "" {
		remedy = d
	}
	e.add(v.InstanceLocation, "rule", message, remedy)
}

// requirement says in a few words what a part of a schema asks for, behind "must".
func requirement(part map[string]any) string {
	var words []string
	add := func(keyword, format string, show func(any) string) {
		if v, ok := part[keyword]; ok {
			words = append(words, fmt.Sprintf(format, show(v)))
		}
	}
	plainText := func(v any) string { return Short(fmt.Sprint(v)) }
	if d, _ := part["description"].(string); d != "" {
		return "be: " + Short(d)
	}
	if t, ok := part["type"].(string); ok && typeNames[t] != "" {
		words = append(words, "be "+typeNames[t])
	}
	add("const", "be %s", show)
	add("enum", "be one of %s", listed)
	add("pattern", "match %s", plainText)
	add("format", "be a valid %s", plainText)
	add("minimum", "be at least %s", plainText)
	add("maximum", "be at most %s", plainText)
	add("required", "have the keys %s", listed)
	if properties, ok := part["properties"].(map[string]any); ok && part["required"] == nil {
		words = append(words, "have the settings of "+strings.Join(keysOf(map[string]any{"properties": properties}), ", "))
	}
	if len(words) == 0 {
		return "have the form that the schema describes"
	}
	return strings.Join(words, " and ")
}

func listed(v any) string {
	list, _ := v.([]any)
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = show(item)
	}
	return strings.Join(words, ", ")
}

// alternatives says what each of several forms asks for.
func alternatives(v any, exactlyOne bool) string {
	list, _ := v.([]any)
	const most = 6
	var words []string
	for i, item := range list {
		if i == most {
			words = append(words, "…")
			break
		}
		words = append(words, requirement(asMap(item)))
	}
	if exactlyOne {
		return "write exactly one form; it must " + strings.Join(words, ", or ")
	}
	return "it must " + strings.Join(words, ", or ")
}
