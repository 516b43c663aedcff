package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadLinksAreNamedInPlainWords: no problem quotes the operating system or os.Root.
func TestBadLinksAreNamedInPlainWords(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, path := range []string{"metapipe.yml", "customers", "terraform", "schema.json", "states"} {
		for target, want := range map[string]string{outside: "a link in its path leads out of the directory", "../../..": "a link in its path leads out of the directory", filepath.Base(path): "its link leads back to itself"} {
			dir := t.TempDir()
			for name, content := range map[string]string{"metapipe.yml": "environments: [{name: staging}]\nschema: schema.json\nstate: {directory: states}\n",
				"customers/shop.yml": "repository: acme/shop\nrepository_id: 1\n", "terraform/main.tf": "", "schema.json": "{}", "states/x": ""} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
			_, problems := Load(dir)
			got := problems.Error()
			if !strings.Contains(got, want) {
				t.Errorf("%s -> %s: no %q in: %s", path, target, want, got)
			}
			for _, raw := range []string{"statat", "openat", "lstat", "escapes from", "levels of symbolic", dir} {
				if strings.Contains(got, raw) {
					t.Errorf("%s -> %s: %q in: %s", path, target, raw, got)
				}
			}
		}
	}
}
