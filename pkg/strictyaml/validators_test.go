package strictyaml

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	newer "github.com/santhosh-tekuri/jsonschema/v6"
)

// FuzzValidatorsAgree compares the verdict on a value with that of another validator. The schema is what
// guards variables.yml, so no value may pass in one of them alone.
func FuzzValidatorsAgree(f *testing.F) {
	for _, schema := range agreedSchemas {
		for _, value := range agreedValues {
			f.Add([]byte(schema), []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, schema, value []byte) {
		own, err := Compile("s.json", schema)
		instance, err2 := decodeJSON(value)
		if err != nil || err2 != nil || hasExponent(instance) || hasExponent(own.doc) {
			return // a file has no exponents when it comes to its schema
		}
		other, err := compileNewer(schema)
		if err != nil {
			return
		}
		found, err := own.violations(instance)
		if err != nil {
			return // Validate reports it
		}
		if accepted := other.Validate(instance) == nil; (len(found) == 0) != accepted {
			t.Fatalf("%s\nwith %s: accepted is %v here and %v there\n%+v", value, schema, len(found) == 0, accepted, found)
		}
		root, _ := Parse("f", value, options)
		if root == nil {
			return
		}
		for _, p := range own.Validate("f", root) {
			if p.Message == "" || p.Remedy == "" || p.File != "f" {
				t.Errorf("%s with %s: %+v", value, schema, p)
			}
		}
	})
}

func compileNewer(raw []byte) (*newer.Schema, error) {
	doc, err := newer.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := newer.NewCompiler()
	c.DefaultDraft(newer.Draft2020)
	c.AssertFormat()
	for _, name := range []string{formatCIDR, formatAnyCIDR} {
		c.RegisterFormat(&newer.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return checkCIDR(s, name == formatCIDR)
			}
			return nil
		}})
	}
	c.UseLoader(newer.SchemeURLLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

func hasExponent(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return strings.ContainsAny(string(v), "eE")
	case []any:
		for _, item := range v {
			if hasExponent(item) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if hasExponent(item) {
				return true
			}
		}
	}
	return false
}

var agreedSchemas = []string{
	`true`, `false`, `{}`,
	`{"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 5}, "b": {"enum": ["x", null, 1.0]}}, "additionalProperties": false}`,
	`{"properties": {"a": false, "required": {"type": ["string", "null"]}}, "patternProperties": {"^x": {"type": "number"}}, "additionalProperties": {"type": "boolean"}}`,
	`{"propertyNames": {"pattern": "^[a-z]+$", "maxLength": 3}, "minProperties": 1, "maxProperties": 2}`,
	`{"propertyNames": {"$ref": "#/$defs/n"}, "$defs": {"n": {"enum": ["a", "b"]}}}`,
	`{"dependentRequired": {"a": ["b", "c"]}, "dependentSchemas": {"x": {"required": ["y"]}}}`,
	`{"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "string"}}}], "unevaluatedProperties": false}`,
	`{"anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object", "required": ["a"]}]}`,
	`{"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"type": "array"}]}`,
	`{"not": {"required": ["a"]}}`,
	`{"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}`,
	`{"items": {"type": "string", "format": "cidr"}, "minItems": 1, "maxItems": 2, "uniqueItems": true}`,
	`{"prefixItems": [{"type": "string"}, {"type": "number"}], "items": false}`,
	`{"contains": {"type": "number"}, "minContains": 2, "maxContains": 3}`, `{"contains": {"const": "x"}}`,
	`{"additionalProperties": {"additionalProperties": {"format": "any-cidr"}}}`,
	`{"properties": {"a": {"format": "email"}, "b": {"format": "uri"}, "c": {"format": "date-time"}, "d": {"format": "ipv4"}, "e": {"format": "hostname"}, "f": {"format": "uuid"}}}`,
	`{"properties": {"a": {"format": "duration"}, "b": {"format": "ipv6"}, "c": {"format": "date"}, "d": {"format": "time"}, "e": {"format": "regex"}, "f": {"format": "json-pointer"}}}`,
	`{"properties": {"a": {"multipleOf": 0.1, "exclusiveMinimum": 0, "exclusiveMaximum": 3}}}`,
	`{"properties": {"a~/b%": {"minLength": 2, "maxLength": 3, "pattern": "^.$"}}}`,
	`{"$ref": "#/$defs/tree", "$defs": {"tree": {"properties": {"a": {"$ref": "#/$defs/tree"}, "b": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["c"]}}}`,
	`{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}], "additionalItems": false, "dependencies": {"a": ["b"], "b": {"required": ["c"]}}, "properties": {"a": {"const": {"x": [1]}}}}`,
	`{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"minimum": 3, "exclusiveMinimum": true}, "b": {"maximum": 3, "exclusiveMaximum": true}}}`,
	`{"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true, "properties": {"a": {"$recursiveRef": "#"}}, "unevaluatedProperties": false}`,
	`{"$dynamicAnchor": "n", "properties": {"a": {"$dynamicRef": "#n"}}, "unevaluatedItems": false, "prefixItems": [true]}`,
}

var agreedValues = []string{
	`null`, `true`, `3`, `"x"`, `[]`, `{}`, `{"a": 1}`, `{"a": 9, "b": "x"}`, `{"a": 1.0, "b": 1}`, `{"a": "s", "b": null, "c": {}}`, `{"x1": 2, "x2": "t", "required": 4, "y": true}`,
	`{"A": 1, "abcd": 2, "b": 3}`, `["a", 2, 3, 4]`, `["10.0.0.0/16", "10.0.0.0/16", "8.8.8.0/24"]`, `[1, 1.0, "x"]`, `{"q": {"r": "8.8.8.0/24", "s": "8.8.8.8/24"}}`,
	`{"a": "a@b.c", "b": "https://e.x/y", "c": "2026-11-02T10:00:00Z", "d": "1.2.3.4", "e": "host.name", "f": "3b241101-e2bb-4255-8caf-4136c566a962"}`,
	`{"a": "a b@c", "b": "not a uri", "c": "2026-13-02T10:00:00Z", "d": "1.2.3.04", "e": "-host-", "f": "3b241101"}`,
	`{"a": "P1Y2M", "b": "fd00::1", "c": "2026-02-30", "d": "10:00:00+02:00", "e": "^(a", "f": "/a~2"}`,
	`{"a": 0.3}`, `{"a": 3}`, `{"a~/b%": "xyzt"}`, `{"a": {"a": {"c": 1}, "b": [{"c": 1}, {}]}, "c": 2}`, `{"a": {"x": [1.0]}, "b": 3}`, `{"a": {"a": {"z": 1}}}`,
}
