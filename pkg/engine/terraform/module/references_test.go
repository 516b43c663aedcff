package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.tf": `variable "net" {
  type = object({ id = string })
}
locals {
  region = var.net.region
  all    = { for k, v in var.net : k => v }
  other  = var.other.net
}
resource "a" "b" {
  id   = "x-${var.net["id"]}"
  name = local.region
  rule {
    cidr = var.net.cidr[0]
    dynamic "deep" {
      for_each = var.net.list
      content { x = deep.value }
    }
  }
}
data "a" "d" { id = var.net.id }
module "m" {
  source = "./m"
  net    = var.net
}
provider "p" { region = var.net.region }
output "o" { value = var.net.id }
variable "size" {
  validation {
    condition     = var.size < var.net.max
    error_message = "too large"
  }
}
`,
		"b.tf.json":  `{"resource":{"a":{"j":{"id":"${var.net.id}","n":["${var.net[\"x\"]}"]}}},"output":{"q":{"value":"var.net.id"}}}`,
		"broken.tf":  `resource "a" {{ id = var.net.id`,
		"notes.md":   "var.net.id",
		"c.tofu":     `locals { only = var.net.tofu }`,
		".hidden.tf": `locals { hidden = var.net.id }`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := References(dir, "terraform", "net")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range found {
		if r.File != "broken.tf" { // as far as the parser came
			got = append(got, fmt.Sprintf("%s:%d %s <- %s", r.File, r.Line, r.What, r.Attribute))
		}
	}
	want := []string{
		"a.tf:5 local.region <- region", "a.tf:6 local.all <- ", "a.tf:10 id of a.b <- id", "a.tf:13 rule.cidr of a.b <- cidr", "a.tf:15 rule.dynamic.deep.for_each of a.b <- list",
		"a.tf:20 id of data.a.d <- id", "a.tf:23 net of module.m <- ", "a.tf:25 region of provider.p <- region", "a.tf:26 output.o <- id", "a.tf:29 validation.condition of var.size <- max",
		"b.tf.json:1 resource <- id", "b.tf.json:1 resource <- x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	tofu, err := References(dir, "tofu", "net")
	if err != nil || !slices.ContainsFunc(tofu, func(r Reference) bool { return r.What == "local.only" }) {
		t.Errorf("tofu reads more: %v (%v)", tofu, err)
	}
	if none, err := References(dir, "terraform", "nowhere"); err != nil || len(none) != 0 {
		t.Errorf("%v (%v)", none, err)
	}
	if _, err := References(filepath.Join(dir, "gone"), "terraform", "net"); err == nil {
		t.Error("a root that is not there has no references")
	}
}
