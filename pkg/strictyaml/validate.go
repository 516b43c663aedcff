package strictyaml

import (
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Validate checks the value and everything below it. Each problem carries the
// place of the offending value, or of the parent where something is missing.
func (s *Schema) Validate(file string, root *Node) pipeline.Problems {
	all, err := s.violations(root.Any())
	if err != nil {
		return pipeline.Problems{{
			Position: pipeline.Position{File: file}, Rule: "schema", Message: "the file could not be checked: " + err.Error(),
		}}
	}
	e := explainer{schema: s, file: file, root: root, unknown: make(map[string]bool)}
	for _, v := range all {
		if v.keyword == "additionalProperties" {
			for _, key := range v.unknown() {
				e.unknown[pathName(append(slices.Clone(v.path), key))] = true
			}
		}
	}
	for _, v := range all {
		e.explain(v)
	}
	return e.problems
}
