package tree

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// listedTree is a manager's checkout and its list of code.
type listedTree struct {
	from, root string
	code       []string
}

func newListedTree(t *testing.T, root string, code ...string) listedTree {
	t.Helper()
	l := listedTree{t.TempDir(), root, code}
	for _, name := range []string{root + "/main.tf", root + "/README.md", "customers/acme.yml", "customers/other.yml", "customers/shared/all.json", ".github/workflows/deploy.yml",
		"docs/page.md", "docs/policies/a.json", "README.md", "metapipe.yml", "modules/net/main.tf", "modules/net/README.md", "data/a.csv", "data/deep/b.json"} {
		// The guess would count what is named here.
		terraformtest.WriteFile(t, filepath.Join(l.from, filepath.FromSlash(name)), `file("../customers/other.yml") docs README.md metapipe.yml **/`)
	}
	return l
}

// run returns the digest of the code and the names in the copied registry.
func (l listedTree) run(t *testing.T) (code string, registry []string, copied *Copy) {
	t.Helper()
	c := NewCopy(l.from, filepath.Join(t.TempDir(), "tree"))
	c.Root, c.Customer, c.Listed = l.root, "acme", l.code
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(c.to, RegistryDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		registry = append(registry, e.Name())
	}
	return c.Code.Digest(), registry, c
}

func TestListedCodeCountsExactly(t *testing.T) {
	t.Parallel()
	all := []string{"acme.yml", "other.yml", "shared"}
	for name, c := range map[string]struct {
		root     string
		code     []string
		changed  string
		counts   bool
		registry []string
	}{
		"a module":                   {code: []string{"modules"}, changed: "modules/net/main.tf", counts: true},
		"the root":                   {code: []string{"modules"}, changed: "terraform/main.tf", counts: true},
		"a page of the root":         {code: []string{"modules"}, changed: "terraform/README.md", counts: true},
		"a new file of the root":     {code: []string{"modules"}, changed: "terraform/deep/new.tf", counts: true},
		"a file that is not listed":  {code: []string{"modules"}, changed: "data/a.csv"},
		"rules that code names":      {code: []string{"modules"}, changed: "metapipe.yml"},
		"rules that are listed":      {code: []string{"metapipe.yml"}, changed: "metapipe.yml", counts: true},
		"a page":                     {code: []string{"*.md"}, changed: "README.md", counts: true},
		"a page below":               {code: []string{"*.md"}, changed: "docs/page.md"},
		"a pattern below":            {code: []string{"data/**/*.json"}, changed: "data/deep/b.json", counts: true},
		"beside a pattern":           {code: []string{"data/**/*.json"}, changed: "data/a.csv"},
		"the second of a list":       {code: []string{"data/*.csv", "docs/policies"}, changed: "docs/policies/a.json", counts: true},
		"customers not listed":       {code: []string{"modules"}, changed: "customers/other.yml"},
		"customers listed":           {code: []string{"customers"}, changed: "customers/other.yml", counts: true, registry: all},
		"customers by a pattern":     {code: []string{"customers/*.yml"}, changed: "customers/other.yml", counts: true, registry: all},
		"one file beside customers":  {code: []string{"customers/shared"}, changed: "customers/other.yml", registry: all},
		"everything":                 {code: []string{"**"}, changed: "customers/other.yml", counts: true, registry: all},
		"a pattern without any":      {code: []string{"**/*.tf"}, changed: "modules/net/main.tf", counts: true},
		"customers that are not":     {code: []string{"customers/*.json"}, changed: "customers/other.yml"},
		"a root at the top":          {root: ".", code: []string{"modules"}, changed: "main.tf", counts: true},
		"a module of such a root":    {root: ".", code: []string{"modules"}, changed: "modules/net/main.tf", counts: true},
		"a page beside such a root":  {root: ".", code: []string{"modules"}, changed: "README.md"},
		"customers of such a root":   {root: ".", code: []string{"modules"}, changed: "customers/other.yml"},
		"a directory of such a root": {root: ".", code: []string{"modules"}, changed: "data/a.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, registry := c.root, c.registry
			if root == "" {
				root = "terraform"
			}
			if registry == nil {
				registry = []string{"acme.yml"}
			}
			l := newListedTree(t, root, c.code...)
			before, names, copied := l.run(t)
			if !slices.Equal(names, registry) {
				t.Errorf("customers/ holds %v, want %v", names, registry)
			}
			if copied.Code.OwnFileOnly(root) != (c.registry == nil) || copied.Code.RegistryUnread() {
				t.Error("a fleet would get other files")
			}
			for _, unlisted := range []string{"data/a.csv", "docs/page.md", "README.md", "modules/net/main.tf"} {
				if _, err := os.Stat(filepath.Join(copied.to, unlisted)); err != nil {
					t.Error(err)
				}
			}
			terraformtest.WriteFile(t, filepath.Join(l.from, filepath.FromSlash(c.changed)), "changed")
			if after, _, _ := l.run(t); (after != before) != c.counts {
				t.Errorf("a change of %s counts: %v", c.changed, after != before)
			}
		})
	}
}

// TestListedLinksCountWithTheirTargets: a change behind a link is one of the code.
func TestListedLinksCountWithTheirTargets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ link, target, changed string }{
		"a listed link":           {"modules/data", "../data", "data/a.csv"},
		"a link in the root":      {"terraform/data", "../data", "data/deep/b.json"},
		"a link to the customers": {"terraform/registry", "../customers", "customers/other.yml"},
	} {
		l := newListedTree(t, "terraform", "modules")
		if err := os.Symlink(c.target, filepath.Join(l.from, c.link)); err != nil {
			t.Skip(err)
		}
		before, _, _ := l.run(t)
		terraformtest.WriteFile(t, filepath.Join(l.from, c.changed), "changed")
		if after, _, _ := l.run(t); after == before {
			t.Errorf("%s: a change of %s does not count", name, c.changed)
		}
	}
}
