package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestValidateUnknownCustomerVariables: a name in customer_variables that no root module
// declares is a warning at its line, and none where a root module cannot be read.
func TestValidateUnknownCustomerVariables(t *testing.T) {
	t.Parallel()
	const code = "variable \"region\" {\n  default = \"eu\"\n}\n"
	cases := map[string]struct{ names, code, want string }{
		"near":       {"[\"config\", region_x]", code, `metapipe.yml:2:32  warning  customer_variables names "region_x", and no root module declares that variable (terraform)`},
		"list":       {"\n  - region\n  - sizes", code, "metapipe.yml:4:5"},
		"declared":   {"[region]", code, ""},
		"all":        {"[\"*\"]", code, ""},
		"unreadable": {"[region_x]", "variable {", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := managerTree(t)
			for file, content := range map[string]string{"metapipe.yml": "environments: [{name: staging}]\ncustomer_variables: " + c.names + "\n", "terraform/main.tf": c.code} {
				if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr bytes.Buffer
			app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false")
			app.Dir = dir
			Main(t.Context(), []string{"validate"}, app)
			shown := stdout.String() + stderr.String()
			if found := strings.Contains(shown, "no root module declares"); found != (c.want != "") || !strings.Contains(shown, c.want) {
				t.Errorf("found %v:\n%s", found, shown)
			}
			if name == "near" && !strings.Contains(shown, `did you mean "region"?`) {
				t.Errorf("no near name:\n%s", shown)
			}
		})
	}
}
