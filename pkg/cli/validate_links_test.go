package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestValidateFindsLinksOut: each link of the checkout that leads out of it is an error of
// validate, wherever it lies, and a link that stays inside is none.
func TestValidateFindsLinksOut(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]bool{
		"terraform/leak.txt": true, "terraform/modules": true, "modules/net/main.tf": true, "schema.json": true, "docs/deep/er/link": true,
		"terraform/inside.tf": false, "docs/README.md": false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := managerTree(t)
			at := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			target := strings.Repeat("../", strings.Count(name, "/")) + "terraform/main.tf"
			if out {
				target = "../" + target
			}
			if err := os.Symlink(target, at); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false")
			app.Dir = dir
			code := Main(t.Context(), []string{"validate"}, app)
			shown := stdout.String() + stderr.String()
			if found := strings.Contains(shown, name) && strings.Contains(shown, "the path is a link to "+target); found != out || (code == ExitFindings) != out {
				t.Errorf("exit code %d, found %v:\n%s", code, found, shown)
			}
		})
	}
}
