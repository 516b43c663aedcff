package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestOneCustomerOfManyIsCopied: the files of other customers are copied only where
// something in the manager reads them.
func TestOneCustomerOfManyIsCopied(t *testing.T) {
	t.Parallel()
	const n = 100
	for name, c := range map[string]struct {
		file, content string
		want          int
	}{
		"unread":                {"terraform/main.tf", "x", 1},
		"own file read by name": {"terraform/main.tf", `file("../customers/${var.name}.yml")`, n},
		"all read":              {"terraform/main.tf", `fileset("../customers", "*.yml")`, n},
		"walked":                {"terraform/main.tf", `fileset("..", "**/*.yml")`, n},
		"read by a script":      {"scripts/names.sh", "ls ../customers", n},
		"a page names it":       {"docs/page.md", "see customers/", 1},
		"listed by a pattern":   {"terraform/main.tf", `fileset(path.module, "../*/*.yml")`, n},
		"name put together":     {"terraform/main.tf", `file("${path.module}/../${var.dir}/x.yml")`, n},
		"name in two parts":     {"terraform/main.tf", `file("../${"cust"}omers/x.yml")`, n},
		"joined":                {"terraform/main.tf", `file(join("/", ["..", var.dir, "x.yml"]))`, n},
		"parent":                {"terraform/main.tf", `file("${dirname(path.module)}/x.yml")`, n},
		"a program":             {"terraform/main.tf", `data "external" "x" {}`, n},
		"a command":             {"terraform/main.tf", `provisioner "local-exec" {}`, n},
		"a module beside":       {"terraform/main.tf", "module \"x\" {\n  source = \"../modules/x\"\n}\nterraform { required_providers { aws = { source = \"hashicorp/aws\" } } }", 1},
		"a file beside":         {"terraform/main.tf", `file("${path.module}/../files/x.txt")`, n},
		"name in pieces":        {"terraform/main.tf", `file(join("", ["../cust", "omers/x.yml"]))`, n},
		"an escape":             {"terraform/main.tf", `file("../c\u0075stomers/x.yml")`, n},
		"all of the tree":       {"terraform/main.tf", `fileset("${path.module}/..", "**")`, n},
		"a local module lists":  {"modules/lister/main.tf", `fileset("${path.module}/../..", "*/*.yml")`, n},
		"a registry module":     {"terraform/main.tf", "module \"x\" {\n  source = \"acme/x/aws\"\n}", n},
		"a git module in JSON":  {"terraform/main.tf.json", `{"module": {"x": {"source": "git::https://git.example/x.git"}}}`, n},
		"a link":                {"terraform/registry", "-> ../customers", n},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := t.TempDir(), filepath.Join(t.TempDir(), "tree")
			terraformtest.WriteFile(t, filepath.Join(from, "terraform", "main.tf"), "x")
			for i := range n {
				terraformtest.WriteFile(t, filepath.Join(from, "customers", fmt.Sprintf("c%d.yml", i)), "a")
			}
			if to, link := strings.CutPrefix(c.content, "-> "); !link {
				terraformtest.WriteFile(t, filepath.Join(from, filepath.FromSlash(c.file)), c.content)
			} else if err := os.Symlink(to, filepath.Join(from, filepath.FromSlash(c.file))); err != nil {
				t.Fatal(err)
			}
			copying := NewCopy(from, to)
			copying.Root, copying.Customer = "terraform", "c5"
			digest, err := copying.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(filepath.Join(to, "customers"))
			if err != nil || len(entries) != c.want || !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "c5.yml" }) {
				t.Fatalf("%d files, want %d: %v", len(entries), c.want, err)
			}
			// Another customer's file changes what is copied only where it is read.
			terraformtest.WriteFile(t, filepath.Join(from, "customers", "c6.yml"), "changed")
			again := NewCopy(from, filepath.Join(t.TempDir(), "tree"))
			again.Root, again.Customer = "terraform", "c5"
			second, err := again.Run(t.Context())
			if err != nil || (second == digest) != (c.want == 1) {
				t.Errorf("the digest is the same: %v (%v)", second == digest, err)
			}
		})
	}
}

// TestLinkAmongCustomersIsRefused: a link that leads out is refused also where it would
// not be copied.
func TestLinkAmongCustomersIsRefused(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	terraformtest.WriteFile(t, filepath.Join(from, "terraform", "main.tf"), "x")
	terraformtest.WriteFile(t, filepath.Join(from, "customers", "acme.yml"), "a")
	if err := os.Symlink("/etc/passwd", filepath.Join(from, "customers", "other.yml")); err != nil {
		t.Skip(err)
	}
	c := NewCopy(from, filepath.Join(t.TempDir(), "tree"))
	c.Root, c.Customer = "terraform", "acme"
	_, err := c.Run(t.Context())
	var refused *treeError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "customers/other.yml") {
		t.Errorf("got %v", err)
	}
}
