package jsonvalue

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Canonical writes equal values alike.
func Canonical(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return strconv.AppendQuote(b, v)
	case json.Number:
		return append(b, canonicalNumber(v)...)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(Canonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = append(strconv.AppendQuote(b, key), ':')
			b = append(Canonical(b, v[key]), ',')
		}
		return append(b, '}')
	}
	return appendJSON(b, value, nil)
}

// CanonicalMarks writes the positions of `true` only: tools differ in how much
// of the rest they spell out.
func CanonicalMarks(b []byte, mark any) []byte {
	switch m := mark.(type) {
	case bool:
		if m {
			b = append(b, '!')
		}
	case []any:
		for i, e := range m {
			b = canonicalBranch(b, strconv.Itoa(i), e)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(m)) {
			b = canonicalBranch(b, strconv.Quote(key), m[key])
		}
	}
	return b
}

func canonicalBranch(b []byte, name string, mark any) []byte {
	start := len(b)
	b = append(append(b, '('), name...)
	inside := len(b)
	b = CanonicalMarks(b, mark)
	if len(b) == inside {
		return b[:start]
	}
	return append(b, ')')
}
