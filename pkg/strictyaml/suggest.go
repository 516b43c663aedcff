package strictyaml

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// unknownKeys are the keys of n that the schema has no name for.
func unknownKeys(n *Node, known []string) []string {
	var keys []string
	for _, e := range n.Entries {
		if !slices.Contains(known, e.Key) && len(keys) < 50 {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// properties are the names under `properties` of the schema at location, sorted.
func (s *Schema) properties(location string) []string {
	m, _ := s.at(location, "properties").(map[string]any)
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// description is the `description` of the schema at location, going down steps.
func (s *Schema) description(location string, steps ...string) string {
	m, _ := s.at(location, steps...).(map[string]any)
	d, _ := m["description"].(string)
	return d
}

// at finds the part of the schema that an error names by URL and JSON pointer
// (RFC 6901); nil when it is not in this file under that pointer.
func (s *Schema) at(location string, steps ...string) any {
	base, fragment, _ := strings.Cut(location, "#")
	if base != "" && base != schemaURL {
		return nil
	}
	if _, err := url.PathUnescape(fragment); err != nil || (fragment != "" && fragment[0] != '/') {
		return nil
	}
	return valueAt(s.doc, append(pointerSteps(fragment), steps...))
}

// valueAt goes down steps of names and numbers; nil: there is nothing.
func valueAt(value any, steps []string) any {
	for _, step := range steps {
		value = stepInto(value, step)
	}
	return value
}

// stepInto is the member or item of that name or number; nil: there is none.
func stepInto(value any, step string) any {
	switch t := value.(type) {
	case map[string]any:
		return t[step]
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(t) {
			return t[i]
		}
	}
	return nil
}
