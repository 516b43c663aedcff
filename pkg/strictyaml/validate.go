package strictyaml

import (
	"errors"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Validate checks the value and everything below it. Each problem carries the
// place of the offending value, or of the parent where something is missing.
func (s *Schema) Validate(file string, root *Node) pipeline.Problems {
	err := s.compiled.Validate(root.Any())
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return pipeline.Problems{{
			Position: pipeline.Position{File: file}, Rule: "schema", Message: "the file could not be checked: " + err.Error(),
		}}
	}
	e := explainer{schema: s, file: file, root: root, unknown: make(map[string]bool)}
	all := leaves(invalid)
	for _, leaf := range all {
		if k, ok := leaf.ErrorKind.(*kind.AdditionalProperties); ok {
			for _, key := range k.Properties {
				e.unknown[pathName(append(slices.Clone(leaf.InstanceLocation), key))] = true
			}
		}
	}
	for _, leaf := range all {
		e.explain(leaf)
	}
	return e.problems
}
