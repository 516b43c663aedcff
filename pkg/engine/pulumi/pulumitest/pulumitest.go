// Package pulumitest finds Pulumi for tests, with the provider of .ci/tools.
package pulumitest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
)

// Tool is the path of the CLI, and the PATH with which it finds the language of YAML programs and the test provider.
// Without one of them the test is skipped, unless METAPIPE_REQUIRE_PULUMI is set.
func Tool(t *testing.T) (tool, path string) {
	t.Helper()
	var dirs []string
	for _, name := range []string{"pulumi", "pulumi-language-yaml", "pulumi-resource-metapipetest"} {
		found, ok := enginetest.FindTool(name)
		if !ok {
			missing := "pulumi: there is no " + name + "; run `make tools`"
			if os.Getenv("METAPIPE_REQUIRE_PULUMI") != "" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
		if tool == "" {
			tool = found
		}
		dirs = append(dirs, filepath.Dir(found))
	}
	return tool, strings.Join(append(dirs, os.Getenv("PATH")), string(filepath.ListSeparator))
}
