package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// refusedFlag runs a command line with a wrong flag and returns what it prints.
func refusedFlag(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
	app.Dir = t.TempDir()
	if code := Main(t.Context(), args, app); code != ExitUsage || out.Len() > 0 {
		t.Errorf("%q: exit code %d\n%s", args, code, &out)
	}
	return complaints.String()
}

// eachCommand visits the commands that people see.
func eachCommand(cmd *cobra.Command, visit func(cmd *cobra.Command)) {
	if cmd.Hidden {
		return
	}
	visit(cmd)
	for _, below := range cmd.Commands() {
		eachCommand(below, visit)
	}
}

// TestMisspelledFlags misspells each flag of each command, in all forms of the command
// line: the remedy names the flag, and never repeats the value.
func TestMisspelledFlags(t *testing.T) {
	t.Parallel()
	found := 0
	eachCommand(NewRoot(&App{}), func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if len(f.Name) < 4 || f.Hidden {
				return
			}
			swapped := f.Name[1:2] + f.Name[:1] + f.Name[2:]
			for _, args := range [][]string{{"--" + swapped, "my value"}, {"--" + swapped + "=my value"}, {"-" + f.Name + "=my value"}, {"---" + f.Name}, {"\u2013" + f.Name + "=my value"}, {"\u2014" + swapped}} {
				found++
				got := refusedFlag(t, append(slices.Clone(words), args...)...)
				if !strings.Contains(got, "unknown flag: ") || !strings.Contains(got, "did you mean --"+f.Name+"?") || strings.Contains(got, "my value") {
					t.Errorf("%s %q: %s", cmd.CommandPath(), args, got)
				}
			}
		})
	})
	if found < 300 {
		t.Errorf("only %d misspelled flags were tried", found)
	}
}

// TestFlagsOfOtherCommands gives each command the flags that only others have: the remedy
// names the commands that take the flag, or a flag of the command that is near.
func TestFlagsOfOtherCommands(t *testing.T) {
	t.Parallel()
	others := make(map[string][]string)
	addFlags(NewRoot(&App{}), others)
	for _, name := range []string{"fix", "reason", "lock-id", "approve", "receipt", "log"} {
		if len(others[name]) == 0 {
			t.Errorf("no command has --%s", name)
		}
		eachCommand(NewRoot(&App{}), func(cmd *cobra.Command) {
			if slices.Contains(others[name], cmd.CommandPath()) {
				return
			}
			got := refusedFlag(t, append(strings.Fields(cmd.CommandPath())[1:], "--"+name)...)
			if !strings.Contains(got, "--"+name+" is a flag of `"+others[name][0]+"`") && !strings.Contains(got, "did you mean --") {
				t.Errorf("%s --%s: %s", cmd.CommandPath(), name, got)
			}
		})
	}
}

func TestUnknownFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"plan --fix":                          "unknown flag: --fix\n  → --fix is a flag of `metapipe state reindex`, `metapipe sweep`",
		"plan --fxi":                          "did you mean --fix of `metapipe state reindex`, `metapipe sweep`?",
		"plan -v":                             "unknown flag: -v\n  → -v is a flag of `metapipe`",
		"plan -q":                             "see `metapipe plan --help`",
		"plan -c":                             "see `metapipe plan --help`", // --customer or --customer-dir
		"sweep -f":                            "did you mean --fix?",
		"plan --Customer_Dir x":               "did you mean --customer-dir?",
		"plan --customer":                     "--customer needs a value\n  → write --customer NAME; see `metapipe plan --help`",
		"plan --=secret":                      "unknown flag: --\n  → see `metapipe plan --help`",
		"plan -\u00e9":                        "unknown flag: -\u00e9\n",
		"plan --zz\u200bz":                    `unknown flag: "--zz\u200bz"`,
		"plan --" + strings.Repeat("z", 5000): "... (5002 bytes)",
		"--customr":                           "see `metapipe --help`", // of too many commands
		"stat list --customr":                 "\"stat\" is not a command or argument of metapipe\n  → did you mean `metapipe state`?",
		"drift lst --scna x":                  "did you mean `metapipe drift list`?",
		"state list --jsn":                    "did you mean --json?",
		"completion bash --desc":              "see `metapipe completion bash --help`",
	} {
		if got := refusedFlag(t, strings.Fields(args)...); !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
}
