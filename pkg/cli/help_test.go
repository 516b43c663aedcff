package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func commands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, below := range cmd.Commands() {
		if !below.Hidden && below.Name() != "help" && below.Name() != "completion" {
			all = append(append(all, below), commands(below)...)
		}
	}
	return all
}

// TestHelp: every command has an example, every value of a flag a name in capitals,
// and flags without which a command refuses are marked.
func TestHelp(t *testing.T) {
	t.Parallel()
	marked := 0
	for _, cmd := range commands(NewRoot(&App{})) {
		if cmd.RunE == nil {
			continue
		}
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			name, usage := pflag.UnquoteUsage(f)
			if f.Value.Type() != "bool" && f.Name != "help" && (name == "" || name != strings.ToUpper(name)) {
				t.Errorf("%s --%s takes %q", cmd.CommandPath(), f.Name, name)
			}
			if strings.HasSuffix(usage, "(required)") {
				marked++
			}
			if declared := len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0; declared != strings.HasSuffix(usage, "(required)") {
				t.Errorf("%s --%s: declared as required: %t", cmd.CommandPath(), f.Name, declared)
			}
		})
	}
	if marked < 10 {
		t.Errorf("only %d flags are marked as required", marked)
	}
}

func TestHelpTopics(t *testing.T) {
	t.Parallel()
	for args, wants := range map[string][]string{
		"--help":           {"Customer commands:", "Manager workflow commands:", "Operator commands:", "completion", "metapipe environment", "metapipe exit-codes"},
		"help environment": {"METAPIPE_KEY", "NO_COLOR", "METAPIPE_TOOL"},
		"help exit-codes":  {"  0  done", "130  cancelled", "  6  findings"},
		"schema":           {"customer\n", "validate\n", "drift\n"},
		"schema customer":  {`"title": "customers/<name>.yml"`},
	} {
		var out, complaints bytes.Buffer
		if code := Main(t.Context(), strings.Fields(args), testApp(&out, &complaints, "GITHUB_ACTIONS=false")); code != ExitDone {
			t.Errorf("%s: code %d: %s", args, code, &complaints)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in:\n%s", args, want, &out)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	dir := managerTree(t)
	for args, wants := range map[string][]string{
		"plan --customer ":    {"blog\tacme/blog", "reports", "shop"},
		"plan --environment ": {"staging", "live"},
		"report --applying ":  {"staging", "live"},
		"rehearse --approve ": {"ask", "yes", "no"},
		"trigger --mode ":     {"apply", "plan", "dry-run"},
		"drift --fail-on ":    {"drift", "error", "none"},
		"validate --manager-dir ../nowhere/at/all --path ": {},
		"schema ": {"metapipe", "customer", "state-list"},
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
		app.Dir = dir
		words := append(strings.Fields("__complete "+args), "")
		if code := Main(t.Context(), words, app); code != ExitDone {
			t.Errorf("%s: code %d: %s", args, code, &complaints)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in:\n%s", args, want, &out)
			}
		}
	}
}

// TestHelpOfWhatIsNoCommand: help about a word that is no command is an error, in each way to ask for it.
func TestHelpOfWhatIsNoCommand(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{
		"NOPE --help": ExitUsage, "help NOPE": ExitUsage, "state NOPE -h": ExitUsage, "help state NOPE": ExitUsage, "--help NOPE": ExitUsage,
		"--help": 0, "help": 0, "help state list": 0, "state --help": 0, "state list --help": 0, "plan --help": 0,
	} {
		var out, complaints bytes.Buffer
		got := Main(t.Context(), strings.Fields(args), App{In: strings.NewReader(""), Out: &out, Err: &complaints, Now: time.Now, Dir: t.TempDir()})
		if got != want || (got == 0) != (out.Len() > 0) || (got == 0) != (complaints.Len() == 0) {
			t.Errorf("%s: exit code %d\n%s%s", args, got, out.String(), complaints.String())
		}
		if got != 0 && !strings.Contains(complaints.String(), `"NOPE" is not a command or argument of metapipe`) {
			t.Errorf("%s: %s", args, complaints.String())
		}
	}
}
