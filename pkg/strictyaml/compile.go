package strictyaml

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// schemaURL is the base of references inside a schema. It can be resolved
// nowhere, so nothing outside of the file is ever loaded.
const schemaURL = "metapipe:///schema.json"

// Compile compiles a JSON Schema (draft 2020-12 unless it says otherwise). Name
// stands in errors. Formats are asserted, with
// cidr (a private network) and any-cidr beside those of the drafts. A reference that leads out of the text
// is an error: nothing is loaded, neither files nor URLs.
func Compile(name string, raw []byte) (*Schema, error) {
	at := pipeline.Position{File: name}
	if len(raw) > maxSchemaBytes {
		return nil, &SchemaError{Position: at, Message: "it is larger than " + Size(maxSchemaBytes), Remedy: "shorten it"}
	}
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, notJSON(name, raw, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	registerFormats(c)
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, &SchemaError{Position: at, Message: "it cannot be used", Err: err, Remedy: "make it a valid JSON Schema"}
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, notSchema(name, raw, err)
	}
	return &Schema{compiled: compiled, doc: doc}, nil
}

// notSchema says where and why JSON is no schema.
func notSchema(name string, raw []byte, err error) *SchemaError {
	e := &SchemaError{Position: pipeline.Position{File: name}, Message: "it is no valid JSON Schema", Err: err, Remedy: "make it a valid JSON Schema"}
	for _, p := range CheckKeywords(name, raw) {
		if !p.Warning {
			e.Position, e.Message, e.Err, e.Remedy = p.Position, p.Message, nil, p.Remedy
			return e
		}
	}
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		e.Message, e.Err, e.Remedy = fmt.Sprintf("the reference %s leads out of the file", load.URL), nil, errOutside.Error()
		return e
	}
	var invalid *jsonschema.SchemaValidationError
	var found *jsonschema.ValidationError
	if !errors.As(err, &invalid) || !errors.As(invalid.Err, &found) {
		return e
	}
	root, _ := Parse(name, raw, Options{Bytes: maxSchemaBytes, Depth: 200, Nodes: 100_000})
	if root == nil {
		root = &Node{}
	}
	x := explainer{schema: &Schema{}, file: name, root: root}
	for _, leaf := range leaves(found) {
		x.explain(leaf)
	}
	if len(x.problems) > 0 {
		p := x.problems[0]
		e.Position, e.Message, e.Err, e.Remedy = p.Position, "it is no valid JSON Schema: "+p.Message, nil, p.Remedy
	}
	return e
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errOutside }
