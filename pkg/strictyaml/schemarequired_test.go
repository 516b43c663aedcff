package strictyaml

import (
	"slices"
	"strings"
	"testing"
)

// TestRequiredKeysThatNoFileCanHave: a required key that the schema admits nowhere is
// found with its line and the near name, at every depth, and what can be satisfied is
// left alone.
func TestRequiredKeysThatNoFileCanHave(t *testing.T) {
	t.Parallel()
	const closed = `"additionalProperties": false`
	cases := map[string]struct {
		schema string
		want   []string
	}{
		"top": {"{\"required\": [\n\"project_nam\"],\n\"properties\": {\"project_name\": {}}, " + closed + "}",
			[]string{`s.json:2:1: schema: "project_nam" is required, and line 3 does not admit it: no file can satisfy both → did you mean "project_name"?`}},
		"near name is required": {`{"required": ["name", "nam"], "properties": {"name": {}}, ` + closed + `}`,
			[]string{`s.json:1:23: schema: "nam" is required, and line 1 does not admit it: no file can satisfy both → name it in the properties beside line 1, or remove it from required`}},
		"nested": {`{"properties": {"db": {"type": "object", "required": ["sizes"], "properties": {"size": {}}, ` + closed + `}}}`,
			[]string{`s.json:1:55: schema: "sizes" is required, and line 1 does not admit it: no file can satisfy both → did you mean "size"?`}},
		"items": {`{"properties": {"rules": {"items": {"required": ["ports"], "properties": {"port": {}}, ` + closed + `}}}}`,
			[]string{`s.json:1:50: schema: "ports" is required, and line 1 does not admit it: no file can satisfy both → did you mean "port"?`}},
		"allOf": {`{"properties": {"port": {}}, ` + closed + `, "allOf": [{"required": ["ports"]}]}`,
			[]string{`s.json:1:85: schema: "ports" is required, and line 1 does not admit it: no file can satisfy both → did you mean "port"?`}},
		"reference": {`{"required": ["ports"], "$ref": "#/$defs/a~1b", "$defs": {"a/b": {"properties": {"port": {}}, ` + closed + `}}}`,
			[]string{`s.json:1:15: schema: "ports" is required, and line 1 does not admit it: no file can satisfy both → did you mean "port"?`}},
		"definition": {`{"$ref": "#/$defs/a", "$defs": {"a": {"required": ["ports"], "properties": {"port": {}}, "unevaluatedProperties": false}}}`,
			[]string{`s.json:1:52: schema: "ports" is required, and line 1 does not admit it: no file can satisfy both → did you mean "port"?`}},
		"pattern of another name": {`{"required": ["port"], "patternProperties": {"^x-": {}}, ` + closed + `}`,
			[]string{`s.json:1:15: schema: "port" is required, and line 1 does not admit it: no file can satisfy both → name it in the properties beside line 1, or remove it from required`}},
		"property is false": {`{"required": ["port"], "properties": {"port": false}, ` + closed + `}`,
			[]string{`s.json:1:15: schema: "port" is required, and line 1 does not admit it: no file can satisfy both → name it in the properties beside line 1, or remove it from required`}},
		"alternative": {`{"anyOf": [{"required": ["ports"], "properties": {"port": {}}, ` + closed + `}, {}]}`,
			[]string{`warning: s.json:1:26: schema: "ports" is required, and line 1 does not admit it: no file can satisfy both → did you mean "port"?`}},

		"pattern":     {`{"required": ["port_1"], "patternProperties": {"^port_": {}}, ` + closed + `}`, nil},
		"open":        {`{"required": ["ports"], "properties": {"port": {}}}`, nil},
		"named":       {`{"required": ["port"], "properties": {"port": {}}, ` + closed + `}`, nil},
		"no map":      {`{"type": "string", "required": ["ports"], ` + closed + `}`, nil},
		"not":         {`{"not": {"required": ["ports"], ` + closed + `}}`, nil},
		"unevaluated": {`{"required": ["port"], "allOf": [{"properties": {"port": {}}}], "unevaluatedProperties": false}`, nil},
		"a property":  {`{"properties": {"required": {"enum": ["x"]}}, ` + closed + `}`, nil},
		"circle":      {`{"$ref": "#", "required": ["a"], "properties": {"a": {}}, ` + closed + `}`, nil},
	}
	for name, c := range cases {
		var got []string
		for _, p := range CheckKeywords("s.json", []byte(c.schema)) {
			text := p.String()
			if p.Warning {
				text = "warning: " + text
			}
			got = append(got, text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestSchemaInYAML: a schema in YAML is named as such, and text that is neither keeps the
// words about JSON.
func TestSchemaInYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, want string }{
		{"schema/variables.yml", "# keys\ntype: object\nproperties: {}\n", "schema/variables.yml:2:1: schema: it is YAML, and a schema is JSON → write JSON, in a file such as schema/variables.json"},
		{"v.yaml", "---\ntype: object\n", "v.yaml:2:1: schema: it is YAML, and a schema is JSON → write JSON, in a file such as v.json"},
		{"v.json", "\xef\xbb\xbftype: object\n", "v.json:1:1: schema: it is YAML, and a schema is JSON → write JSON"},
	} {
		_, err := Compile(c.name, []byte(c.schema))
		if got := SchemaProblems(c.name, err)[0].String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for _, schema := range []string{"{\"type\": \"object\",}", "hello", "[1", "{type: object}"} {
		if _, err := Compile("s.json", []byte(schema)); err == nil || strings.Contains(err.Error(), "it is YAML") {
			t.Errorf("%s: %v", schema, err)
		}
	}
}
