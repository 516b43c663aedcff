package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDriftWithABrokenFile: the broken file of one customer is a failure of that customer,
// named in each step. The targets of the others are listed and looked at.
func TestDriftWithABrokenFile(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	dir, store := managerTree(t), t.TempDir()
	broken := filepath.Join(dir, "customers", "wiki.yml")
	if err := os.WriteFile(broken, []byte("repository: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (out, complaints string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		app := testApp(&stdout, &stderr, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
		app.Dir, app.Now = dir, time.Now
		if code := Main(t.Context(), args, app); code != want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, want, &stdout, &stderr)
		}
		return stdout.String(), stderr.String()
	}
	listed, complaints := run(ExitDone, "drift", "list", "--shards", "2")
	if !strings.Contains(complaints, "customers/wiki.yml has problems, so customer wiki is not looked at") {
		t.Errorf("the list says\n%s", complaints)
	}
	var listing struct {
		Scan    string
		Targets int
	}
	if err := json.Unmarshal([]byte(listed), &listing); err != nil || listing.Targets < 2 {
		t.Fatalf("listed %s: %v", listed, err)
	}
	if summed, complaints := run(ExitFindings, "drift", "summary", listing.Scan); !strings.Contains(summed, "blog/staging: not checked") || !strings.Contains(complaints, "drift --scan "+listing.Scan) {
		t.Errorf("the summary of nothing says\n%s%s", summed, complaints)
	}
	summed, _ := run(ExitFindings, "drift", "--resume", "--workers", "1")
	if !strings.Contains(summed, "wiki/staging: error (configuration): customers/wiki.yml has problems") || !strings.Contains(summed, "blog/staging: ") || strings.Contains(summed, "not checked") {
		t.Errorf("the scan says\n%s", summed)
	}
	run(ExitUsage, "drift", "--resume") // it is whole now
	if err := os.WriteFile(filepath.Join(dir, "metapipe.yml"), []byte("environments: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(ExitUsage, "drift", "list") // the manager's own file is of all customers
}
