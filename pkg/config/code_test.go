package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestCodeStaysInTheManagerDirectory: a pattern that follows a link out is a problem with
// its line, for all customers and for one.
func TestCodeStaysInTheManagerDirectory(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		ManagerFile:          "environments: [{name: staging}]\ncode:\n  - inside\n  - out\n  - out/*\n  - list/deep\n",
		"terraform/main.tf":  "",
		"customers/shop.yml": "repository: acme/shop\nrepository_id: 1\n",
		"modules/main.tf":    "",
		"list":               "a file",
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out": outside, "inside": "modules"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	_, all := Load(dir)
	_, one := LoadCustomer(dir, "shop")
	for _, problems := range []pipeline.Problems{all, one} {
		if len(problems) != 3 {
			t.Fatalf("got %v", problems)
		}
		for i, p := range problems {
			if p.File != ManagerFile || p.Line != 4+i || p.Warning || !strings.Contains(p.Message, "code[") {
				t.Errorf("got %v", p)
			}
		}
	}
}

func TestCodeIsBounded(t *testing.T) {
	t.Parallel()
	for n, bad := range map[int]bool{maxCodePatterns: false, maxCodePatterns + 1: true} {
		dir := extract(t, "testdata/good/minimal.txtar")
		file := filepath.Join(dir, ManagerFile)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(string(raw)+"\ncode:\n"+strings.Repeat("  - \"*.tf\"\n", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, problems := Load(dir); (len(problems) > 0) != bad {
			t.Errorf("%d patterns: %v", n, problems)
		}
	}
}
