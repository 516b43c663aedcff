package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// storeCommands are the command lines of all commands with --store, by command. Those
// that may run before there is a store are in firstCommands.
var storeCommands = map[string][]string{
	"apply":             {"--customer blog --environment staging --request " + someRequest},
	"compliance":        {"--history", "--remediate --apply", "--customer-issues 5"},
	"customer rename":   {"blog weblog"},
	"drift":             {"", "--customer blog"},
	"drift list":        {""},
	"drift scan":        {"20261129T155529.811Z-8d7c0e81"},
	"drift summary":     {"20261129T155529.811Z-8d7c0e81"},
	"fetch-vars":        {"--customer blog"},
	"ledger":            {"", "--customer blog", "--customer blog --environment staging"},
	"offboard":          {"blog --apply"},
	"onboard":           {"acme/store --apply"},
	"plan":              {"--customer blog --environment staging --request " + someRequest, "--state --customer blog --environment staging --customer-dir CUSTOMER"},
	"properties schema": {"--apply"},
	"properties set":    {"--customer blog team=x --apply"},
	"rekey":             {"", "--apply"},
	"report":            {"--customer blog --request " + someRequest, "--final --customer blog --request " + someRequest},
	"spacelift remove":  {"mp-blog-staging --apply"},
	"spacelift sync":    {"--apply"},
	"state accept":      {"--customer blog --environment staging --reason x"},
	"state list":        {"", "--json", "--customer blog"},
	"state recover":     {"--customer blog --environment staging --request " + someRequest},
	"state reindex":     {"", "--fix", "--customer blog"},
	"state restore":     {"--customer blog --environment staging", "--customer blog --environment staging --apply"},
	"state show":        {"--customer blog --environment staging", "--customer blog --environment staging --log"},
	"status":            {"", "--customer blog"},
	"sweep":             {"", "--fix"},
	"sync":              {"", "--apply"},
	"unlock":            {"--customer blog --environment staging --lock-id x"},
}

var firstCommands = map[string]bool{"fetch-vars": true, "onboard": true, "spacelift sync": true}

const someRequest = "11111111-1111-4111-8111-111111111111"

// TestStoreThatDoesNotExist gives every command that takes a store a path at which there
// is none: nothing takes it for a store in which nothing was ever deployed.
func TestStoreThatDoesNotExist(t *testing.T) {
	t.Parallel()
	eachCommand(NewRoot(&App{}), func(cmd *cobra.Command) {
		command := strings.TrimPrefix(cmd.CommandPath(), "metapipe ")
		if cmd.Flags().Lookup("store") == nil {
			return
		}
		if len(storeCommands[command]) == 0 {
			t.Errorf("%s takes --store: add its command lines to storeCommands", command)
		}
		for _, args := range storeCommands[command] {
			for place, want := range map[string]string{"typo": "does not exist", "file": "is not a directory", "file/below": "a directory of its path is a file"} {
				if want == "does not exist" && firstCommands[command] {
					continue
				}
				for _, by := range []string{"--store", "METAPIPE_STORE", "state.directory"} {
					withoutStore(t, command+" "+args, place, by, want)
				}
			}
		}
	})
}

// withoutStore runs a command line with a store at a place where none is; by names it.
func withoutStore(t *testing.T, line, place, by, want string) {
	t.Helper()
	dir, manager := t.TempDir(), managerTree(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.FromSlash(place))
	environ := []string{"GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=github_pat_0123456789012345678901", "GITHUB_TOKEN=github_pat_1123456789012345678901"}
	args := strings.Fields(strings.ReplaceAll(line, "CUSTOMER", customerTree(t, "environments: {staging: {}}\n")))
	switch by {
	case "--store":
		args = append(args, "--store", path)
	case "METAPIPE_STORE":
		environ = append(environ, by+"="+path)
	default:
		file := filepath.Join(manager, "metapipe.yml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, "state: {directory: "+path+"}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "state list") && place == "typo" {
			return // a new manager has no states to list
		}
	}
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, environ...)
	app.Dir = manager
	code := Main(t.Context(), args, app)
	if got := complaints.String(); code != ExitUsage || out.Len() > 0 || !strings.Contains(got, "the store "+path+" of "+by) || !strings.Contains(got, want) {
		t.Errorf("%s with %s as %s: exit code %d, want %q\n%s%s", line, place, by, code, want, &out, got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%s with %s as %s: the command has made something: %v %v", line, place, by, entries, err)
	}
}

// TestNoStoreOfANewManager: without a name for the store, only the list of states takes
// the default directory that is not there for a manager without states.
func TestNoStoreOfANewManager(t *testing.T) {
	t.Parallel()
	for command, lines := range storeCommands {
		if firstCommands[command] {
			continue
		}
		for _, args := range lines {
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SOURCE_REPOS_PAT=github_pat_0123456789012345678901", "GITHUB_TOKEN=github_pat_1123456789012345678901")
			app.Dir = managerTree(t)
			code := Main(t.Context(), strings.Fields(command+" "+strings.ReplaceAll(args, "CUSTOMER", customerTree(t, "environments: {staging: {}}\n"))), app)
			want, exit := "no store is named", ExitUsage
			if command == "state list" {
				want, exit = "no state yet", ExitDone
			}
			if code != exit || !strings.Contains(complaints.String(), want) {
				t.Errorf("%s %s: exit code %d, want %q\n%s%s", command, args, code, want, &out, &complaints)
			}
		}
	}
}
