package strictyaml

import (
	"strings"
	"testing"
)

var options = Options{Bytes: 1 << 20, Depth: 16, Nodes: 1000, Example: "a: 1"}

func TestCanonicalNumbersKeepEveryDigit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.0": "0", "+7": "7", "1.50": "1.5", "100": "100", "1.": "1", ".25": "0.25", "-.5": "-0.5",
		"1e3": "1000", "1.25e1": "12.5", "12e-4": "0.0012", "0e99": "0", "5E+0": "5",
		"123456789012345678901234567890.123456789": "123456789012345678901234567890.123456789",
	} {
		if got, ok := canonical(in); !ok || got != want {
			t.Errorf("%s became %q (%v), want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"1e100", "1e-100", "1e999999999999999999999", strings.Repeat("9", 101), "x", ""} {
		if got, ok := canonical(in); ok {
			t.Errorf("%q was accepted as %s", in, got)
		}
	}
}

// TestValidateSpeaksPlainly checks one kind of rule each: the value, the schema,
// and the first problem.
func TestValidateSpeaksPlainly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, schema, want string }{
		{"{}", `{"required": ["b"], "properties": {"b": {"description": "the size"}}}`, `1:1: schema-required: a lacks the key "b" → add "b:" to a (the size)`},
		{"{x: 1}", `{"dependentRequired": {"x": ["y"]}}`, `1:1: schema-required: a lacks the key "y" → add "y:" to a`},
		{"{x: 1}", `{"additionalProperties": false, "properties": {"b": true}}`, `1:5: schema-unknown-key: the key "x" is not known in a → remove it; known are: b`},
		{"{X: 1}", `{"propertyNames": {"pattern": "^[a-z]$"}}`, `1:8: schema-key: the key "X" is not allowed in a → rename it`},
		{"3", `{"const": 4}`, `1:4: schema-const: a is 3 → it must be 4`},
		{"3", `{"exclusiveMaximum": 3}`, `1:4: schema-maximum: a is 3 → it must be less than 3`},
		{"0.1", `{"minimum": 0.25}`, `1:4: schema-minimum: a is 0.1 → it must be at least 0.25`},
		{"3", `{"multipleOf": 2}`, `1:4: schema-multiple-of: a is 3 → it must be a multiple of 2`},
		{"[1, [2, 3]]", `{"items": {"type": "integer"}}`, `1:8: schema-type: a[1] is a list, where a whole number is expected → write a whole number`},
		{"{}", `{"minProperties": 2}`, `1:1: schema-keys: a has 0 keys → at least 2 are allowed`},
		{"3", `false`, `1:4: schema-not-allowed: a is not allowed here → remove it`},
		{"3", `{"not": {"type": "integer"}}`, `1:4: schema-rule: a is what the rule "not" excludes → write another value: it must not be a whole number`},
		{"b c", `{"pattern": "^x$"}`, `1:4: schema-pattern: a is "b c", which does not have the expected form → it must match ^x$`},
		{"300.0.0.1", `{"format": "ipv4"}`, `1:4: schema-format: a is "300.0.0.1", which is not a valid ipv4 → write a valid ipv4`},
		{"true", `{"type": ["string", "null"]}`, `1:4: schema-type: a is true, true or false, where nothing (null) or text is expected → write nothing (null) or text: put the value in quotes`},
		{"3", `{"oneOf": [{"minimum": 1}, {"minimum": 2}]}`, `1:4: schema-rule: a has several of the forms of which the rule "oneOf" allows one → write exactly one form; it must be at least 1, or be at least 2`},
		{"x", `{"anyOf": [{"pattern": "^a"}, {"enum": ["b", "c"]}]}`, `1:4: schema-rule: a has none of the forms that the rule "anyOf" allows → it must match ^a, or be one of "b", "c"`},
		{"x", `{"description": "ask for a", "oneOf": [{"pattern": "^a"}, {"const": "c"}]}`, `1:4: schema-rule: a has none of the forms that the rule "oneOf" allows → ask for a`},
		{"[x]", `{"contains": {"const": "y"}}`, `1:1: schema-rule: a has no item that the rule "contains" asks for → add an item: it must be "y"`},
		{"[x, z]", `{"contains": {"const": "x"}, "minContains": 2}`, `1:1: schema-rule: a has 1 of the 2 items that the rule "contains" asks for → add an item: it must be "x"`},
		{"[x, x]", `{"contains": {"const": "x"}, "maxContains": 1}`, `1:1: schema-rule: a has 2 items of the form of the rule "contains", which allows 1 → remove an item; the form is to be "x"`},
		{"{b: 1}", `{"not": {"required": ["b"]}}`, `1:1: schema-rule: a is what the rule "not" excludes → write another value: it must not have the keys "b"`},
		{"{b: 1}", `{"dependentSchemas": {"b": {"required": ["c"]}}}`, `1:1: schema-required: a lacks the key "c" → add "c:" to a`},
		{"3", `{"if": {"type": "integer"}, "then": {"maximum": 2}}`, `1:4: schema-maximum: a is 3 → it must be at most 2`},
	} {
		schema, err := Compile("s.json", []byte(`{"properties": {"a": `+c.schema+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		root, problems := Parse("f", []byte("a: "+c.value+"\n"), options)
		if root == nil {
			t.Fatal(problems)
		}
		found := schema.Validate("f", root)
		if len(found) != 1 {
			t.Errorf("%s with %s: %d problems: %v", c.value, c.schema, len(found), found)
			continue
		}
		if got := strings.TrimPrefix(found[0].String(), "f:"); got != c.want {
			t.Errorf("%s with %s:\n got %s\nwant %s", c.value, c.schema, got, c.want)
		}
	}
}

func TestCompileLoadsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"$ref": "https://example.com/s.json"}`, `{"$ref": "other.json"}`, `{"$ref": "file:///etc/passwd"}`,
		`{"$schema": "https://example.com/meta.json"}`, `{"type": "objekt"}`, `{"pattern": "("}`, `{`, ``, `[]`, `{} {}`,
		`{"$ref": "#/$defs/none"}`, "{\"a\": \"" + strings.Repeat("x", maxSchemaBytes) + "\"}",
	} {
		if _, err := Compile("s.json", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "schema s.json:") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	for _, text := range []string{
		`true`, `{"$id": "https://example.com/s.json", "$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}}`,
		`{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}`,
	} {
		if _, err := Compile("s.json", []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestProblemsAreLimited(t *testing.T) {
	t.Parallel()
	root, problems := Parse("f", []byte(strings.Repeat("a: 1\n", 400)), options)
	if root == nil || len(problems) != maxProblems {
		t.Fatalf("%d problems", len(problems))
	}
	if last := problems[maxProblems-1]; last.Rule != RuleMoreProblems || !strings.HasPrefix(last.Message, "300 more") {
		t.Errorf("the last is %v", last)
	}
}
