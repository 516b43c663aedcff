package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// eachFlag visits the flags of all commands, with the words of the command.
func eachFlag(cmd *cobra.Command, visit func(command string, flag *pflag.Flag)) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		visit(strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "metapipe"), " "), f)
	})
	for _, below := range cmd.Commands() {
		eachFlag(below, visit)
	}
}

// TestFlagsThatNameFiles: every flag with a FILE says that it is not there, or no file,
// before anything else is looked at.
func TestFlagsThatNameFiles(t *testing.T) {
	t.Parallel()
	customer := customerTree(t, "environments: {staging: {}}\n")
	others := map[string]string{"init": " --github acme/infra", "onboard": " acme/shop", "validate": " --customer-dir " + customer, "rehearse": " --customer-dir " + customer,
		"state restore": " --customer a --environment b", "state recover": " --customer a --environment b --request 00000000-0000-4000-8000-000000000000"}
	found := 0
	eachFlag(NewRoot(&App{}), func(command string, f *pflag.Flag) {
		if name, _ := pflag.UnquoteUsage(f); name != "FILE" {
			return
		}
		found++
		for named, want := range map[string]string{"nowhere": "does not exist", ".": "is a directory, not a file"} {
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
			app.Dir, app.Binary = customer, "metapipe"
			code := Main(t.Context(), strings.Fields(command+others[command]+" --"+f.Name+" "+named), app)
			if code != ExitUsage || !strings.Contains(complaints.String(), "--"+f.Name+" "+named+" "+want) {
				t.Errorf("%s --%s %s: exit code %d\n%s%s", command, f.Name, named, code, &out, &complaints)
			}
		}
	})
	if found < 4 {
		t.Errorf("only %d flags name a file", found)
	}
}

// TestFlagsSayTheirForm: a value of a wrong form is answered in words of this tool, not of
// the library that reads it.
func TestFlagsSayTheirForm(t *testing.T) {
	t.Parallel()
	want := map[string]string{"duration": "is not a duration", "int": "is not a whole number", "int64": "is not a whole number", "bool": "is not true or false"}
	found := make(map[string]int)
	eachFlag(NewRoot(&App{}), func(command string, f *pflag.Flag) {
		words, ok := want[f.Value.Type()]
		if !ok {
			return
		}
		found[f.Value.Type()]++
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
		code := Main(t.Context(), append(strings.Fields(command), "--"+f.Name+"=3 days"), app)
		if got := complaints.String(); code != ExitUsage || !strings.Contains(got, "--"+f.Name+` "3 days" `+words) || strings.Contains(got, "strconv") {
			t.Errorf("%s --%s: exit code %d\n%s", command, f.Name, code, got)
		}
	})
	if found["duration"] < 3 || found["bool"] < 5 || found["int"] < 2 {
		t.Errorf("only %v flags were tried", found)
	}
}

// TestNamesOfVariables: the remedy names the place where the value comes from.
func TestNamesOfVariables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"metapipe.yml": "environments: [{name: staging}]\nstate: {directory: state}\ntool: {env: [API_TOKEN]}\n", "customers/a.yml": "repository: o/a\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for variable, c := range map[string]struct{ want, not string }{
		"METAPIPE_KEY=k":   {"METAPIPE_KEY is a secret of 1 character, too short to be masked in logs\n  → set METAPIPE_KEY to the manager's key", "tool.env"},
		"GITHUB_TOKEN=abc": {"unset GITHUB_TOKEN", "tool.env"},
	} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", variable)
		app.Dir = dir
		code := Main(t.Context(), []string{"state", "list"}, app)
		if got := complaints.String(); code != ExitUsage || !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%s: exit code %d\n%s", variable, code, got)
		}
	}
}

// TestTriggerOffersOnlyWhatItTakes: the events that the remedy names are not refused as such.
func TestTriggerOffersOnlyWhatItTakes(t *testing.T) {
	t.Parallel()
	trigger := func(event string) string {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME="+event, "GITHUB_REPOSITORY=o/r", "GITHUB_EVENT_PATH="+filepath.Join(t.TempDir(), "none"))
		app.Dir = t.TempDir()
		Main(t.Context(), []string{"trigger", "--manager", "o/m"}, app)
		return complaints.String()
	}
	for _, event := range []string{"release", "issues", "schedule", "repository_dispatch", "check_run"} {
		got := trigger(event)
		_, offered, ok := strings.Cut(got, "run trigger on ")
		if !ok {
			t.Errorf("%s: %s", event, got)
			continue
		}
		for _, other := range []string{"push", "pull_request", "merge_group", "workflow_dispatch", "schedule", "repository_dispatch"} {
			refused := strings.Contains(trigger(other), "cannot ask for a deployment")
			if strings.Contains(offered, other) == refused {
				t.Errorf("%s: offered %q, and refused: %v", other, offered, refused)
			}
		}
	}
}
