package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShortRequestIDs: the id that people see is enough, as long as it is of one
// request of the customer.
func TestShortRequestIDs(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	store := filepath.Join(t.TempDir(), "store")
	for customer, ids := range map[string][]string{
		"blog": {"c31892b2-0000-4000-8000-000000000001", "d31892b2-0000-4000-8000-000000000001", "d31892b2-0000-4000-8000-000000000002"},
		"shop": {"e31892b2-0000-4000-8000-000000000001"},
	} {
		for _, id := range ids {
			file := filepath.Join(store, customer, "requests", id+".json")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for given, want := range map[string]string{
		"c31892b2":                             "no log is kept of request c31892b2",
		"c31892b2-0000":                        "no log is kept of request c31892b2",
		"d31892b2":                             "2 requests of customer blog begin with d31892b2",
		"d31892b2-0000-4000-8000-000000000002": "no log is kept of request d31892b2",
		"e31892b2":                             "request e31892b2 of customer blog does not exist",
		"c31892b":                              "its first 8 characters",
		"C31892B2":                             "its first 8 characters",
		"../../x/":                             "its first 8 characters",
		"requests":                             "its first 8 characters",
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
		app.Dir = managerTree(t)
		code := Main(t.Context(), []string{"state", "show", "--customer", "blog", "--environment", "staging", "--log", "--request", given}, app)
		if code != ExitUsage || !strings.Contains(complaints.String(), want) {
			t.Errorf("%s: code %d, no %q in: %s", given, code, want, &complaints)
		}
	}
}
