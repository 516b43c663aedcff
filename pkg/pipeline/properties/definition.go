package properties

import (
	"bytes"
	"encoding/json"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// GitHub may leave out a field of a definition that has no value, or its default. So a field that is
// not there, null, false, an empty text and an empty list are the same, and so is the default of who
// may edit values. https://docs.github.com/rest/orgs/custom-properties

// meaningOf is the value of a field as it is compared: null where it is the default.
func meaningOf(fields map[string]json.RawMessage, name string) string {
	value, err := change.Canonical(*field(fields, name))
	if err != nil {
		return string(*field(fields, name)) // no value of JSON, so it equals none
	}
	switch text := string(value); {
	case text == "false", text == `""`, text == "[]", name == "values_editable_by" && text == `"`+pipeline.EditableByOrg+`"`:
		return "null"
	default:
		return text
	}
}

// sameDefinition reports whether two definitions say the same. None is the same as none alone.
func sameDefinition(a, b json.RawMessage) bool {
	return bytes.Equal(a, b) || covers(a, b) && covers(b, a)
}

// covers reports whether a definition has all that the fields of another one say. None covers no one,
// and no one covers it.
func covers(definition, wanted json.RawMessage) bool {
	is, err := fieldsOf(definition)
	if err != nil || is == nil {
		return false
	}
	want, err := fieldsOf(wanted)
	if err != nil || want == nil {
		return false
	}
	for name := range want {
		if meaningOf(is, name) != meaningOf(want, name) {
			return false
		}
	}
	return true
}
