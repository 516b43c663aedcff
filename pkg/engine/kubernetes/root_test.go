package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestCheckRoot: what no target could be planned with is found with its line before that.
func TestCheckRoot(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n"
	for name, test := range map[string]struct {
		manifest, want string
		line           int
	}{
		"nothing":                    {head + "  a: \"{{ config.a | default 3 }} {{ network.id }} {{ metapipe.source_repo }} {{ stack }}\"\n  b: '{{ \"{{\" }}'\n", "", 0},
		"another word":               {head + "  a: \"{{ conf.size }}\"\n", "names conf, which is no stack that this one needs", 5},
		"a stack that is not needed": {head + "  a: \"{{ other.id }}\"\n", "list other in needs", 5},
		"no value of metapipe":       {head + "  a: \"{{ metapipe.foo }}\"\n", "{{ metapipe.foo }} is no placeholder", 5},
		"a default without value":    {head + "  a: \"{{ config.a | default }}\"\n", "`{{ config.KEY | default VALUE }}`", 5},
		"another filter":             {head + "  a: \"{{ config.a | upper }}\"\n", "the only filter is default", 5},
		"no quotes":                  {head + "  a: {{ config.a }}\n", "write the placeholder in quotes", 5},
		"no kind":                    {"apiVersion: v1\nmetadata: {name: x}\n", "has no kind", 1},
		"no name":                    {"apiVersion: v1\nkind: Secret\nmetadata: {}\n", "has no metadata.name", 1},
		"a list":                     {"apiVersion: v1\nkind: List\nmetadata: {name: x}\nitems: []\n", "is a list of objects", 1},
		"twice":                      {head + "  a: b\n---\n" + head + "  a: c\n", "ConfigMap x is there twice, first at app/manifests/x.yaml:1", 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			terraformtest.WriteFile(t, filepath.Join(dir, "metapipe.yml"), "stacks: [{name: network, root: net}, {name: other, root: other}, {name: app, root: app, needs: [network]}]\n")
			terraformtest.WriteFile(t, filepath.Join(dir, "app", "manifests", "x.yaml"), test.manifest)
			problems, _ := (&Engine{}).CheckRoot(dir, "app", toolName)
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("it finds %+v", problems)
			case test.want != "" && (len(problems) != 1 || problems[0].Position.Line != test.line || !strings.Contains(problems[0].Message+problems[0].Remedy, test.want)):
				t.Errorf("it finds %+v, and not %q in line %d", problems, test.want, test.line)
			}
		})
	}
}
