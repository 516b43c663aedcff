package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultFor(t *testing.T) {
	t.Parallel()
	for declared, want := range map[string]string{
		"":                           "staging production!",
		"No_Such requests":           "staging production!",
		"production staging":         "staging production!",
		"dev live":                   "dev live!",
		"prod dev qa":                "dev qa prod!",
		"only only":                  "only!",
		"a b c d e f g h i j k l m":  "",
		"staging production preview": "staging preview production!",
	} {
		var got []string
		for _, e := range DefaultFor(strings.Fields(declared)).Environments {
			name := string(e.Name)
			if e.Gated {
				name += "!"
			}
			got = append(got, name)
		}
		if len(got) > maxEnvironments {
			t.Errorf("%s: %d environments", declared, len(got))
		}
		if want != "" && strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", declared, got, want)
		}
	}
}

// The code stands in terraform/, or at the top when only that holds code.
func TestRootOfUnregistered(t *testing.T) {
	t.Parallel()
	for files, want := range map[string]string{
		"": "terraform", "main.tf": ".", "main.tofu": ".", "main.tf.json": ".", "main.tf terraform/main.tf": "terraform",
		"main.tf terraform/README.md": ".", "modules/a/main.tf": "terraform", "main.tf.bak": "terraform",
	} {
		dir := t.TempDir()
		for _, name := range strings.Fields(files) {
			at := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := Unregistered(Default(), dir, "x").Root; got != want {
			t.Errorf("%q: got %s, want %s", files, got, want)
		}
	}
}
