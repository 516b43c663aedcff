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

// TestValidateNamesTerraformWhereItIs: the summary speaks of Terraform code only where a stack has some.
func TestValidateNamesTerraformWhereItIs(t *testing.T) {
	t.Parallel()
	const kubernetes = "{name: app, root: app, tool: kubernetes, kubernetes: {kubeconfig: CLUSTER, namespace: \"{{ customer }}-{{ environment }}\"}}"
	for stacks, want := range map[string]bool{"": true, "stacks: [" + kubernetes + "]\n": false, "stacks: [" + kubernetes + ", {name: network, root: terraform}]\n": true} {
		dir := managerTree(t)
		for file, content := range map[string]string{"metapipe.yml": "environments: [{name: staging}]\n" + stacks, "app/manifests/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
			"customer/infra/variables.yml": "environments: {staging: {}}\n"} {
			file = filepath.Join(dir, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr bytes.Buffer
		app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false")
		app.Dir = dir
		Main(t.Context(), []string{"validate", "--manager-dir", ".", "--customer-dir", "customer", "--customer", "shop"}, app)
		shown := stdout.String() + stderr.String()
		if got := strings.Contains(shown, "Terraform code"); got != want || !strings.Contains(shown, "rules between two values") {
			t.Errorf("%q: it speaks of Terraform code: %v, want %v\n%s", stacks, got, want, shown)
		}
	}
}
