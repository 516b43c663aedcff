package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLeftEnvironmentsInOrder: state list and ledger show the environments of a customer
// without a file in promotion order, as those of the others.
func TestLeftEnvironmentsInOrder(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	for _, env := range []string{"live", "staging", "canary"} {
		dir := filepath.Join(store, "gone", env)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "terraform.tfstate"), []byte(`{"version":4,"serial":3,"lineage":"x"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string][]string{
		"state list":             {"gone/staging ", "gone/live ", "gone/canary ", "NOT REGISTERED gone (staging, live, canary)"},
		"ledger --customer gone": {"gone/staging:", "gone/live:", "gone/canary:"},
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_STORE="+store)
		app.Dir = managerTree(t)
		code := Main(t.Context(), strings.Fields(args), app)
		at := 0
		for _, text := range want {
			i := strings.Index(out.String()[at:], text)
			if code != ExitDone || i < 0 {
				t.Fatalf("%s: exit code %d, no %q in its place:\n%s%s", args, code, text, &out, &complaints)
			}
			at += i
		}
	}
}
