package variables_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

const closedSchema = `{"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
	"name": {"type": "string"},
	"net": {"type": "object", "additionalProperties": false, "properties": {"cidr": {"type": "string"}, "dns": {"type": "object", "properties": {"zone": {"type": "string"}}}}},
	"labels": {"type": "object", "additionalProperties": {"type": "string"}},
	"environments": {"type": "object", "additionalProperties": {"$ref": "#/$defs/environment"}}}, "$defs": {
	"environment": {"type": "object", "additionalProperties": false, "required": ["region"], "properties": {"region": {"type": "string"}, "size": {"type": "integer"},
		"disk": {"type": "object", "additionalProperties": false, "properties": {"gib": {"type": "integer"}}}}}}}`

// TestLevels moves lines of a sound file to other levels: one problem each names the
// lines, and by how much they are off.
func TestLevels(t *testing.T) {
	t.Parallel()
	schema, err := variables.Compile("s.json", []byte(closedSchema))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"name: a\nenvironments:\n  qa:\n    region: x\n    live:\n      region: q\n      size: 2\n":          `v:5:5: indentation: "live" has the settings of an environment and stands inside of "qa" → move lines 5–7 left by 2 spaces: "live" is an environment`,
		"name: a\nenvironments:\n  qa: {region: x, live: {region: q}}\n":                                     `v:3:19: indentation: "live" has the settings of an environment and stands inside of "qa" → move line 3 out of the map that holds it: "live" is an environment`,
		"name: a\nenvironments:\n  qa:\n    region: x\n    net:\n      cidr: q\n":                            `v:5:5: indentation: "net" is a key of the top level and stands inside of "qa" → move lines 5–6 left by 4 spaces: they belong to the top level`,
		"name: a\nenvironments:\n  qa:\n    region: x\n  net:\n    cidr: q\n":                                `v:5:3: indentation: "net" is a key of the top level and stands among the environments → move lines 5–6 left by 2 spaces: they belong to the top level`,
		"environments:\n    name: a\n    qa:\n      region: x\n":                                             `v:2:5: indentation: "name" is a key of the top level and stands among the environments → move line 2 left by 4 spaces: it belongs to the top level`,
		"name: a\nnet:\ncidr: q\nenvironments:\n  qa: {region: x}\n":                                         `v:2:1: indentation: "net" has no value, where a map is expected, and the keys below it stand at its own level → indent line 3: it belongs to "net"`,
		"name: a\nenvironments:\n  qa: {region: x}\nlabels:\nteam: q\ncost: z\n":                             `v:4:1: indentation: "labels" has no value, where a map is expected, and the keys below it stand at its own level → indent lines 5–6: they belong to "labels"`,
		"name: a\nnet:\n  dns:\n  zone: q\nenvironments:\n  qa: {region: x}\n":                               `v:3:3: indentation: "dns" has no value, where a map is expected, and the keys below it stand at its own level → indent line 4: it belongs to "dns"`,
		"name: a\nenvironments:\n  qa:\n    region: x\n    disk:\n    gib: 3\n    size: 1\n":                 `v:5:5: indentation: "disk" has no value, where a map is expected, and the keys below it stand at its own level → indent line 6: it belongs to "disk"`,
		"name: a\nenvironments:\n  qa:\n    region: x\n    labels:\n      team: q\n  live:\n    region: z\n": `v:5:5: indentation: "labels" is a key of the top level and stands inside of "qa" → move lines 5–6 left by 4 spaces: they belong to the top level`,
		"name: a\nnet:\nenvironments:\n  qa: {region: x}\n":                                                  `v:2:1: schema-type: net has no value, where a map is expected → write a value: a map`,
		"name: a\nenvironments:\n  qa:\n    region: x\n    other:\n      team: q\n":                          `v:5:5: schema-unknown-key: the key "other" is not known in environments.qa → remove it; known are: disk, region, size`,
		"name: a\nlabels:\n\nenvironments:\n  qa: {region: x}\nnet: {cidr: q}\n":                             `v:2:1: schema-type: labels has no value, where a map is expected → write a value: a map`,
		"name: a\nenvironments:\n  net: {region: x}\n":                                                       "",
		"name: a\nenvironments:\n  qa:\n    region: x\nlabels:\n  live: x\n  region: q\n":                    "",
	} {
		_, problems := variables.Parse("v", []byte(text), pipeline.Limits{}, schema)
		var lines []string
		for _, p := range problems {
			lines = append(lines, p.String())
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// Where the schema is open, keys of the top level may be overlaid in an environment.
func TestLevelsOfAnOpenSchema(t *testing.T) {
	t.Parallel()
	schema, err := variables.Compile("s.json", []byte(`{"properties": {"name": {"type": "string"}, "environments": {"additionalProperties": {"type": "object", "properties": {"region": {}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*variables.Schema{schema, nil} {
		if _, problems := variables.Parse("v", []byte("name: a\nenvironments:\n  qa:\n    region: x\n    name: b\n    db:\n      region: q\n"), pipeline.Limits{}, s); len(problems) > 0 {
			t.Error(problems)
		}
	}
}

// TestAllProblemsAtOnce: what is missing at a place hides nothing that is wrong there.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	schema, err := variables.Compile("s.json", []byte(closedSchema))
	if err != nil {
		t.Fatal(err)
	}
	for text, rules := range map[string][]string{
		"bogus: 1\n":                      {`lacks the key "environments"`, `lacks the key "name"`, `"bogus" is not known`},
		"name: 1\n":                       {`lacks the key "environments"`, "name is 1"},
		"name:\n":                         {`lacks the key "environments"`, "name has no value"},
		"export name: 1\nother: 2\n":      {`lacks the key "environments"`, `"export name"`, `"other" is not known`},
		"environments: {qa: {x: 1}}\n":    {`lacks the key "name"`, `lacks the key "region"`, `"x" is not known`},
		"environments: {qa: {size: a}}\n": {`lacks the key "name"`, `lacks the key "region"`, "size is \"a\""},
	} {
		_, problems := variables.Parse("v", []byte(text), pipeline.Limits{}, schema)
		for _, want := range rules {
			if !strings.Contains(problems.Error(), want) {
				t.Errorf("%q: %q is missing in\n%v", text, want, problems)
			}
		}
	}
}
