package strictyaml

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// sampler builds small values that a schema accepts, for remedies.
type sampler struct {
	s      *Schema
	must   []string // path of keys that the sample has in any case
	budget int
}

// Sample is a small text on one line that the schema accepts, with the keys of
// must one below the other; "" when none was found. It is valid YAML.
func (s *Schema) Sample(must ...string) string {
	m := s.sample(must)
	text := flowText(m)
	switch len(m) {
	case 0:
		return ""
	case 1:
		return strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	}
	return text
}

// SampleEntry is the last key of must and its value in a text that the schema
// accepts, or "".
func (s *Schema) SampleEntry(must ...string) string {
	var v any = s.sample(must)
	for _, step := range must {
		m, _ := v.(map[string]any)
		if v = m[step]; v == nil {
			return ""
		}
	}
	return flowText(must[len(must)-1]) + ": " + flowText(v)
}

func (s *Schema) sample(must []string) map[string]any {
	if s == nil {
		return nil
	}
	const budget, longestSample = 60, 600
	b := sampler{s: s, must: must, budget: budget}
	m, ok := b.value(s.follow(s.doc), 0).(map[string]any)
	if !ok || b.budget < 0 || len(flowText(m)) > longestSample || !s.accepts(m) {
		return nil
	}
	return m
}

// value builds a value for a part of the schema; depth counts the keys of must
// on the way to it, or is beyond them.
func (b *sampler) value(part map[string]any, depth int) any {
	b.budget--
	if b.budget < 0 {
		return nil
	}
	if v, ok := part["const"]; ok {
		return v
	}
	for _, list := range []string{"enum", "examples"} {
		if values, ok := part[list].([]any); ok && len(values) > 0 {
			return values[0]
		}
	}
	if v, ok := part["default"]; ok {
		return v
	}
	kind := kindOfPart(part)
	if depth <= len(b.must) {
		kind = "object"
	}
	switch kind {
	case "object":
		return b.object(part, depth)
	case "array":
		return b.array(part)
	case "boolean":
		return true
	case "integer", "number":
		return sampleNumber(part)
	case "null":
		return nil
	}
	return sampleText(part)
}

func (b *sampler) object(part map[string]any, depth int) any {
	m := make(map[string]any)
	required, _ := part["required"].([]any)
	for _, name := range required {
		if key, ok := name.(string); ok {
			m[key] = b.value(b.s.child(part, key), math.MaxInt)
		}
	}
	if depth < len(b.must) {
		m[b.must[depth]] = b.value(b.s.child(part, b.must[depth]), depth+1)
	}
	return m
}

func (b *sampler) array(part map[string]any) any {
	list := []any{}
	least := asNumber(part["minItems"], 0)
	for len(list) < int(least) && b.budget > 0 {
		list = append(list, b.value(b.s.follow(part["items"]), math.MaxInt))
	}
	return list
}

func sampleNumber(part map[string]any) any {
	n := math.Max(asNumber(part["minimum"], math.Min(1, asNumber(part["maximum"], 1))), asNumber(part["exclusiveMinimum"], -math.MaxFloat64)+1)
	if step := asNumber(part["multipleOf"], 0); step > 0 {
		n = math.Ceil(n/step) * step
	}
	return json.Number(fmt.Sprint(math.Ceil(n)))
}
