package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandsWith are the commands that have a flag, as their words, below cmd.
func commandsWith(cmd *cobra.Command, flag string) (found []string) {
	if cmd.Flags().Lookup(flag) != nil {
		found = append(found, strings.TrimPrefix(cmd.CommandPath(), "metapipe "))
	}
	for _, below := range cmd.Commands() {
		found = append(found, commandsWith(below, flag)...)
	}
	return found
}

// TestManagerDirectory: every command refuses a --manager-dir that is not there, in the
// same words, and takes the working directory without one.
func TestManagerDirectory(t *testing.T) {
	t.Parallel()
	dir, customer := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	extra := map[string]string{"rehearse": " --customer-dir " + customer, "customer rename": " old new", "fetch-vars": " --customer blog", "onboard": " acme/store", "offboard": " shop", "properties set": " --all team=x", "spacelift remove": " mp-shop-staging", "state accept": " --reason x", "drift scan": " 20300102T030405.678Z-0a1b2c3d", "drift summary": " 20300102T030405.678Z-0a1b2c3d"}
	commands := append(commandsWith(NewRoot(&App{}), "manager-dir"), "plan --environment x --customer-dir "+customer, "validate --customer-dir "+customer)
	if len(commands) < 15 {
		t.Fatalf("only %d commands have --manager-dir: %q", len(commands), commands)
	}
	for _, command := range commands {
		for named, want := range map[string]string{"nowhere": "--manager-dir nowhere does not exist", "file": "--manager-dir file is not a directory"} {
			t.Run(command+" "+named, func(t *testing.T) {
				t.Parallel()
				var out, complaints bytes.Buffer
				app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
				app.Dir, app.Binary = dir, "metapipe"
				code := Main(t.Context(), strings.Fields(command+extra[command]+" --manager-dir "+named), app)
				if code != ExitUsage || !strings.Contains(complaints.String(), want) || out.Len() > 0 {
					t.Errorf("exit code %d\n%s%s", code, &out, &complaints)
				}
			})
		}
	}
}

// customerTree is a checkout of a customer with a file of variables.
func customerTree(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "infra"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "infra", "variables.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestValidateTakesTheManager: in a manager checkout, the rules of that manager apply
// to the customer's file, unless --schema says which ones do.
func TestValidateTakesTheManager(t *testing.T) {
	t.Parallel()
	manager, customer := managerTree(t), customerTree(t, "environments: {staging: {}, canary: {}}\n")
	if err := os.WriteFile(filepath.Join(customer, "schema.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir() // a metapipe.yml that leads nowhere is no reason for laxer rules
	if err := os.Symlink("nowhere.yml", filepath.Join(broken, "metapipe.yml")); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(t.TempDir(), "infra")
	if err := os.CopyFS(inside, os.DirFS(manager)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dir, args, manager string
		says                     bool
		code                     int
	}{
		{"manager checkout", manager, "--customer-dir " + customer, manager, true, ExitFindings},
		{"named", customer, "--customer-dir . --manager-dir " + manager, manager, false, ExitFindings},
		{"customer checkout, manager named", customer, "--manager-dir " + manager, manager, false, ExitFindings},
		{"customer checkout, schema named", customer, "--schema schema.json", "", false, ExitDone},
		{"manager called infra", filepath.Dir(inside), "--manager-dir infra", inside, false, ExitDone},
		{"schema", manager, "--schema " + customer + "/schema.json --customer-dir " + customer, "", false, ExitDone},
		{"customer checkout", customer, "", "", false, ExitDone},
		{"dangling link", broken, "--customer-dir " + customer, broken, true, ExitFindings},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
			app.Dir = c.dir
			code := Main(t.Context(), strings.Fields("validate --json "+c.args), app)
			var result validateResult
			if err := json.Unmarshal(out.Bytes(), &result); err != nil {
				t.Fatalf("exit code %d, %v: %s%s", code, err, &out, &complaints)
			}
			if says := strings.Contains(complaints.String(), "under the rules of the manager checkout "+c.dir); code != c.code || result.ManagerDir != c.manager || says != c.says {
				t.Errorf("exit code %d, manager %q, said: %v\n%s%s", code, result.ManagerDir, says, &out, &complaints)
			}
		})
	}
}

// TestValidateSaysWhatItLeavesOut: what only a plan finds, beside a file of variables and
// not without one, and the names in the store, for a manager alone.
func TestValidateSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	manager, customer := managerTree(t), customerTree(t, "environments: {staging: {}}\n")
	for args, want := range map[string]bool{"": false, "--customer-dir " + customer: true, "--customer-dir " + t.TempDir(): false} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
		app.Dir = manager
		Main(t.Context(), strings.Fields("validate "+args), app)
		if got := strings.Contains(out.String(), "not checked: validation blocks"); got != want {
			t.Errorf("validate %s: %v, want %v\n%s%s", args, got, want, &out, &complaints)
		}
		if got, want := strings.Contains(out.String(), "not checked: whether the store knows") && strings.Contains(out.String(), "`metapipe state list` compares them"), args == ""; got != want {
			t.Errorf("validate %s names the store: %v, want %v\n%s", args, got, want, &out)
		}
	}
}

// TestWrittenOnce: the workflow that is new and then gets its chain of jobs is named once.
func TestWrittenOnce(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
	app.Dir = managerTree(t)
	Main(t.Context(), strings.Fields("validate --write-workflows"), app)
	if n := strings.Count(complaints.String(), "written: .github/workflows/infra-deploy.yml"); n != 1 {
		t.Errorf("named %d times:\n%s", n, &complaints)
	}
}
