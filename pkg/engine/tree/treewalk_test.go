package tree

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestCheckTreeAgreesWithPlans lays one entry into a manager's checkout: CheckTree reports
// ownNames are those that the engine of these tests writes itself.
var ownNames = []string{"source-variables.yml"}

// it exactly where the copy for a plan is refused because of it.
func TestCheckTreeAgreesWithPlans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, target string // no target: a socket
		refused      bool
	}{
		{"root/out.txt", "../../secret", true}, {"root/out", "../..", true}, {"modules", "/tmp", true}, {"schema/s.json", "/etc/hostname", true},
		{"customers/shop.yml", "../../secret", true}, {"root/socket", "", true}, {"lost-outside", "../none", true}, {"root/deep/a/b", "../../../../secret", true},
		{".github/x", "../../secret", true}, {"root/.terraformrc", "/root/.terraformrc", true}, {"other/backend_override.tf", "/x", true},
		{"root/in", "../kept", false}, {"root/in/deep", "../../kept/file", false}, {"self", ".", false}, {"lost", "none", false}, {"circle", "circle", false},
		{"root/.terraform/out", "/tmp", false}, {".git/out", "/tmp", false}, {"states/out", "/tmp", false}, {"a.tfstate", "/tmp/x", false}, {".metapipe", "/tmp", false},
		{"root/source-variables.yml", "/tmp/x", false}, {"other/source-variables.yml", "/tmp/x", true},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			base, err := os.MkdirTemp("", "tree") // short: the path of a socket may not be long
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			from := filepath.Join(base, "m")
			terraformtest.WriteFile(t, filepath.Join(base, "secret"), "")
			terraformtest.WriteFile(t, filepath.Join(from, "kept/file"), "")
			at := filepath.Join(from, c.path)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if c.target == "" {
				socket, err := net.Listen("unix", at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = socket.Close() })
			} else if err := os.Symlink(c.target, at); err != nil {
				t.Fatal(err)
			}
			_, refusal := NewCopy(from, filepath.Join(base, "copy"), OwnPaths(from, "root", "states", ownNames)...).Run(t.Context())
			problems, err := CheckTree(t.Context(), from, "root", "states", ownNames)
			if err != nil {
				t.Fatal(err)
			}
			if (refusal != nil) != c.refused || (len(problems) == 1) != c.refused || c.refused && (problems[0].File != c.path || problems[0].Rule != RuleTree || problems[0].Warning) {
				t.Errorf("refused: want %v, the copy says %v, the check %v", c.refused, refusal, problems)
			}
		})
	}
}
