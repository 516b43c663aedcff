package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestValidateUnreadIsNotMissing: validate says nothing about what a file lacks that it
// could not read.
func TestValidateUnreadIsNotMissing(t *testing.T) {
	t.Parallel()
	const good = "schema: schema.json\nenvironments: [{name: dev}]\n"
	cases := map[string]struct{ manager, customer string }{
		"version":    {"tool: {version: >= 1.5}\n" + good, "shop.yml"},
		"tab":        {good + "tool:\n\tname: tofu\n", "shop.yml"},
		"schema":     {"schema: [schema.json]\nenvironments: [{name: dev}]\n", "shop.yml"},
		"yaml":       {good, "shop.yaml"},
		"upper case": {good, "Shop_One.yml"},
		"both":       {"tool: {version: >= 1.5}\n" + good, "shop.yaml"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manager, customer := t.TempDir(), t.TempDir()
			for file, content := range map[string]string{
				manager + "/metapipe.yml":            c.manager,
				manager + "/schema.json":             "{}",
				manager + "/customers/" + c.customer: "repository: acme/shop\nrepository_id: 1\nroot: live\nenvironments: [dev]\n",
				manager + "/live/main.tf":            "",
				customer + "/infra/variables.yml":    "environments: {dev: {}}\n",
			} {
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"validate"}, {"validate", "--customer-dir", customer}, {"validate", "--customer", "shop"}} {
				var stdout, stderr bytes.Buffer
				app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false")
				app.Dir = manager
				code := Main(t.Context(), args, app)
				shown := stdout.String() + stderr.String()
				if code != ExitFindings && (code != ExitUsage || len(args) < 3) {
					t.Errorf("%v: exit code %d:\n%s", args, code, shown)
				}
				for _, claim := range []string{"a schema of variables.yml", "a customer in customers/", "Terraform code in", "register one", "none is registered", "2 environments", "does not declare", "unknown-environment"} {
					if strings.Contains(shown, claim) {
						t.Errorf("%v claims %q:\n%s", args, claim, shown)
					}
				}
				if !strings.Contains(stdout.String(), "error") {
					t.Errorf("%v shows no problem:\n%s", args, shown)
				}
			}
		})
	}
}
