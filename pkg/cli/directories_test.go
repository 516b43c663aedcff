package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirectoriesNearAndInside: a directory that is nearly named, that lies inside of the
// checkout, or that stands without its flag is answered with what to write.
func TestDirectoriesNearAndInside(t *testing.T) {
	t.Parallel()
	manager, above := managerTree(t), t.TempDir()
	customer := filepath.Join(above, "shop-platform")
	if err := os.MkdirAll(filepath.Join(customer, "infra"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(customer, "infra", "variables.yml"), []byte("environments: {staging: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"validate", "--customer-dir", customer + "/infra"}, "variables.yml is in this directory\n  → name the checkout: --customer-dir " + customer + "\n"},
		{[]string{"rehearse", "--customer-dir", customer + "/infra/"}, "name the checkout: --customer-dir " + customer + "\n"},
		{[]string{"plan", "--environment", "staging", "--customer-dir", customer + "/infra"}, "name the checkout: --customer-dir " + customer + "\n"},
		{[]string{"validate", "--customer-dir", above + "/shop-platforms"}, "did you mean --customer-dir " + customer + "?"},
		{[]string{"validate", "--manager-dir", above + "/shop_platform"}, "did you mean --manager-dir " + customer + "?"},
		{[]string{"validate", "--customer-dir", above + "/other"}, "name the checkout of a repository"},
		{[]string{"rehearse", customer}, "name the directory with --customer-dir " + customer},
		{[]string{"validate", manager}, "name the directory with --manager-dir " + manager},
	} {
		var stdout, stderr bytes.Buffer
		app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false")
		app.Dir, app.Binary = manager, "metapipe"
		if code := Main(t.Context(), c.args, app); code != ExitUsage || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: exit code %d, no %q:\n%s%s", c.args, code, c.want, &stdout, &stderr)
		}
	}
}

// TestRestoreNamesTheFileOnce: where the copy is named already, only --force is missing.
func TestRestoreNamesTheFileOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o     restoreOptions
		named bool
	}{{restoreOptions{file: "copy"}, true}, {restoreOptions{version: "v1"}, true}, {restoreOptions{}, false}} {
		text := stateExists(targetState{}, c.o).Error()
		if strings.Contains(text, "name the copy with") == c.named || strings.Contains(text, "state accept") == c.named || !strings.Contains(text, "--force") {
			t.Errorf("%+v: %s", c.o, text)
		}
	}
}
