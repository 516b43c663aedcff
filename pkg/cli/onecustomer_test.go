package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOtherCustomersMistake: the broken file of one customer stops no command that
// works for another one, and stops what looks at all of them.
func TestOtherCustomersMistake(t *testing.T) {
	t.Parallel()
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	const target = " --customer blog --environment staging"
	const of = target + " --request c31892b2-0000-4000-8000-000000000001"
	dir, store := managerTree(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "customers", "wiki.yml"), []byte("repository: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, stops := range map[string]bool{
		"plan" + of: false, "apply" + of: false, "state recover" + of: false, "state show" + target: false, "state restore" + target: false,
		"state list --customer blog": false, "drift --customer blog": false, "ledger --customer blog": false, "unlock --lock-id x" + target: false,
		"report --customer blog --request c31892b2-0000-4000-8000-000000000001": false,
		"plan" + strings.ReplaceAll(of, "blog", "wiki"):                         true,
		"state list": true, "sweep": true, "drift --customer wiki": true, "fetch-vars --customer blog": true, "validate": true,
		"state show" + strings.ReplaceAll(target, "blog", "wiki"): true,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
			app.Dir, app.Now = dir, time.Now
			code := Main(t.Context(), strings.Fields(args), app)
			output := out.String() + complaints.String()
			if broken := strings.Contains(output, "wiki.yml"); broken != stops || stops && code != ExitUsage && code != ExitFindings {
				t.Errorf("exit code %d, stopped by the file: %v, want %v\n%s", code, broken, stops, output)
			}
		})
	}
}
