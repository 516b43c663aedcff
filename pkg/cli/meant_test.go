package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestEveryFlagIsMeant goes through the command tree: a typo of each flag names the flag, and each flag that takes a
// customer, an environment or a stack completes from the manager's files.
func TestEveryFlagIsMeant(t *testing.T) {
	t.Parallel()
	flags, completed := 0, 0
	for _, cmd := range everyCommand(NewRoot(&App{})) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || len(f.Name) < 4 || strings.Contains(cmd.CommandPath(), "complet") {
				return
			}
			flags++
			typo := f.Name[:1] + f.Name[2:] // one letter is missing
			if !slices.Contains(flagsOf(cmd), typo) {
				want := nearestFlag(typo, flagsOf(cmd))
				if got := meantFlag(cmd, typo); want == "" || got != "did you mean --"+want+"?" {
					t.Errorf("%s --%s: %q, nearest %q", cmd.CommandPath(), typo, got, want)
				}
			}
			if !slices.Contains([]string{"customer", "environment", "stack"}, f.Name) || f.Value.Type() == "bool" {
				return
			}
			completed++
			if _, found := cmd.GetFlagCompletionFunc(f.Name); !found {
				t.Errorf("%s --%s is not completed", cmd.CommandPath(), f.Name)
			}
		})
	}
	if flags < 150 || completed < 25 {
		t.Errorf("only %d flags and %d with names", flags, completed)
	}
}

// TestRequiredFlagsAreNamed: each command without one of its required flags says which one is missing, with exit code 2.
func TestRequiredFlagsAreNamed(t *testing.T) {
	t.Parallel()
	manager := managerTree(t)
	tried := 0
	for _, cmd := range everyCommand(NewRoot(&App{})) {
		var needed []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 {
				needed = append(needed, f.Name)
				if !strings.HasSuffix(f.Usage, "(required)") {
					t.Errorf("the help of %s does not say that --%s is required", cmd.CommandPath(), f.Name)
				}
			}
		})
		if len(needed) == 0 {
			continue
		}
		tried++
		_, text, code := inManager(t, manager, strings.TrimPrefix(cmd.CommandPath(), "metapipe "))
		if named := slices.ContainsFunc(needed, func(name string) bool { return strings.Contains(text, "--"+name+" is missing") }); code != ExitUsage || !named {
			t.Errorf("%s: exit code %d: %s", cmd.CommandPath(), code, text)
		}
	}
	if tried < 5 {
		t.Errorf("only %d commands have required flags", tried)
	}
}

// inManager runs a command line in a manager's checkout.
func inManager(t *testing.T, dir, line string) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "METAPIPE_STORE="+t.TempDir())
	app.Dir, app.Binary = dir, "metapipe"
	code = Main(t.Context(), strings.Fields(line), app)
	return out.String(), complaints.String(), code
}

// TestValuesAreMeant: a typo of a value names the value that was meant.
func TestValuesAreMeant(t *testing.T) {
	t.Parallel()
	manager := managerTree(t)
	if err := os.WriteFile(filepath.Join(manager, "customers", "shop.yml"), []byte("repository: acme/shop\nrepository_id: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"ledger --customer shpo":                                        "did you mean shop?",
		"state show --customer shop --environment stagin":               "did you mean staging?",
		"doctor --role manger":                                          "did you mean manager?",
		"drift --fail-on drfit":                                         "did you mean drift?",
		"init " + filepath.Join(t.TempDir(), "x") + " --tool terrafrom": "did you mean terraform?",
		"properties sett":                                               "did you mean `metapipe properties set`?",
		"fetch-vars --customer shop --mode ruin":                        "use apply, plan or dry-run",
		"fetch-vars --customer shop --mode plam":                        "did you mean plan?",
		"rehearse --customer-dir . --approve yess":                      "did you mean yes?",
		"onbord":                    "did you mean `metapipe onboard`?",
		"state list --custmer shop": "did you mean --customer?",
	} {
		if _, text, code := inManager(t, manager, line); code != ExitUsage || !strings.Contains(text, want) {
			t.Errorf("%s: exit code %d, no %q in %s", line, code, want, text)
		}
	}
}
