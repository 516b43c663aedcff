package module

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

func TestReadRoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tool      string
		files     map[string]string
		variables []string
		ephemeral []string
		cloud     bool
	}{
		"in a file of their own": {
			files:     map[string]string{"variables.tf": "variable \"a\" {}\nvariable \"b\" {\n  default = 1\n}\n", "main.tf": "locals {\n  x = 1\n}\n"},
			variables: []string{"a", "b"},
		},
		"among other things, oddly spelled": {
			files: map[string]string{
				"main.tf":       "locals { x = 1 }\n\tvariable/* c */\"a\" {}\n",
				"bom.tf":        "\ufeffvariable \"b\" {}\n",
				"word.tf":       "# a variable that is none\n",
				"x.tf.json":     `{"\u0076ariable": {"c": {}}}`,
				"x_override.tf": "variable \"a\" {\n  default = 2\n}\n",
			},
			variables: []string{"a", "b", "c"},
		},
		"none": {files: map[string]string{"main.tf": "locals {}\n", "-not-read.txt": "variable \"a\" {}"}},
		"ephemeral and cloud": {
			files: map[string]string{
				"a.tf": "variable \"a\" {\n  ephemeral = true\n}\nterraform {\n  cloud {}\n}\n",
			},
			variables: []string{"a"}, ephemeral: []string{"a"}, cloud: true,
		},
		"cloud in JSON, hidden": {
			files: map[string]string{"a.tf.json": `{"terraform": {"\u0063loud": {}}}`}, cloud: true,
		},
		"files of OpenTofu": {
			tool:      "tofu",
			files:     map[string]string{"a.tofu": "variable \"a\" {}\n", "a.tf": "variable \"shadowed\" {}\n", "b.tofu.json": `{"variable": {"b": {}}}`, "c.tf": "variable \"c\" {}\n"},
			variables: []string{"a", "b", "c"},
		},
		"files of OpenTofu and the other tool": {
			files:     map[string]string{"a.tofu": "variable \"a\" {}\n", "a.tf": "variable \"seen\" {}\n"},
			variables: []string{"seen"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range c.files {
				terraformtest.WriteFile(t, filepath.Join(dir, file), content)
			}
			tool := c.tool
			if tool == "" {
				tool = "terraform"
			}
			root, err := ReadRoot(dir, tool)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.variables, slices.Sorted(maps.Keys(root.Variables))); diff != "" {
				t.Errorf("variables: %s", diff)
			}
			if diff := cmp.Diff(c.ephemeral, root.Ephemeral); diff != "" || c.cloud != (root.Refusal("terraform") != nil) {
				t.Errorf("ephemeral: %s, state: %v", diff, root.state)
			}
		})
	}
	if _, err := ReadRoot(t.TempDir(), "terraform"); err == nil {
		t.Error("an empty directory is no root")
	}
}
