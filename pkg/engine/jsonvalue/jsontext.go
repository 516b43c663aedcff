package jsonvalue

// jsonTexts compares two texts that hold JSON, such as the policies of AWS, by
// their structure. It reports false, and notes nothing, where that shows no
// difference or could hide one: then the texts are compared as they are.
func (d *differ) jsonTexts(b, a Side) bool {
	before, ok := Embedded(b)
	if !ok {
		return false
	}
	after, ok := Embedded(a)
	if !ok || IsObject(before) != IsObject(after) {
		return false
	}
	n := len(d.changes)
	d.compare(Side{Value: before, Present: true}, Side{Value: after, Present: true})
	return len(d.changes) > n
}
