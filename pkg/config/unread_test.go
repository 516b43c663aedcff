package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unreadTree writes files and returns their directory.
func unreadTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUnreadManagerIsNotCompared: what a customer's file may name is unknown while
// metapipe.yml has errors.
func TestUnreadManagerIsNotCompared(t *testing.T) {
	t.Parallel()
	const customer = "repository: acme/shop\nrepository_id: 1\nenvironments: [dev]\ngated: [dev]\ntrust: \"off\"\nlimits: {plan_ttl: 200h}\ndrift: {remediate: [dev]}\n"
	for name, manager := range map[string]string{
		"slip":         "tool: {version: >= 1.5}\nenvironments: [{name: dev}]\n",
		"tab":          "environments:\n\t- name: dev\n",
		"environments": "environments: [{name: Dev_1}, {name: live, gated: true}]\ndrift: {remediate: [dev-1]}\n",
		"trust":        "environments: [{name: live, gated: true}]\ntrust: loose\n",
	} {
		c, problems := Load(unreadTree(t, map[string]string{ManagerFile: manager, "customers/shop.yml": customer, "terraform/main.tf": ""}))
		for _, p := range problems {
			if p.File != ManagerFile || p.Rule == RuleUnknownEnvironment {
				t.Errorf("%s: %v", name, p)
			}
		}
		if !c.Unread.Manager || len(c.Unread.Customers) > 0 || problems.Err() == nil {
			t.Errorf("%s: %+v, %v", name, c.Unread, problems)
		}
	}
}

// TestUnreadCustomersAreNotMissing: no message says that a customer does not exist, or
// is the only one, while a file of customers/ could not be read.
func TestUnreadCustomersAreNotMissing(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"customers/x.yaml", "customers/Example_Customer.yml", "customers/_x.yml", "customers/shop.yml"} {
		files := map[string]string{ManagerFile: "environments: [{name: dev}]\n", file: "repository: [\n", "terraform/main.tf": ""}
		c, _ := Load(unreadTree(t, files))
		if c.Unread.Manager || !slices.Equal(c.Unread.Customers, []string{file}) {
			t.Errorf("%s: %+v", file, c.Unread)
		}
		_, err := c.Named("shop")
		if err == nil || strings.Contains(err.Error(), "register one") || strings.Contains(err.Error(), "does not exist") != (file != "customers/shop.yml") {
			t.Errorf("%s: %v", file, err)
		}
		if advice := c.Advice(); !strings.Contains(advice, file+" could not be read") {
			t.Errorf("%s: %q", file, advice)
		}
		files["customers/blog.yml"] = "repository: acme/blog\nrepository_id: 2\n"
		c, _ = Load(unreadTree(t, files))
		if m, err := c.Match(Checkout{Dir: "/work"}); err != nil || m.Found {
			t.Errorf("%s: %v, %v", file, m, err)
		}
	}
}
