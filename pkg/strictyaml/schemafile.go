package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules of schema files.
const (
	RuleSchemaFile    = "schema"
	RuleSchemaKeyword = "schema-keyword"
)

// SchemaError is what is wrong with a schema file itself, with its place as far as
// it is known.
type SchemaError struct {
	pipeline.Position
	Message string
	Remedy  string
	Err     error // may be nil
}

func (e *SchemaError) Error() string {
	text := fmt.Sprintf("schema %s: %s", e.Position, e.Message)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *SchemaError) Unwrap() error { return e.Err }

// Problem is the error as one line for people.
func (e *SchemaError) Problem() pipeline.Problem {
	message := e.Message
	if e.Err != nil {
		message += ": " + e.Err.Error()
	}
	return pipeline.Problem{Position: e.Position, Rule: RuleSchemaFile, Message: message, Remedy: e.Remedy}
}

// SchemaProblems turns an error of Compile into problems of the file name.
func SchemaProblems(name string, err error) pipeline.Problems {
	var e *SchemaError
	if !errors.As(err, &e) {
		e = &SchemaError{Position: pipeline.Position{File: name}, Message: err.Error(), Remedy: "make it a valid JSON Schema"}
	}
	return pipeline.Problems{e.Problem()}
}

// parseSchema reads a schema file with the places of its parts; nil: it cannot be read.
func parseSchema(name string, raw []byte) (*Node, pipeline.Problems) {
	return Parse(name, raw, Options{Bytes: maxSchemaBytes, Depth: 200, Nodes: 100_000})
}

// notJSON finds the place where a text stops being JSON. raw is at most maxSchemaBytes.
func notJSON(name string, raw []byte, err error) *SchemaError {
	e := &SchemaError{
		Position: pipeline.Position{File: name},
		Message:  "it is not valid JSON",
		Remedy:   "write plain JSON: keys and texts in double quotes, no comments, no comma behind the last item",
		Err:      err,
	}
	root, _ := parseSchema(name, raw)
	if braced := bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")); root != nil && root.Kind == Object && !braced {
		e.Message, e.Remedy, e.Err = "it is YAML, and a schema is JSON", "write JSON", nil
		if ext := path.Ext(name); ext == ".yml" || ext == ".yaml" {
			e.Remedy += ", in a file such as " + strings.TrimSuffix(name, ext) + ".json"
		}
		e.Position.Line, e.Position.Column = root.Line, root.Column
		return e
	}
	var syntax *json.SyntaxError
	var value any
	if plain := json.Unmarshal(raw, &value); errors.As(plain, &syntax) {
		e.Err = syntax
		e.Position.Line, e.Position.Column = placeOf(raw, int(syntax.Offset))
	}
	return e
}

// placeOf turns the number of bytes read into the line and column of the last one,
// both from 1. Columns count bytes.
func placeOf(raw []byte, read int) (line, column int) {
	before := raw[:min(max(read-1, 0), len(raw))]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
}

// The keywords of JSON Schema, draft 2020-12 and those before it. Source:
// https://json-schema.org/draft/2020-12/schema and the vocabularies that it names.
var (
	// one schema as value
	schemaKeywords = []string{"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
	// a list of schemas
	schemaListKeywords = []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"}
	// a map of schemas by names that are no keywords
	schemaMapKeywords = []string{"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
	// a rule without schemas in it
	ruleKeywords = []string{"$ref", "$dynamicRef", "$recursiveRef", "const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength",
		"maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "pattern", "required", "type", "uniqueItems"}
	// no rule at all
	remarkKeywords = []string{"$anchor", "$comment", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary", "contentEncoding", "contentMediaType", "default", "deprecated", "description",
		"examples", "readOnly", "title", "writeOnly"}
)

// CheckKeywords finds keys and formats of a schema that no JSON Schema knows. A validator
// passes over them, so the rule that was meant never holds: one that is nearly the keyword
// of a rule is an error, any other key a warning. Keys that begin with x- are left
// alone. Keys that are there twice, and references and patterns that cannot be read,
// are errors, and so are required keys that the schema admits nowhere. raw is JSON, whether Compile has accepted it or not.
func CheckKeywords(name string, raw []byte) pipeline.Problems {
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	root, problems := parseSchema(name, raw)
	if root == nil {
		return nil
	}
	doc, err := decodeJSON(raw)
	if err != nil {
		return nil // Compile has the words for it
	}
	k := keywordCheck{
		file: name, schemaOf: &Schema{doc: doc}, root: root,
		anchors: make(map[string]bool), impossible: make(map[pipeline.Position]bool),
		known: slices.Concat(schemaKeywords, schemaListKeywords, schemaMapKeywords, ruleKeywords, remarkKeywords),
	}
	k.duplicates(problems)
	k.anchorsOf(root)
	k.schema(root)
	k.requirements(root, false)
	return Limit(k.problems)
}

type keywordCheck struct {
	file     string
	known    []string
	problems pipeline.Problems
	schemaOf *Schema         // not compiled
	anchors  map[string]bool // that the schema defines
	named    bool            // the schema has an $id
	root     *Node
	// impossible are the places of required keys that were reported.
	impossible map[pipeline.Position]bool
}

func (k *keywordCheck) schema(n *Node) {
	if n.Kind != Object {
		return
	}
	for _, e := range n.Entries {
		switch {
		case slices.Contains(schemaMapKeywords, e.Key) && e.Value.Kind == Object:
			for _, named := range e.Value.Entries {
				if e.Key == "patternProperties" {
					k.pattern(named.KeyPlace(), named.Key)
				}
				k.schema(named.Value)
			}
		case slices.Contains(schemaListKeywords, e.Key) && e.Value.Kind == Array:
			for _, item := range e.Value.Items {
				k.schema(item)
			}
		case slices.Contains(schemaKeywords, e.Key):
			k.schema(e.Value)
		case slices.Contains(ruleKeywords, e.Key):
			k.rule(e)
		case !slices.Contains(k.known, e.Key) && !strings.HasPrefix(e.Key, "x-"):
			k.unknown(e)
		}
	}
}

func (k *keywordCheck) unknown(e Entry) {
	p := pipeline.Problem{Position: e.KeyPlace(), Rule: RuleSchemaKeyword, Message: fmt.Sprintf("%q is no keyword of JSON Schema: no rule follows from it", Short(e.Key)),
		Remedy: "remove it, or begin it with x- if it is a note", Warning: true}
	p.File = k.file
	if like := pipeline.Nearest(e.Key, k.known); len(like) > 4 { // a note is no "not"
		p.Remedy = fmt.Sprintf("did you mean %q?", like)
		p.Warning = slices.Contains(remarkKeywords, like)
	}
	k.problems = append(k.problems, p)
}

var errOutside = errors.New("copy what it names into $defs and refer to it with #/$defs/…")
