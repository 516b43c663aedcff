package module

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRootVariables holds that a variable which a tfvars file of the root sets is the
// provider's, as one with a default is.
func TestRootVariables(t *testing.T) {
	t.Parallel()
	const code = "variable \"account\" {}\nvariable \"owner\" {}\nvariable \"size\" {}\nvariable \"zone\" {\n  default = \"a\"\n}\n"
	for name, c := range map[string]struct {
		files map[string]string
		open  []string
	}{
		"no tfvars file":             {nil, []string{"account", "owner", "size"}},
		"terraform.tfvars":           {map[string]string{"terraform.tfvars": "account = 1\n"}, []string{"owner", "size"}},
		"an auto file":               {map[string]string{"a.auto.tfvars": "owner = \"we\"\n", "b.auto.tfvars": "size = [\n1]\n"}, []string{"account"}},
		"JSON":                       {map[string]string{"terraform.tfvars.json": `{"account": "1"}`, "x.auto.tfvars.json": `{"\u006fwner": {}}`}, []string{"size"}},
		"a file that is not loaded":  {map[string]string{"prod.tfvars": "account = 1\n", "sub/terraform.tfvars": "owner = 1\n"}, []string{"account", "owner", "size"}},
		"a file that cannot be read": {map[string]string{"terraform.tfvars": "account = \n{"}, nil},
		"JSON that cannot be read":   {map[string]string{"a.auto.tfvars.json": `{"account": `}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(file, content string) {
				path := filepath.Join(dir, "root", filepath.FromSlash(file))
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("main.tf", code)
			for file, content := range c.files {
				write(file, content)
			}
			got, err := RootVariables(dir, "root", "terraform")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{"account": false, "owner": false, "size": false, "zone": false}
			for _, open := range c.open {
				want[open] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
