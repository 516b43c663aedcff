package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxSchemaBytes bounds a schema file; real ones have a few kilobytes.
const maxSchemaBytes = 1 << 20

// schemaURL is the base of references inside a schema. It can be resolved
// nowhere, so nothing outside of the file is ever loaded.
const schemaURL = "metapipe:///schema.json"

// Schema is a compiled JSON Schema.
type Schema struct {
	compiled *jsonschema.Schema
	doc      any // the schema itself, for suggestions
}

// Compile compiles a JSON Schema (draft 2020-12 unless it says otherwise). Name
// stands in errors. Formats are asserted. A reference that leads out of the text
// is an error: nothing is loaded, neither files nor URLs.
func Compile(name string, raw []byte) (*Schema, error) {
	if len(raw) > maxSchemaBytes {
		return nil, fmt.Errorf("schema %s: larger than %s", name, Size(maxSchemaBytes))
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.TrimPrefix(raw, byteOrderMark)))
	if err != nil {
		return nil, fmt.Errorf("schema %s: not valid JSON: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		var load *jsonschema.LoadURLError
		if errors.As(err, &load) {
			return nil, fmt.Errorf("schema %s: the reference %s leads out of the file: %w", name, load.URL, errOutside)
		}
		var invalid *jsonschema.SchemaValidationError
		if errors.As(err, &invalid) {
			return nil, fmt.Errorf("schema %s: %w", name, plainSchemaError(invalid.Err))
		}
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return &Schema{compiled: compiled, doc: doc}, nil
}

// plainSchemaError says on one line what the metaschema found first.
func plainSchemaError(err error) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	e := explainer{schema: &Schema{}, root: &Node{}}
	for _, leaf := range leaves(invalid) {
		e.explain(leaf)
	}
	if len(e.problems) == 0 {
		return err
	}
	p := e.problems[0]
	return fmt.Errorf("it is no valid JSON Schema: %s (%s)", p.Message, p.Remedy)
}

var errOutside = errors.New("copy what it names into $defs and refer to it with #/$defs/…")

type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errOutside }

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
