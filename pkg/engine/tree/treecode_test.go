package tree

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// codeOf copies a tree and returns the digest of everything and of the code.
func codeOf(t *testing.T, files map[string]string, root string, customer pipeline.CustomerName) (tree, code string, linked bool) {
	t.Helper()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "tree")
	for name, content := range files {
		terraformtest.WriteFile(t, filepath.Join(from, filepath.FromSlash(name)), content)
	}
	c := NewCopy(from, to)
	c.Root = root
	tree, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if code, err = CodeFor(c.Code.Digest(), to, customer); err != nil {
		t.Fatal(err)
	}
	return tree, code, c.Code.RegistryUnread()
}

func TestCodeIsWhatAPlanReads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("#", 256<<10-4) // the name lies across two pieces of the copy
	for name, test := range map[string]struct {
		root, main string // of the module
		changed    string
		same       bool
	}{
		"another customer":                  {main: "x", changed: "customers/other.yml", same: true},
		"the customer itself":               {main: "x", changed: "customers/acme.yml"},
		"a workflow":                        {main: "x", changed: ".github/workflows/deploy.yml", same: true},
		"a page":                            {main: "x", changed: "docs/page.md", same: true},
		"the readme":                        {main: "x", changed: "README.md", same: true},
		"the rules":                         {main: "x", changed: "metapipe.yml", same: true},
		"a module":                          {main: "x", changed: "modules/net/main.tf"},
		"the root":                          {main: "x", changed: "terraform/other.tf"},
		"the readme of the root":            {main: "x", changed: "terraform/README.md"},
		"a data file":                       {main: "x", changed: "data/sizes.csv"},
		"a registry that is read":           {main: `file("../customers/all.yml")`, changed: "customers/other.yml"},
		"a registry that is read far down":  {main: long + `file("../customers/all.yml")`, changed: "customers/other.yml"},
		"rules that are read":               {main: `yamldecode(file("../metapipe.yml"))`, changed: "metapipe.yml"},
		"code that walks through the tree":  {main: `fileset("..", "**/*.yml")`, changed: "customers/other.yml"},
		"a root in the docs":                {root: "docs/terraform", main: "x", changed: "docs/page.md"},
		"a page that is read for the rules": {main: `file("../metapipe.yml")`, changed: "docs/page.md", same: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := test.root
			if root == "" {
				root = "terraform"
			}
			files := map[string]string{root + "/main.tf": test.main, "customers/acme.yml": "a", "customers/other.yml": "a",
				".github/workflows/deploy.yml": "a", "docs/page.md": "a", "README.md": "a", "metapipe.yml": "a", "modules/net/main.tf": "a"}
			tree, code, linked := codeOf(t, files, root, "acme")
			files[test.changed] = "changed"
			tree2, code2, _ := codeOf(t, files, root, "acme")
			if tree2 == tree {
				t.Error("the digest of everything is the same")
			}
			if (code2 == code) != test.same {
				t.Errorf("the code is the same: %v, want %v", code2 == code, test.same)
			}
			if read := strings.Contains(test.main, "customers") || strings.Contains(test.main, "**"); linked == read {
				t.Errorf("the registry is linked to: %v", linked)
			}
		})
	}
}

func TestCodeOfOneCustomerIsItsOwn(t *testing.T) {
	t.Parallel()
	files := map[string]string{"terraform/main.tf": "x", "customers/acme.yml": "a"}
	_, acme, _ := codeOf(t, files, "terraform", "acme")
	files["customers/other.yml"] = "b"
	_, again, _ := codeOf(t, files, "terraform", "acme")
	_, other, _ := codeOf(t, files, "terraform", "other")
	if acme != again || acme == other {
		t.Errorf("acme %s, with another customer %s, that one %s", acme, again, other)
	}
}
