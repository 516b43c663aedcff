package planjson

import "github.com/metapipe/metapipe/pkg/engine/jsonvalue"

// jsonTexts compares two texts that hold JSON, such as the policies of AWS, by
// their structure. It reports false, and notes nothing, where that shows no
// difference or could hide one: then the texts are compared as they are.
func (d *differ) jsonTexts(b, a jsonvalue.Side) bool {
	before, ok := jsonvalue.Embedded(b)
	if !ok {
		return false
	}
	after, ok := jsonvalue.Embedded(a)
	if !ok || jsonvalue.IsObject(before) != jsonvalue.IsObject(after) {
		return false
	}
	n := len(d.changes)
	d.compare(jsonvalue.Side{Value: before, Present: true}, jsonvalue.Side{Value: after, Present: true})
	return len(d.changes) > n
}
