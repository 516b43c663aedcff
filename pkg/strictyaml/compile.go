package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

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
	doc, err := decodeJSON(raw)
	if err != nil {
		return nil, notJSON(name, raw, err)
	}
	c := jsonschema.NewCompiler()
	c.Draft, c.AssertFormat = jsonschema.Draft2020, true
	registerFormats(c)
	c.LoadURL = func(url string) (io.ReadCloser, error) { return nil, outsideError(url) }
	if err := c.AddResource(schemaURL, bytes.NewReader(raw)); err != nil {
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
	var outside outsideError
	if errors.As(err, &outside) {
		e.Message, e.Err, e.Remedy = fmt.Sprintf("the reference %s leads out of the file", string(outside)), nil, errOutside.Error()
		return e
	}
	var loop jsonschema.InfiniteLoopError
	if errors.As(err, &loop) {
		e.Message, e.Err, e.Remedy = "a reference leads back to the part that it stands in, for the same value", nil, "refer to the part below a key or an item: through properties or items"
		e.Position = loopPlace(name, raw, string(loop))
		return e
	}
	var invalid *jsonschema.SchemaError
	var found *jsonschema.ValidationError
	if !errors.As(err, &invalid) || !errors.As(invalid.Err, &found) {
		return e
	}
	root, _ := parseSchema(name, raw)
	if root == nil {
		root = &Node{}
	}
	draft := &Schema{} // what it says is not at hand
	x := explainer{schema: draft, file: name, root: root}
	for _, leaf := range leaves(draft.violation(found, root.Any())) {
		x.explain(leaf)
	}
	if len(x.problems) > 0 {
		p := x.problems[0]
		e.Position, e.Message, e.Err, e.Remedy = p.Position, "it is no valid JSON Schema: "+p.Message, nil, p.Remedy
	}
	return e
}

// loopPlace finds the part of the schema in which a loop begins: the validator names it, and then the way.
func loopPlace(name string, raw []byte, way string) pipeline.Position {
	var at pipeline.Position
	if root, _ := parseSchema(name, raw); root != nil {
		_, pointer, _ := strings.Cut(way, "#")
		at, _ = root.Locate(pointerSteps(pointer)...)
	}
	at.File = name
	return at
}

// outsideError is the URL of a reference that leads out of the file.
type outsideError string

func (e outsideError) Error() string { return "the reference " + string(e) + " leads out of the file" }

// decodeJSON reads one JSON value, with its numbers as they are written.
func decodeJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the JSON value")
	}
	return doc, nil
}
