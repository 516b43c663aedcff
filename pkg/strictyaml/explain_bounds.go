package strictyaml

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// bound explains the rules that compare a quantity with a limit.
func (e *explainer) bound(path []string, k jsonschema.ErrorKind) (rule, message, remedy string, ok bool) {
	name := pathName(path)
	size := func(rule, what string, got, want int, least bool) (string, string, string, bool) {
		word := "at most"
		if least {
			word = "at least"
		}
		return rule, fmt.Sprintf("%s has %d %s", name, got, what), fmt.Sprintf("%s %d are allowed", word, want), true
	}
	number := func(rule string, got, want *big.Rat, word string) (string, string, string, bool) {
		return rule, fmt.Sprintf("%s is %s", name, e.written(path, json.Number(rat(got)))), "it must be " + word + " " + rat(want), true
	}
	switch k := k.(type) {
	case *kind.Minimum:
		return number("minimum", k.Got, k.Want, "at least")
	case *kind.Maximum:
		return number("maximum", k.Got, k.Want, "at most")
	case *kind.ExclusiveMinimum:
		return number("minimum", k.Got, k.Want, "greater than")
	case *kind.ExclusiveMaximum:
		return number("maximum", k.Got, k.Want, "less than")
	case *kind.MultipleOf:
		return number("multiple-of", k.Got, k.Want, "a multiple of")
	case *kind.MinLength:
		return size("length", "characters", k.Got, k.Want, true)
	case *kind.MaxLength:
		return size("length", "characters", k.Got, k.Want, false)
	case *kind.MinItems:
		return size("items", "items", k.Got, k.Want, true)
	case *kind.MaxItems:
		return size("items", "items", k.Got, k.Want, false)
	case *kind.MinProperties:
		return size("keys", "keys", k.Got, k.Want, true)
	case *kind.MaxProperties:
		return size("keys", "keys", k.Got, k.Want, false)
	}
	return "", "", "", false
}

func rat(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}
