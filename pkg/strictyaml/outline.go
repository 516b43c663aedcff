package strictyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// RuleNearMiss is a key that the schema does not name but nearly does, where
// further keys are allowed.
const RuleNearMiss = "near-miss"

// Keys are the keys that the schema names for the map at path, sorted. A step "*"
// stands for any key that the schema does not name.
func (s *Schema) Keys(path ...string) []string {
	if s == nil {
		return nil
	}
	part := s.follow(s.doc)
	for _, step := range path {
		part = s.child(part, step)
	}
	return keysOf(part)
}

func keysOf(part map[string]any) []string {
	properties, _ := part["properties"].(map[string]any)
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// follow returns the part of the schema behind references inside of the file.
func (s *Schema) follow(v any) map[string]any {
	const longest = 16
	for range longest {
		m, _ := v.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok || !strings.HasPrefix(ref, "#") {
			return m
		}
		v = s.at(ref)
	}
	return nil
}

// child is the part of the schema for a key of a map.
func (s *Schema) child(part map[string]any, key string) map[string]any {
	properties, _ := part["properties"].(map[string]any)
	if named, ok := properties[key]; ok {
		return s.follow(named)
	}
	return s.follow(part["additionalProperties"])
}

// describedAt is the description that stands beside the reference or the rule for
// the value at path, or "".
func (s *Schema) describedAt(path []string) string {
	part := s.follow(s.doc)
	own := s.doc
	for _, step := range path {
		properties, _ := part["properties"].(map[string]any)
		named, ok := properties[step]
		switch {
		case ok:
			own = named
		case isIndex(step) && part["items"] != nil:
			own = part["items"]
		default:
			own = part["additionalProperties"]
		}
		part = s.follow(own)
	}
	m, _ := own.(map[string]any)
	d, _ := m["description"].(string)
	return d
}

// NearMisses warns of keys that are allowed only because the schema allows
// further ones, and that look like one that it names.
func (s *Schema) NearMisses(file string, root *Node) pipeline.Problems {
	var problems pipeline.Problems
	warn := func(e Entry, remedy string) {
		at := e.KeyPlace()
		at.File = file
		problems = append(problems, pipeline.Problem{
			Position: at, Rule: RuleNearMiss, Warning: true,
			Message: fmt.Sprintf("the schema does not name the key %q; it is passed on as it is", Short(e.Key)),
			Remedy:  remedy,
		})
	}
	s.nearMisses(root, s.follow(s.doc), warn)
	for _, e := range root.Entries {
		if remedy := s.dotted(nil, e.Key); remedy != "" && !s.Closed(nil) && !s.Names(nil, e.Key) {
			warn(e, remedy)
		}
	}
	return problems
}

func (s *Schema) nearMisses(n *Node, part map[string]any, found func(Entry, string)) {
	if n.Kind != Object || part == nil {
		return
	}
	known := keysOf(part)
	closed := part["additionalProperties"] == false
	required, _ := part["required"].([]any)
	for _, e := range n.Entries {
		if slices.Contains(known, e.Key) {
			s.nearMisses(e.Value, s.child(part, e.Key), found)
			continue
		}
		_, described := part["additionalProperties"].(map[string]any)
		absent := func(name string) bool {
			return n.Get(name) != nil || slices.Contains(required, any(name))
		}
		if like := pipeline.Nearest(e.Key, slices.DeleteFunc(slices.Clone(known), absent)); like != "" && !closed && !described {
			found(e, fmt.Sprintf("did you mean %q?", like))
		}
		s.nearMisses(e.Value, s.child(part, e.Key), found)
	}
}

// dotted is the remedy for a path in the map at path that was written as one key, or "".
func (s *Schema) dotted(path []string, key string) string {
	steps := strings.Split(key, ".")
	last := len(steps) - 1
	if last == 0 || slices.Contains(steps, "") {
		return ""
	}
	above := append(slices.Clone(path), steps[:last]...)
	if !s.Names(above, steps[last]) {
		return ""
	}
	return fmt.Sprintf("write %q below %s: a dot does not lead into a map", Short(steps[last]+":"), pathName(above))
}
