package strictyaml

import (
	"fmt"
	"strings"
)

// form explains the rules that are made of schemas: which keyword failed, and what it
// asks for, as far as the schema says so.
func (e *explainer) form(v violation) {
	name := pathName(v.path)
	message, remedy := name+" does not meet the service's rules", "ask your service provider what is allowed here"
	switch v.keyword {
	case "not":
		message = name + " is what the rule \"not\" excludes"
		remedy = "write another value: it must not " + requirement(asMap(v.part["not"]))
	case "anyOf":
		message = name + " has none of the forms that the rule \"anyOf\" allows"
		remedy = alternatives(v.part["anyOf"], false)
	case "oneOf":
		message = name + " has none of the forms that the rule \"oneOf\" allows"
		if len(v.causes) == 0 {
			message = name + " has several of the forms of which the rule \"oneOf\" allows one"
		}
		remedy = alternatives(v.part["oneOf"], true)
	case "contains", "minContains", "maxContains":
		message, remedy = v.contains(name)
	case "additionalItems":
		list, _ := v.value.([]any)
		items, _ := v.part["items"].([]any)
		message, remedy = fmt.Sprintf("%s has %d items more than are allowed", name, len(list)-len(items)), "remove them"
	}
	if d := e.described(v); d != "" {
		remedy = d
	}
	e.add(v.path, "rule", message, remedy)
}

// contains explains how many items have the form that contains asks for. The validator names each item
// of a list with too few that does not have it.
func (v violation) contains(name string) (message, remedy string) {
	form := requirement(asMap(v.part["contains"]))
	list, _ := v.value.([]any)
	switch _, counted := v.part["minContains"]; {
	case v.keyword == "maxContains":
		_, got, _ := strings.Cut(v.message, "but got ")
		return fmt.Sprintf("%s has %s items of the form of the rule \"contains\", which allows %s", name, got, v.limit()), "remove an item; the form is to " + form
	case counted:
		return fmt.Sprintf("%s has %d of the %s items that the rule \"contains\" asks for", name, len(list)-len(v.causes), v.limit()), "add an item: it must " + form
	}
	return name + " has no item that the rule \"contains\" asks for", "add an item: it must " + form
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
