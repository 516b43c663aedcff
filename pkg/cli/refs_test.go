package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// everyCommand is the tree as cobra runs it, with its own commands and hidden ones.
func everyCommand(root *cobra.Command) (all []*cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("x") // as for a command line that names one
	all = []*cobra.Command{root}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

// TestEveryCommandHasARefRule: a new command says on which refs of the manager it works,
// and no command takes the place of the check.
func TestEveryCommandHasARefRule(t *testing.T) {
	t.Parallel()
	root := NewRoot(&App{})
	known := []string{"metapipe " + cobra.ShellCompRequestCmd, "metapipe " + cobra.ShellCompNoDescRequestCmd} // made when they are called
	for _, cmd := range everyCommand(root) {
		path := cmd.CommandPath()
		known = append(known, path)
		if refRules[path] == nil {
			t.Errorf("refRules does not say on which refs %q works", path)
		}
		if long := strings.Contains(cmd.Long, "default branch only"); refRules[path] != nil && long != refRules[path](cmd.Flags()) {
			t.Errorf("the help of %q says that it needs the default branch: %t", path, long)
		}
		if cmd != root && path != "metapipe help" && (cmd.PersistentPreRun != nil || cmd.PersistentPreRunE != nil) {
			t.Errorf("%q has a PersistentPreRun, so checkRef does not run", path)
		}
	}
	for path := range refRules {
		if !slices.Contains(known, path) {
			t.Errorf("refRules has %q, which is no command", path)
		}
	}
}

// callsOnABranch are calls that pass the checks of arguments, for commands that take some.
var callsOnABranch = map[string]string{
	"metapipe spacelift remove": "spacelift remove mp-shop-staging",
	"metapipe customer rename":  "customer rename shop store",
	"metapipe offboard":         "offboard shop",
	"metapipe onboard":          "onboard acme/shop",
	"metapipe drift scan":       "drift scan 0123 --shard 0",
	"metapipe drift summary":    "drift summary 0123",
	"metapipe properties set":   "properties set --customer blog team=x",
	"metapipe schema":           "schema customer",
	"metapipe help":             "help plan",
}

// TestCommandsOnABranch calls every command of the tree in a run of a branch, with a checkout
// that is no manager: what needs the default branch says that it does before anything else.
func TestCommandsOnABranch(t *testing.T) {
	t.Parallel()
	const says = "works on its default branch main only"
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"repository": {"id": 1, "full_name": "provider/infra", "default_branch": "main"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(t *testing.T, ref, args string) (int, string) {
		t.Helper()
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_EVENT_PATH="+event, "GITHUB_REF="+ref)
		app.Dir = t.TempDir()
		return Main(t.Context(), strings.Fields(args), app), complaints.String()
	}
	refused := 0
	for _, cmd := range everyCommand(NewRoot(&App{})) {
		args, ok := callsOnABranch[cmd.CommandPath()]
		if !ok {
			args = strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "metapipe"), " ")
		}
		needs := refRules[cmd.CommandPath()](cmd.Flags())
		if needs {
			refused++
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			t.Parallel()
			for _, ref := range []string{"refs/heads/evil", "refs/tags/main", "refs/pull/7/merge"} {
				code, text := call(t, ref, args)
				if got := code == ExitRejected && strings.Contains(text, says); got != needs {
					t.Errorf("%s: exit code %d: %s", ref, code, text)
				}
			}
			if code, text := call(t, "refs/heads/main", args); strings.Contains(text, says) {
				t.Errorf("refused on the default branch: exit code %d: %s", code, text)
			}
		})
	}
	for args, needs := range map[string]bool{
		"plan --customer-dir .":                         false,
		"plan --customer-dir . --state --customer blog": true,
		"plan --customer-dir= --customer blog":          true,
		"__complete plan --customer ":                   false,
	} {
		if code, text := call(t, "refs/heads/evil", args); (code == ExitRejected && strings.Contains(text, says)) != needs {
			t.Errorf("%s: exit code %d: %s", args, code, text)
		}
	}
	if refused < 20 {
		t.Errorf("only %d commands need the default branch", refused)
	}
}

// TestUnknownCommandNeedsTheDefaultBranch: what no rule names is refused, and not let through.
func TestUnknownCommandNeedsTheDefaultBranch(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_REF=refs/heads/evil")
	if err := app.checkRef(&cobra.Command{Use: "new"}); err == nil {
		t.Error("a command without a rule runs on a branch")
	}
}
