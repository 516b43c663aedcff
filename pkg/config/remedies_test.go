package config

import (
	"strings"
	"testing"
)

// TestRemediesNameTheForm: the remedy for a value of a wrong kind says how to write that
// value, and never to remove a key that the file needs.
func TestRemediesNameTheForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ manager, customer, want string }{
		{"", "repository_id: \"100200300\"", "→ remove the quotes: 100200300"},
		{"", "repository_id: abc", "→ write a number$"},
		{"", "repository_id: []", "→ write a number$"},
		{"", "repository:", "→ write text$"},
		{"", "repository: \"\"", "→ write a value$"},
		{"", "environments: dev", "→ write [dev]"},
		{"", "offboarded: \"true\"", "→ remove the quotes: true"},
		{"tool: {version: 1.10}", "", "→ write \"1.10\" in quotes"},
		{"role: true", "", "→ write \"true\" in quotes"},
		{"environments: [{name: dev, branches: main}]", "", "→ write [main]"},
		{"environments: [{name: dev, branches: \"*\"}]", "", "→ write [\"*\"]"},
		{"environments: [{name: dev, gated: true, prevent_self_review: yes}]", "", "→ YAML 1.2 reads yes as text: write true"},
		{"environments: [{name: dev, gated: Off}]", "", "→ YAML 1.2 reads Off as text: write false"},
		{"environments: [{name: [dev]}]", "", "→ write text$"},
		{"environments: [{name: dev, branches: [\"\"]}]", "", "→ write a value, or remove the item"},
		{"environments: [{name: dev, branches: {}}]", "", "→ write a list, or remove the key"},
	} {
		manager := c.manager
		if !strings.HasPrefix(manager, "environments") {
			manager = "environments: [{name: dev}]\n" + manager
		}
		customer := c.customer
		for _, line := range []string{"repository: acme/shop", "repository_id: 1"} {
			if key, _, _ := strings.Cut(line, " "); !strings.HasPrefix(customer, key) {
				customer += "\n" + line
			}
		}
		_, problems := Load(unreadTree(t, map[string]string{ManagerFile: manager + "\n", "customers/shop.yml": customer + "\n", "terraform/main.tf": ""}))
		shown := ""
		for _, p := range problems {
			shown += p.String() + "\n"
		}
		if want := strings.Replace(c.want, "$", "\n", 1); !strings.Contains(shown, want) {
			t.Errorf("%s / %s: no %q in\n%s", c.manager, c.customer, c.want, shown)
		}
	}
}
