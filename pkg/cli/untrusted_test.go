package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestUntrustedArguments: whatever an error quotes, neither the terminal nor the
// runner obeys it. Flags are what a workflow passes on from outputs and events.
func TestUntrustedArguments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, s := range untrusted.Strings(t) {
		for _, args := range [][]string{
			{s}, {"plan", "--nonsense", s}, {"plan", "--customer-dir", s}, {"plan", "--customer", s, "--environment", s, "--request", s, "--store", dir},
			{"trigger", "--mode", s}, {"fetch-vars", "--mode", s, "--customer", s}, {"validate", "--manager-dir", s}, {"state", "list", "--store", dir, "--manager-dir", s},
		} {
			if strings.HasPrefix(s, "-") && len(args) == 1 {
				args = []string{"--", s}
			}
			for _, actions := range []string{"true", "false"} {
				var out, complaints bytes.Buffer
				app := testApp(&out, &complaints, "GITHUB_ACTIONS="+actions)
				app.Dir = dir
				Main(t.Context(), args, app)
				printed := complaints.String()
				if actions == "false" {
					printed += out.String()
				} else if untrusted.Command(printed) {
					t.Errorf("%q printed a command: %q", args, printed)
				}
				if found := untrusted.Obeys(strings.ReplaceAll(printed, "\t", " ")); found != "" {
					t.Errorf("%q printed %s: %q", args, found, printed)
				}
				for line := range strings.Lines(out.String()) {
					if actions == "true" && strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error ") && !strings.HasPrefix(line, "::warning ") {
						t.Errorf("%q printed the command %q", args, line)
					}
				}
			}
		}
	}
}
