package strictyaml

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// violation is a keyword of a schema that a value does not meet. The validator names the two
// places. What the keyword asks for stands in the schema, and what it got in the value.
type violation struct {
	keyword string         // such as "required"; keywordFalse: the schema is false
	schema  string         // URL and JSON pointer of the part of the schema that has the keyword
	part    map[string]any // that part; nil: it stands in the schema of a draft
	path    []string       // of the value
	value   any
	message string // of the validator
	causes  []violation

	args []string // of the keyword: the key of a dependency and the number of what it lacks; the name of a key
	// Of keyword "type" alone. One violation may stand for several forms.
	want []string
	got  string
}

// keywordFalse stands for a schema that no value meets.
const keywordFalse = "false"

// The keywords of which a part of the schema is behind a name or a number.
var (
	namedKeywords    = []string{"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
	numberedKeywords = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
)

// violations checks a value. No violation and no error: the schema accepts it.
func (s *Schema) violations(value any) ([]violation, error) {
	err := s.compiled.Validate(value)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &invalid):
		return nil, err
	}
	return leaves(s.violation(invalid, value)), nil
}

// accepts reports whether the schema accepts a value.
func (s *Schema) accepts(value any) bool { return s.compiled.Validate(value) == nil }

// violation reads one error of the validator, and those below it. root is the value as a whole.
func (s *Schema) violation(e *jsonschema.ValidationError, root any) violation {
	path := pointerSteps(e.InstanceLocation)
	last := lastKeyword(pointerSteps(e.KeywordLocation))
	v := violation{schema: parentPointer(e.AbsoluteKeywordLocation, len(last)), path: path, value: valueAt(root, path), message: e.Message}
	if len(last) > 0 {
		v.keyword, v.args = last[0], last[1:]
	}
	if e.Message == "not allowed" {
		v.keyword = keywordFalse
	}
	v.part = asMap(s.at(v.schema))
	for _, cause := range e.Causes {
		v.causes = append(v.causes, s.violation(cause, root))
	}
	if name, key := namesKey(e); name {
		return violation{keyword: "propertyNames", path: path[:len(path)-1], args: []string{key}, message: e.Message}
	}
	if v.keyword == "type" {
		v.want, v.got = wantedTypes(v.part, e.Message), typeOf(v.value)
	}
	return v
}

// namesKey reports whether an error is about a key itself, which no value stands for, and which one.
func namesKey(e *jsonschema.ValidationError) (bool, string) {
	steps, path := pointerSteps(e.KeywordLocation), pointerSteps(e.InstanceLocation)
	for len(steps) > 0 {
		if steps[0] == "propertyNames" && len(path) > 0 {
			return true, path[len(path)-1]
		}
		steps = steps[keywordLength(steps):]
	}
	return false, ""
}

// lastKeyword is the last keyword of a path of keywords, with its arguments.
func lastKeyword(steps []string) []string {
	var last []string
	for len(steps) > 0 {
		n := keywordLength(steps)
		last, steps = steps[:n], steps[n:]
	}
	return last
}

// keywordLength is how many steps the first keyword has, with its arguments.
func keywordLength(steps []string) int {
	n := 1
	switch {
	case slices.Contains(namedKeywords, steps[0]), slices.Contains(numberedKeywords, steps[0]) && len(steps) > 1 && isIndex(steps[1]):
		n = 2
	case steps[0] == "items" && len(steps) > 1 && isIndex(steps[1]): // a list of schemas, as before draft 2020-12
		n = 2
	case steps[0] == "dependentRequired", steps[0] == "dependencies" && len(steps) > 2 && isIndex(steps[2]):
		n = 3
	case steps[0] == "dependencies":
		n = 2
	}
	return min(n, len(steps))
}

// pointerSteps are the steps of a JSON pointer (RFC 6901) as the validator writes it:
// escaped as a part of a URL, too.
func pointerSteps(pointer string) []string {
	if pointer == "" {
		return nil
	}
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, step := range steps {
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return steps
}

// parentPointer takes the last steps off a URL with a JSON pointer.
func parentPointer(location string, steps int) string {
	for range steps {
		i := strings.LastIndexByte(location, '/')
		if i < strings.IndexByte(location, '#') {
			return location
		}
		location = location[:i]
	}
	return location
}

// typeOf is the JSON type of a value.
func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// jsonTypes are the types in the order in which messages name them.
var jsonTypes = []string{"null", "boolean", "number", "integer", "string", "array", "object"}

// wantedTypes are the types that a part of a schema allows. For the schema of a draft they stand in the
// message of the validator alone.
func wantedTypes(part map[string]any, message string) []string {
	switch t := part["type"].(type) {
	case string:
		return []string{t}
	case []any:
		return slices.DeleteFunc(slices.Clone(jsonTypes), func(name string) bool { return !slices.Contains(t, any(name)) })
	}
	rest, _ := strings.CutPrefix(message, "expected ")
	types, _, _ := strings.Cut(rest, ", but got ")
	return strings.Split(types, " or ")
}

// missing are the keys that the value lacks.
func (v violation) missing() []string {
	var wanted []any
	switch v.keyword {
	case "required":
		wanted, _ = v.part["required"].([]any)
	default: // of a key that the value has
		list, _ := asMap(v.part[v.keyword])[v.args[0]].([]any)
		if i, err := strconv.Atoi(v.args[1]); err == nil && i < len(list) {
			wanted = list[i : i+1]
		}
	}
	var missing []string
	for _, one := range wanted {
		key, _ := one.(string)
		if _, there := asMap(v.value)[key]; !there {
			missing = append(missing, key)
		}
	}
	return missing
}

// unknown are the keys of the value that additionalProperties does not let through, sorted.
func (v violation) unknown() []string {
	var keys []string
	for key := range asMap(v.value) {
		_, named := asMap(v.part["properties"])[key]
		for pattern := range asMap(v.part["patternProperties"]) {
			named = named || matchesName(pattern, key)
		}
		if !named {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// allowed are the values of an enum. Those of the schema of a draft are texts, which the message of the
// validator quotes.
func (v violation) allowed() []any {
	if list, ok := v.part["enum"].([]any); ok {
		return list
	}
	_, quoted, _ := strings.Cut(v.message, "value must be one of ")
	var all []any
	for _, word := range strings.Split(quoted, ", ") {
		if plain, err := strconv.Unquote(word); err == nil {
			all = append(all, plain)
		}
	}
	return all
}
