package strictyaml

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// demand is a key that a schema requires of a map.
type demand struct {
	key string
	at  pipeline.Position
}

// closure is a part of a schema that admits only some keys to a map.
type closure struct {
	line     int // of the keyword that says so
	names    []string
	patterns []string
}

func (c closure) admits(key string) bool {
	return slices.Contains(c.names, key) || slices.ContainsFunc(c.patterns, func(pattern string) bool { return matchesName(pattern, key) })
}

// requirements finds keys that are required where the schema admits no such key: no file
// can satisfy that. In an alternative it is a warning, since another one may hold. What stands below not and if may be impossible on purpose.
func (k *keywordCheck) requirements(n *Node, alternative bool) {
	if n == nil || n.Kind != Object {
		return
	}
	k.compare(n, alternative)
	for _, e := range n.Entries {
		within := alternative
		switch e.Key {
		case "not", "if", "propertyNames":
			continue
		case "anyOf", "oneOf", "then", "else", "contains", "dependentSchemas", "dependencies":
			within = true
		}
		switch {
		case slices.Contains(schemaMapKeywords, e.Key):
			for _, named := range e.Value.Entries {
				k.requirements(named.Value, within)
			}
		case slices.Contains(schemaListKeywords, e.Key) && e.Value.Kind == Array:
			for _, item := range e.Value.Items {
				k.requirements(item, within)
			}
		case slices.Contains(schemaKeywords, e.Key):
			k.requirements(e.Value, within)
		}
	}
}

// compare holds the keys that a map must have against those that it may have.
func (k *keywordCheck) compare(n *Node, alternative bool) {
	var demands []demand
	var closures []closure
	var keys []string
	for _, part := range k.conjuncts(n, 0) {
		for _, d := range demandsOf(part) {
			demands, keys = append(demands, d), append(keys, d.key)
		}
		closures = append(closures, closuresOf(part)...)
	}
	for _, d := range demands {
		i := slices.IndexFunc(closures, func(c closure) bool { return !c.admits(d.key) })
		if i < 0 || k.impossible[d.at] {
			continue
		}
		k.impossible[d.at] = true
		free := slices.DeleteFunc(slices.Clone(closures[i].names), func(name string) bool { return slices.Contains(keys, name) })
		remedy := fmt.Sprintf("name it in the properties beside line %d, or remove it from required", closures[i].line)
		if like := pipeline.Nearest(d.key, free); like != "" {
			remedy = fmt.Sprintf("did you mean %q?", Short(like))
		}
		k.problem(d.at, fmt.Sprintf("%q is required, and line %d does not admit it: no file can satisfy both", Short(d.key), closures[i].line), remedy).Warning = alternative
	}
}

// conjuncts are a schema and those that must hold for the same value with it.
func (k *keywordCheck) conjuncts(n *Node, depth int) []*Node {
	if n == nil || n.Kind != Object || depth > maxNamedDepth || !mayBeMap(n) {
		return nil
	}
	all := []*Node{n}
	if ref := n.Get("$ref"); ref != nil && ref.Kind == String {
		all = append(all, k.conjuncts(k.target(ref.Text), depth+1)...)
	}
	if list := n.Get("allOf"); list != nil {
		for _, item := range list.Items {
			all = append(all, k.conjuncts(item, depth+1)...)
		}
	}
	return all
}

// target is the part of the schema that a JSON pointer names; nil for none.
func (k *keywordCheck) target(ref string) *Node {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok || k.named {
		return nil
	}
	path := strings.Split(pointer, "/")
	for i, step := range path {
		plain, err := url.PathUnescape(step)
		if err != nil {
			return nil
		}
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(plain)
	}
	return k.root.At(path...)
}

// mayBeMap reports whether the type of a schema admits maps.
func mayBeMap(n *Node) bool {
	kind := n.Get("type")
	if kind == nil {
		return true
	}
	return kind.Text == "object" || slices.ContainsFunc(kind.Items, func(item *Node) bool { return item.Text == "object" })
}

func demandsOf(n *Node) (demands []demand) {
	if list := n.Get("required"); list != nil && list.Kind == Array {
		for _, item := range list.Items {
			if item.Kind == String {
				demands = append(demands, demand{item.Text, pipeline.Position{Line: item.Line, Column: item.Column}})
			}
		}
	}
	return demands
}

// closuresOf are the keywords of one part that admit only the keys that it names.
func closuresOf(n *Node) (closures []closure) {
	c := closure{}
	if properties := n.Get("properties"); properties != nil {
		for _, e := range properties.Entries {
			if e.Value.Kind != Bool || e.Value.Text == "true" {
				c.names = append(c.names, e.Key)
			}
		}
	}
	if patterns := n.Get("patternProperties"); patterns != nil {
		for _, e := range patterns.Entries {
			if e.Value.Kind != Bool || e.Value.Text == "true" {
				c.patterns = append(c.patterns, e.Key)
			}
		}
	}
	closing := []string{"additionalProperties", "unevaluatedProperties"}
	for _, other := range []string{"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"} {
		if n.Get(other) != nil {
			closing = closing[:1] // the others evaluate properties too
		}
	}
	for _, keyword := range closing {
		if e, ok := n.Entry(keyword); ok && e.Value.Kind == Bool && e.Value.Text == "false" {
			c.line = e.KeyPlace().Line
			return []closure{c}
		}
	}
	return nil
}
