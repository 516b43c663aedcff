package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// managerTree writes a small manager with three customers.
func managerTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"metapipe.yml":          "environments: [{name: staging}, {name: live, gated: true}]\n",
		"customers/blog.yml":    "repository: acme/blog\nrepository_id: 1\n",
		"customers/reports.yml": "repository: acme/reports\nrepository_id: 2\nenvironments: [staging]\n",
		"customers/shop.yml":    "repository: acme/shop\nrepository_id: 3\n",
		"terraform/main.tf":     "",
		"compliance.yml":        "properties: {team_owner: {required: all}}\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFlagsNameTheChoices: a name that is missing or unknown is answered with those
// that there are, by every command.
func TestFlagsNameTheChoices(t *testing.T) {
	t.Parallel()
	const (
		key       = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
		customers = "one of blog, reports, shop"
		all       = "one of staging, live"
	)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"plan", []string{"--customer is missing", customers}},
		{"plan --customer nope --environment staging", []string{`customer "nope" does not exist`, customers}},
		{"plan --customer blog", []string{"--environment is missing", all}},
		{"plan --customer reports", []string{"--environment is missing", "one of staging"}},
		{"apply --customer blog", []string{"--environment is missing", all}},
		{"unlock", []string{"--customer is missing", customers}},
		{"unlock --customer blog", []string{"--environment is missing", all}},
		{"unlock --customer blog --environment qa", []string{`environment "qa" does not exist`, all}},
		{"unlock --customer reports --environment live", []string{`customer reports may not use the environment "live"`, "one of staging", "customers/reports.yml"}},
		{"state show", []string{"--customer is missing", customers}},
		{"state list --customer nope", []string{`customer "nope" does not exist`, customers}},
		{"state list --environment qa", []string{`environment "qa" does not exist`, all}},
		{"state recover", []string{"--customer is missing", customers}},
		{"ledger --customer nope", []string{`customer "nope" does not exist`, customers}},
		{"ledger --customer blog --environment qa", []string{`environment "qa" does not exist`, all}},
		{"drift --customer nope", []string{`customer "nope" does not exist`, customers}},
		{"drift --environment qa", []string{`environment "qa" does not exist`, all}},
		{"validate --customer nope", []string{`customer "nope" does not exist`, customers}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+t.TempDir())
			app.Dir = managerTree(t)
			if code := Main(t.Context(), strings.Fields(c.args), app); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(complaints.String(), want) {
					t.Errorf("no %q in: %s", want, &complaints)
				}
			}
		})
	}
}
