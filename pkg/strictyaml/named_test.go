package strictyaml

import "testing"

func TestSchemaNames(t *testing.T) {
	t.Parallel()
	const text = `{
  "$ref": "#/$defs/top",
  "$defs": {
    "top": {
      "properties": {"a": {}, "off": false, "environments": {"additionalProperties": {"$ref": "#/$defs/env"}, "properties": {"prod": {"properties": {"p": true}}}}},
      "patternProperties": {"^x_": {}, ".*": {}, "": {}},
      "allOf": [{"then": {"properties": {"b": {}}}}, {"$ref": "#/$defs/top"}],
      "oneOf": [{"anyOf": [{"properties": {"c": {}}}]}],
      "dependentSchemas": {"a": {"properties": {"d": {}}}}
    },
    "env": {"properties": {"region": {}}, "unevaluatedProperties": false}
  }
}`
	doc, err := decodeJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := &Schema{doc: doc} // not compiled: it leads back to itself
	staging, prod := []string{"environments", "staging"}, []string{"environments", "prod"}
	for _, c := range []struct {
		path []string
		key  string
		want bool
	}{
		{nil, "a", true}, {nil, "b", true}, {nil, "c", true}, {nil, "d", true}, {nil, "x_1", true},
		{nil, "off", false}, {nil, "region", false}, {nil, "other", false},
		{staging, "region", true}, {staging, "a", false}, {staging, "p", false},
		{prod, "p", true}, {prod, "region", false}, {[]string{"nowhere"}, "a", false},
	} {
		if got := s.Names(c.path, c.key); got != c.want {
			t.Errorf("%v names %q: %v", c.path, c.key, got)
		}
	}
	if s.Closed(nil) || !s.Closed(staging) || s.Closed(prod) {
		t.Errorf("closed: %v %v %v", s.Closed(nil), s.Closed(staging), s.Closed(prod))
	}
}
