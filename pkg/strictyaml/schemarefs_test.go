package strictyaml

import (
	"strings"
	"testing"
)

// TestSchemaFaultsHaveTheirLine: what a validator passes over, or reports without a
// place, is a problem of the schema file with its line.
func TestSchemaFaultsHaveTheirLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\n \"properties\": {\"a\": {\n  \"format\": \"cidrr\"}}}":                                              `s.json:3:13: schema-keyword: format "cidrr" is not known: no rule follows from it → did you mean "cidr"?`,
		"{\"format\": \"e-mail\"}":                                                                               `did you mean "email"?`,
		"{\"properties\": {\n\"a\": {\"type\": \"string\"},\n\"a\": {\"type\": \"integer\"}}}":                   `s.json:3:1: duplicate-key: the key "a" is here for the second time; the first is on line 2`,
		"{\"type\": \"object\",\n\t\"type\": \"array\"}":                                                         `s.json:2:2: duplicate-key: the key "type"`,
		"{\"$defs\": {\"zone\": {}}, \"properties\": {\n\"a\": {\"$ref\": \"#/$defs/zones\"}}}":                  `s.json:2:15: schema: the reference "#/$defs/zones" leads nowhere → did you mean "#/$defs/zone"?`,
		"{\"properties\": {\n\"a\": {\"$ref\": \"#/nothing\"}}}":                                                 `s.json:2:15: schema: the reference "#/nothing" leads nowhere`,
		"{\"properties\": {\n\"a\": {\"$ref\": \"#zone\"}}}":                                                     `s.json:2:15: schema: the reference "#zone" leads nowhere`,
		"{\"properties\": {\n\"a\": {\"$ref\": \"zones.json#/a\"}}}":                                             `s.json:2:15: schema: the reference "zones.json#/a" leads out of the file → copy what it names`,
		"{\"items\": {\n\"$ref\": \"https://example.com/schema.json\"}}":                                         `s.json:2:9: schema: the reference "https://example.com/schema.json" leads out of the file`,
		"{\"properties\": {\n\"a\": {\"pattern\": \"(?=x)\"}}}":                                                  `s.json:2:18: schema: the pattern "(?=x)" is no regular expression`,
		"{\"patternProperties\": {\n\"[\": {}}}":                                                                 `s.json:2:1: schema: the pattern "[" is no regular expression`,
		"{\"properties\": {\"$ref\": {\"type\": \"string\"}, \"format\": {\"enum\": [\"x\"]}, \"pattern\": {}}}": "",
		"{\"$defs\": {\"a\": {\"$anchor\": \"zone\"}}, \"items\": {\"$ref\": \"#zone\"}}":                        "",
		"{\"const\": {\"format\": \"x\", \"$ref\": \"y\"}, \"items\": {\"$ref\": \"#\"}}":                        "",
		"{\"format\": \"any-cidr\"}":                                                                             "", "{\"format\": \"regex\", \"$id\": \"https://example.com/s\", \"$defs\": {\"b\": {}}, \"items\": {\"$ref\": \"/s#/$defs/b\"}}": "",
	} {
		problems := CheckKeywords("s.json", []byte(text))
		_, err := Compile("s.json", []byte(text))
		if want == "" {
			if len(problems) > 0 || err != nil {
				t.Errorf("%s: %v, %v", text, problems, err)
			}
			continue
		}
		if len(problems) == 0 || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", text, problems, want)
		}
		if err != nil && SchemaProblems("s.json", err)[0].Line == 0 {
			t.Errorf("%s: no line in %v", text, err)
		}
	}
	if p := CheckKeywords("s.json", []byte(`{"format": "license-plate"}`)); len(p) != 1 || !p[0].Warning {
		t.Errorf("a format of somebody else is a warning: %v", p)
	}
}
