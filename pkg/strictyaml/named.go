package strictyaml

import (
	"encoding/json"
	"regexp"
	"strings"
)

// maxNamedDepth bounds references inside of a schema, which may lead in circles.
const maxNamedDepth = 32

// Names reports whether the schema names key among the members of the object at
// path: in properties, or by a pattern that does not fit every name. A key that
// additionalProperties lets through has no name.
func (s *Schema) Names(path []string, key string) bool {
	for _, node := range s.partsAt(path) {
		properties, _ := node["properties"].(map[string]any)
		if value, ok := properties[key]; ok && value != false {
			return true
		}
		for pattern, value := range asMap(node["patternProperties"]) {
			if value != false && matchesName(pattern, key) && !matchesName(pattern, "\u00a7 no name 0") {
				return true
			}
		}
	}
	return false
}

// Closed reports whether the object at path may have no other members than those
// that the schema names.
func (s *Schema) Closed(path []string) bool {
	for _, node := range s.partsAt(path) {
		if node["additionalProperties"] == false || node["unevaluatedProperties"] == false {
			return true
		}
	}
	return false
}

// partsAt are the parts of the schema that speak of the value at path.
func (s *Schema) partsAt(path []string) []map[string]any {
	nodes := s.parts(s.doc, 0)
	for _, step := range path {
		var next []map[string]any
		for _, node := range nodes {
			for _, value := range members(node, step) {
				next = append(next, s.parts(value, 0)...)
			}
		}
		nodes = next
	}
	return nodes
}

// members are the schemas that a node has for the member of that name.
func members(node map[string]any, name string) []any {
	var found []any
	if value, ok := asMap(node["properties"])[name]; ok {
		found = append(found, value)
	}
	for pattern, value := range asMap(node["patternProperties"]) {
		if matchesName(pattern, name) {
			found = append(found, value)
		}
	}
	if len(found) == 0 {
		found = append(found, node["additionalProperties"], node["unevaluatedProperties"])
	}
	return found
}

// parts are a schema and those that it applies to the same value.
func (s *Schema) parts(value any, depth int) []map[string]any {
	node, ok := value.(map[string]any)
	if !ok || depth > maxNamedDepth {
		return nil
	}
	all := []map[string]any{node}
	for _, keyword := range []string{"$ref", "$dynamicRef"} {
		if ref, ok := node[keyword].(string); ok && (ref == "#" || strings.HasPrefix(ref, "#/")) {
			all = append(all, s.parts(s.at(ref), depth+1)...)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := node[keyword].([]any)
		for _, value := range list {
			all = append(all, s.parts(value, depth+1)...)
		}
	}
	for _, keyword := range []string{"if", "then", "else"} {
		all = append(all, s.parts(node[keyword], depth+1)...)
	}
	for _, value := range asMap(node["dependentSchemas"]) {
		all = append(all, s.parts(value, depth+1)...)
	}
	return all
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

func matchesName(pattern, name string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(name)
}

// IsMap reports whether the schema wants a map at path.
func (s *Schema) IsMap(path []string) bool {
	for _, node := range s.partsAt(path) {
		if kindOfPart(node) == "object" {
			return true
		}
	}
	return false
}

func kindOfPart(part map[string]any) string {
	switch t := part["type"].(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			s, _ := t[0].(string)
			return s
		}
	}
	switch {
	case part["properties"] != nil || part["required"] != nil || part["additionalProperties"] != nil:
		return "object"
	case part["items"] != nil:
		return "array"
	case part["minimum"] != nil || part["maximum"] != nil:
		return "number"
	}
	return "string"
}

func asNumber(v any, otherwise float64) float64 {
	if n, ok := v.(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return f
		}
	}
	if f, ok := v.(float64); ok {
		return f
	}
	return otherwise
}
