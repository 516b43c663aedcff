package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// pushJob is the environment of a job of acme/shop for the event of that name, whose
// payload is given. Nothing answers at the address of its GitHub.
func pushJob(t *testing.T, event, payload string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=" + event, "GITHUB_EVENT_PATH=" + file, "GITHUB_REPOSITORY=acme/shop", "GITHUB_REPOSITORY_ID=7", "GITHUB_RUN_ID=5",
		"GITHUB_SHA=" + strings.Repeat("a", 40), "GITHUB_REF=refs/heads/main", "GITHUB_OUTPUT=" + file + ".out", "GITHUB_STEP_SUMMARY=" + file + ".md",
		"GITHUB_API_URL=http://127.0.0.1:1", "GITHUB_SERVER_URL=http://127.0.0.1:1", "GITHUB_TOKEN=ghs_0123456789012345678901234567890123456", "MANAGER_REPO_PAT=github_pat_0123456789012345678901",
		"MANAGER_REPO_OWNER=provider", "MANAGER_REPO_NAME=infra"}
}

// tagPush is a push that asks for nothing, so that trigger posts no status.
const tagPush = `{"ref":"refs/tags/v1","before":"0000000000000000000000000000000000000000","after":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","repository":{"id":7,"full_name":"acme/shop","default_branch":"main"},"sender":{"login":"ada"}}`

// commandsWithPath are the commands that have --path.
func commandsWithPath(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.Flags().Lookup("path") != nil {
			names = append(names, strings.TrimPrefix(sub.CommandPath(), "metapipe "))
		}
		names = append(names, commandsWithPath(sub)...)
	}
	return names
}

// TestPathHasOneSpelling: every command with --path refuses what a customer's file
// may not hold, with the spelling that was meant.
func TestPathHasOneSpelling(t *testing.T) {
	t.Parallel()
	names := commandsWithPath(NewRoot(&App{}))
	if len(names) < 2 {
		t.Fatalf("commands with --path: %v", names)
	}
	for path, want := range map[string]string{
		"deploy/eu/": `write it as "deploy/eu"`, "./deploy": `write it as "deploy"`, "/deploy": `write it as "deploy"`, "deploy//eu": `write it as "deploy/eu"`, "deploy/./eu": `write it as "deploy/eu"`,
		`deploy\eu`: `write it as "deploy/eu"`, ` deploy`: `write it as "deploy"`, "///": "write a relative path", "..": "leads out", "../deploy": "leads out", "deploy/../x": "leads out",
		"": "is empty", ".": "the top of the repository", "./": "write a relative path", "c:/deploy": "is absolute", ".git/hooks": "not allowed", "-x": "not allowed", "deploy\u200b": "holds a character",
		"deploy\xff": "holds a character", "deploy/\x00": "holds a character", strings.Repeat("x/", 120) + "x": "longer than",
	} {
		for _, name := range names {
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, pushJob(t, "push", tagPush)...)
			app.Dir = t.TempDir()
			code := Main(t.Context(), append(strings.Fields(name), "--path", path), app)
			if all := complaints.String() + out.String(); code != ExitUsage || !strings.Contains(all, "--path is ") || !strings.Contains(all, want) {
				t.Errorf("%s --path %q: exit code %d, want %q:\n%s", name, path, code, want, all)
			}
		}
	}
}

// TestValidateNeedsTheDirectory: a --path that the checkout does not hold is no
// "missing file", and never "no problems".
func TestValidateNeedsTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "Deploy", "eu"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("Deploy", filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"nowhere": "has no directory", "deploy/eu": `write --path "Deploy/eu"`, "linked": "is a symbolic link", "linked/eu": "linked is a symbolic link"} {
		var out, complaints bytes.Buffer
		app := testApp(&out, &complaints, "GITHUB_ACTIONS=false")
		app.Dir = dir
		if code := Main(t.Context(), []string{"validate", "--customer-dir", dir, "--path", path}, app); code != ExitUsage || !strings.Contains(complaints.String(), want) {
			t.Errorf("--path %s: exit code %d, want %q: %s", path, code, want, &complaints)
		}
	}
}
