package variables

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestFirstOfHostileExamples: whatever stands in the examples, defaults and enumerations of a schema, the first file
// is one that the same schema accepts, or it says that keys are missing.
func TestFirstOfHostileExamples(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{{ environment }}", "{{ x }}", "{{", "${{ secrets.MANAGER_REPO_PAT }}", "${env:HOME}", "!!python/object/apply:os.system [id]", "!secret x", "&a *a", "*a", "- x: y", "? x", "key: |\n  x",
		"a\u202eb", "\ufeffx", "a\u0085b", "a\u2028b", "a\u200bb", "a\x00b", "\a", "x\r\ny", "<script>&", "yes", "0o17", "2024-01-01", "1_000", "~", "", " ", " lead", "trail ", "# c", "a #c", "---\nq: 1", "...", "%YAML 1.1",
		"\U0001F600", "\t", "\ttab", "`", "@x", "\\", "\"", "'", "https://example.com/?a=b#c", strings.Repeat("é", 1000), strings.Repeat("x", 300<<10), "environments: {}",
	} {
		for _, keyword := range []string{"examples", "default", "enum", "const"} {
			var value any = text
			if keyword == "examples" || keyword == "enum" {
				value = []string{text}
			}
			for _, part := range []string{"key", "environment"} {
				one := map[string]any{"type": "string", keyword: value}
				shape := map[string]any{"type": "object", "required": []string{"environments"}, "properties": map[string]any{"environments": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "object"}}}}
				if part == "key" {
					shape["required"], shape["properties"].(map[string]any)["a"] = []string{"environments", "a"}, one
				} else {
					shape["properties"].(map[string]any)["environments"].(map[string]any)["additionalProperties"] = map[string]any{"type": "object", "required": []string{"a"}, "properties": map[string]any{"a": one}}
				}
				raw, err := json.Marshal(shape)
				if err != nil {
					t.Fatal(err)
				}
				schema, err := Compile("schema.json", raw)
				if err != nil {
					continue
				}
				environments := []pipeline.Environment{"staging", "production"}
				first, err := First(schema, environments)
				if err != nil {
					t.Errorf("%s of a %s, %.40q: %v", keyword, part, text, err)
					continue
				}
				if _, problems := ParseFor("variables.yml", first, pipeline.Limits{}, schema, environments); problems.Err() != nil && !strings.Contains(string(first), "asks for more keys") {
					t.Errorf("%s of a %s, %.40q: %.300v\n%.600s", keyword, part, text, problems.Err(), first)
				}
			}
		}
	}
}
