package jsonvalue

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// SensitiveText stands for a value that is not shown.
const SensitiveText = "(sensitive value)"

// Show is the value of a side with its marks in place.
func Show(s Side) pipeline.Value {
	switch {
	case s.Unknown == true:
		return pipeline.Value{Unknown: true}
	case !s.Present:
		return pipeline.Value{}
	case s.Sensitive == true:
		return pipeline.Value{Sensitive: true}
	}
	return pipeline.Value{Text: Text(s.Value, s.Sensitive)}
}

// Hide is the mark for a side whose value is not shown.
func Hide(s Side, sensitive bool) pipeline.Value {
	unknown := s.Unknown == true
	return pipeline.Value{Sensitive: sensitive && (s.Present || unknown), Unknown: unknown}
}

// Text encodes a value as JSON with sorted keys; marked parts become
// SensitiveText.
func Text(value, marks any) string {
	switch v := value.(type) {
	case string:
		if marks != true {
			return string(AppendString(make([]byte, 0, len(v)+2), v))
		}
	case json.Number:
		if marks != true {
			return v.String()
		}
	}
	return string(appendJSON(nil, value, marks))
}

func appendJSON(b []byte, value, marks any) []byte {
	if marks == true {
		return AppendString(b, SensitiveText)
	}
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case json.Number:
		return append(b, v...)
	case string:
		return AppendString(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e, MarkIndex(marks, i))
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, key), ':')
			b = appendJSON(b, v[key], markAt(marks, key))
		}
		return append(b, '}')
	}
	return b
}

// AppendString encodes without the escapes that protect HTML: the text is
// for people, and its renderers encode it for their own sink.
func AppendString(b []byte, s string) []byte {
	if isSimple(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return append(b, `""`...)
	}
	return append(b, bytes.TrimRight(out.Bytes(), "\n")...)
}

// isSimple reports printable ASCII that JSON does not escape.
func isSimple(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Equal compares decoded JSON. Numbers compare by value.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for key, v := range x {
			w, ok := y[key]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	case json.Number:
		y, ok := b.(json.Number)
		return ok && (x == y || canonicalNumber(x) == canonicalNumber(y))
	}
	switch b.(type) {
	case map[string]any, []any: // not comparable with ==
		return false
	}
	return a == b
}

// ContainsTrue reports whether a mark names anything.
func ContainsTrue(mark any) bool {
	switch m := mark.(type) {
	case bool:
		return m
	case map[string]any:
		for _, v := range m {
			if ContainsTrue(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, ContainsTrue)
	}
	return false
}

// SameMarks compares marks; what is not named counts as false.
func SameMarks(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			for key := range x {
				if !SameMarks(x[key], y[key]) {
					return false
				}
			}
			for key := range y {
				if _, ok := x[key]; !ok && ContainsTrue(y[key]) {
					return false
				}
			}
			return true
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range max(len(x), len(y)) {
				if !SameMarks(MarkIndex(x, i), MarkIndex(y, i)) {
					return false
				}
			}
			return true
		}
	}
	return ContainsTrue(a) == ContainsTrue(b)
}

// numberPrecision is the one that Terraform calculates with, in bits.
const numberPrecision = 512

// canonicalNumber writes equal numbers alike: 1, 1.0 and 10e-1.
func canonicalNumber(n json.Number) string {
	s := n.String()
	plain := len(s) > 0 && len(s) < 18 && s != "-0"
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (i > 0 || s[i] != '-') {
			plain = false
		}
	}
	if plain {
		return s
	}
	f, _, err := big.ParseFloat(s, 10, numberPrecision, big.ToNearestEven)
	if err != nil {
		return s
	}
	if f.Sign() == 0 {
		return "0"
	}
	if f.IsInt() && f.MantExp(nil) < 60 {
		i, _ := f.Int64()
		return big.NewInt(i).String()
	}
	return f.Text('p', 0)
}
