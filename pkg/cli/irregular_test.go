package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIrregularStateFiles: what is no regular file in the place of a lock or of a state is
// not taken for a free lock, or for no state.
func TestIrregularStateFiles(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := " --customer blog --environment staging"
	for kind, put := range map[string]func(string) error{
		"directory":     func(name string) error { return os.Mkdir(name, 0o700) },
		"link":          func(name string) error { return os.Symlink(elsewhere, name) },
		"dangling link": func(name string) error { return os.Symlink(elsewhere+"-gone", name) },
	} {
		for _, file := range []string{".terraform.tfstate.lock.info", "terraform.tfstate"} {
			t.Run(kind+" "+file, func(t *testing.T) {
				t.Parallel()
				dir, manager := leftTarget(t, true), managerTree(t)
				name := filepath.Join(dir, "blog", "staging", file)
				if err := errors.Join(os.Remove(name), put(name)); err != nil {
					t.Fatal(err)
				}
				run := func(args string) (int, string) {
					var out bytes.Buffer
					app := testApp(&out, &out, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "METAPIPE_STORE="+dir)
					app.Dir, app.Now = manager, time.Now
					return Main(t.Context(), append(strings.Fields(args), "--manager-dir", "."), app), out.String()
				}
				const why = "it is not a regular file"
				if _, text := run("state list"); !strings.Contains(text, why) {
					t.Errorf("state list:\n%s", text)
				}
				if _, text := run("state show" + target); !strings.Contains(text, why) {
					t.Errorf("state show:\n%s", text)
				}
				if code, text := run("state accept --reason x" + target); code == ExitDone || !strings.Contains(text, why) {
					t.Errorf("state accept: exit code %d\n%s", code, text)
				}
				if file == "terraform.tfstate" {
					return
				}
				if code, text := run("unlock --lock-id 7 --no-run" + target); code == ExitDone || !strings.Contains(text, why) {
					t.Errorf("unlock: exit code %d\n%s", code, text)
				}
			})
		}
	}
}
