package properties

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// DefinitionsGitHub reads the definitions of the owner of a repository.
type DefinitionsGitHub interface {
	PropertyDefinitions(ctx context.Context, via pipeline.Slug) ([]pipeline.PropertyDefinition, error)
	OwnedByPerson(ctx context.Context, repo pipeline.Slug) (bool, error)
}

// definitionsOf are those of the owner of a repository. A person has none.
func definitionsOf(ctx context.Context, github DefinitionsGitHub, via pipeline.Slug) (list []pipeline.PropertyDefinition, person bool, err error) {
	list, err = github.PropertyDefinitions(ctx, via)
	if pipeline.NotVisible(err) {
		if person, askErr := github.OwnedByPerson(ctx, via); askErr == nil && person {
			return nil, true, nil
		}
	}
	return list, false, err
}

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
