package module

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVariables: declarations as the tool merges them, with their places.
func TestVariables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.tf":          "variable \"plain\" {}\n\nvariable \"set\" {\n  type    = number\n  default = 12345678901234567890\n}\n",
		"b.tf.json":     `{"variable": {"from_json": {"s\u0065nsitive": true, "default": {"a": ["x"]}}}}`,
		"c.tofu":        "variable \"tofu\" {\n  sensitive = true\n}\n",
		"a_override.tf": "variable \"set\" {\n  sensitive = true\n}\nvariable \"plain\" {\n  default = null\n}\n",
		"broken.tf":     "variable \"half\" {\n  default = \"${local.a}\"\n}\nvariable {\n",
		"other.tf":      "# a variable\nlocals { a = 1 }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]Variable{
		"plain":     {File: "a.tf", Line: 1},
		"set":       {Sensitive: true, Default: json.Number("12345678901234567890"), File: "a.tf", Line: 3},
		"from_json": {Sensitive: true, Default: map[string]any{"a": []any{"x"}}, File: "b.tf.json", Line: 1},
		"half":      {File: "broken.tf", Line: 1},
	}
	for _, tool := range []string{"terraform", "tofu"} {
		root, err := ReadRoot(dir, tool)
		if err != nil {
			t.Fatal(err)
		}
		if tool == "tofu" {
			want["tofu"] = Variable{Required: true, Sensitive: true, File: "c.tofu", Line: 1}
		}
		if diff := cmp.Diff(want, root.Variables); diff != "" {
			t.Errorf("%s: %s", tool, diff)
		}
	}
}
