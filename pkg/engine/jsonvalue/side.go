package jsonvalue

import (
	"unicode/utf8"
)

// Side is one side of a comparison: a value with the marks that stand beside it
// in the plan JSON, in the same shape, where `true` covers everything below.
type Side struct {
	Value     any
	Present   bool
	Sensitive any
	Unknown   any // of the planned side only
}

func Child(s Side, object map[string]any, key string) Side {
	value, ok := object[key]
	return Side{Value: value, Present: ok, Sensitive: markAt(s.Sensitive, key), Unknown: markAt(s.Unknown, key)}
}

func markAt(mark any, key string) any {
	switch m := mark.(type) {
	case bool:
		return m
	case map[string]any:
		return m[key]
	}
	return nil
}

func MarkIndex(mark any, i int) any {
	switch m := mark.(type) {
	case bool:
		return m
	case []any:
		if i >= 0 && i < len(m) {
			return m[i]
		}
	}
	return nil
}

func IsIdentifier(key string) bool {
	for i := range len(key) {
		c := key[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-') {
			return false
		}
	}
	return key != "" && utf8.ValidString(key)
}
