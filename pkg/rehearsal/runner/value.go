package runner

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

// The values of expressions are those of JSON as encoding/json decodes them into an any: nil, bool,
// float64, string, []any and map[string]any.

// filtered is what `.*` makes of an array or an object: the next property is taken of each item.
type filtered []any

// texts turns a map of texts into a value.
func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for name, value := range m {
		out[name] = value
	}
	return out
}

// truthy: false, 0, NaN, the empty text and null are not.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	}
	return true
}

// format is a value as text, as in a `${{ }}` inside of a text.
func format(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return number(v)
	case string:
		return v
	case []any, filtered:
		return "Array"
	}
	return "Object"
}

// number prints 15 significant digits at most, and no exponent where one can do without.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "Inf", "Infinity", 1), "+")
	case v == 0:
		return "0" // also -0
	}
	text := strconv.FormatFloat(v, 'g', 15, 64)
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1e15 && math.Abs(f) >= 1e-5 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return text
}

var hexadecimal, octal = text.Pattern(`^0x[0-9A-Fa-f]+$`), text.Pattern(`^0o[0-7]+$`)

// toNumber is a value where a number is needed: that of a text, 1 for true, and NaN for what is none.
func toNumber(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case string:
		text := strings.TrimSpace(v)
		switch {
		case text == "":
			return 0
		case hexadecimal().MatchString(text), octal().MatchString(text):
			n, err := strconv.ParseInt(text, 0, 64)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		}
		if strings.ContainsAny(text, "xXpP_iInN") { // forms of Go that GitHub does not have
			return math.NaN()
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return math.NaN()
		}
		return n
	}
	return math.NaN()
}

// equal compares loosely: values of two kinds as numbers, texts without regard to case.
func equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		if b == nil {
			return true
		}
	case bool:
		if b, ok := b.(bool); ok {
			return a == b
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.EqualFold(a, b)
		}
	case map[string]any, []any, filtered:
		return false // the same only as the very object, which no two expressions name
	}
	return toNumber(a) == toNumber(b)
}

// less compares texts as upper case, everything else as numbers.
func less(a, b any) (result, comparable bool) {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.ToUpper(x) < strings.ToUpper(y), true
		}
	}
	x, y := toNumber(a), toNumber(b)
	return x < y, !math.IsNaN(x) && !math.IsNaN(y)
}

// property is a field of an object, without regard to case; null where there is none.
func property(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		if value, ok := v[name]; ok {
			return value
		}
		for key, value := range v {
			if strings.EqualFold(key, name) {
				return value
			}
		}
	case filtered:
		out := filtered{}
		for _, item := range v {
			if value := property(item, name); value != nil {
				out = append(out, value)
			}
		}
		return out
	}
	return nil
}

// index is v[at]: a field of an object, or an item of an array.
func index(v, at any) any {
	switch v := v.(type) {
	case map[string]any:
		return property(v, format(at))
	case filtered:
		return index([]any(v), at)
	case []any:
		n := toNumber(at)
		if math.IsNaN(n) || n < 0 || n >= float64(len(v)) {
			return nil
		}
		return v[int(n)]
	}
	return nil
}

// each is v.*: the items of an array, or the values of an object.
func each(v any) filtered {
	out := filtered{}
	switch v := v.(type) {
	case []any:
		out = append(out, v...)
	case filtered:
		for _, item := range v {
			out = append(out, each(item)...)
		}
	case map[string]any:
		for _, name := range sorted(v) {
			out = append(out, v[name])
		}
	}
	return out
}

// toJSON prints a value as the function of that name: two spaces, and no escapes for HTML.
func toJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
