package strictyaml

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// bound explains the rules that compare a quantity with a limit.
func (e *explainer) bound(v violation) (rule, message, remedy string, ok bool) {
	name := pathName(v.path)
	size := func(rule, what string, got int, least bool) (string, string, string, bool) {
		word := "at most"
		if least {
			word = "at least"
		}
		return rule, fmt.Sprintf("%s has %d %s", name, got, what), fmt.Sprintf("%s %s are allowed", word, v.limit()), true
	}
	number := func(rule, word string) (string, string, string, bool) {
		return rule, name + " is " + e.written(v.path, v.value), "it must be " + word + " " + v.limit(), true
	}
	text, _ := v.value.(string)
	list, _ := v.value.([]any)
	switch v.keyword {
	case "minimum":
		return number("minimum", "at least")
	case "maximum":
		return number("maximum", "at most")
	case "exclusiveMinimum":
		return number("minimum", "greater than")
	case "exclusiveMaximum":
		return number("maximum", "less than")
	case "multipleOf":
		return number("multiple-of", "a multiple of")
	case "minLength", "maxLength":
		return size("length", "characters", utf8.RuneCountInString(text), v.keyword == "minLength")
	case "minItems", "maxItems":
		return size("items", "items", len(list), v.keyword == "minItems")
	case "minProperties", "maxProperties":
		return size("keys", "keys", len(asMap(v.value)), v.keyword == "minProperties")
	}
	return "", "", "", false
}

// limit is the number of a keyword as people write it.
func (v violation) limit() string {
	number, ok := v.part[v.keyword].(json.Number)
	if !ok && strings.HasPrefix(v.keyword, "exclusive") { // draft 4 has true here
		number, ok = v.part[strings.ToLower(strings.TrimPrefix(v.keyword, "exclusive"))].(json.Number)
	}
	if !ok { // the schema of a draft: it asks for no other number
		number = "0"
		if strings.HasPrefix(v.message, "minimum 1 ") {
			number = "1"
		}
	}
	r, ok := new(big.Rat).SetString(string(number))
	if !ok {
		return string(number)
	}
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}
